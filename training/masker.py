"""Recipe of the small masker: `python -m training.masker --data ../shared/data --out runs/masker`.

Learns what every pixel of a face crop is from outlines that a mesh draws, and what hides a face
from painted things in front of it.  Needs the packages of the checkout and nothing else; one core
is enough.  Stop it at any time: the same command goes on where it was.  At the end the net lies in
OUT as ONNX, with its accuracy on people whom it never saw printed.

The picture grows while it learns: coarse shapes are learned four times quicker from small crops.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mien.atomic import whole_file
from mien.onnx import export_onnx
from mien.stages import ExportPlan
from mien_mask_bisenet.masks import enlarging
from mien_mask_bisenet.net import SMALL, BiSeNet, Parser
from torch import Tensor
from torch.nn import functional

from .masker_labels import CLASSES, UNKNOWN
from .masker_samples import Stock, make_sample, read_stock
from .shipping import strip

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NAME = "mien_masker_v1.onnx"
# Small parts would drown in the loss of large ones.
_CLASS_WEIGHTS = {"brows": 2.0, "eyes": 3.0, "lips": 2.0, "mouth": 3.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the net is taught.

    steps  of `batch` samples;  sizes  (part of the steps done, crop side) from which a side is used
    rate   largest learning rate, reached after `warm` steps, falling as a cosine to `rate / 100`
    """

    seed: int = 1
    steps: int = 2600
    batch: int = 16
    sizes: tuple[tuple[float, int], ...] = ((0.0, 128), (0.4, 192), (0.7, 256))
    rate: float = 3e-3
    warm: int = 150
    decay: float = 0.01
    average: float = 0.998

    def size_at(self, step: int) -> int:
        """Side of the crops of a step."""
        return [size for part, size in self.sizes if step >= part * self.steps][-1]

    def rate_at(self, step: int) -> float:
        """Learning rate of a step."""
        fall = 0.5 * (1 + np.cos(np.pi * min(step / self.steps, 1.0)))
        return self.rate * min(1.0, (step + 1) / self.warm) * (0.01 + 0.99 * float(fall))


class Run:
    """A training that can be interrupted: net, its running average, optimiser, step."""

    def __init__(self, plan: Plan, out: Path) -> None:
        torch.manual_seed(plan.seed)
        self.plan, self.path, self.step = plan, out / "last.pt", 0
        self.net = _laid_out(BiSeNet(SMALL), torch.channels_last)
        self.optimiser = torch.optim.AdamW(
            self.net.parameters(), plan.rate, weight_decay=plan.decay
        )
        self.mean_net = BiSeNet(SMALL).eval()
        self.mean_net.load_state_dict(self.net.state_dict())
        if self.path.exists():
            self._resume()

    def _resume(self) -> None:
        stored = torch.load(self.path, map_location="cpu", weights_only=True)
        self.net.load_state_dict(stored["net"])
        self.mean_net.load_state_dict(stored["mean_net"])
        self.optimiser.load_state_dict(stored["optimiser"])
        self.step = stored["step"]

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        state = {
            "net": self.net.state_dict(),
            "mean_net": self.mean_net.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
        }
        with whole_file(self.path) as beside:
            torch.save(state, beside)

    def learn(self, image: Tensor, labels: Tensor) -> dict[str, float]:
        """One step.  image (N, 3, S, S);  labels (N, S, S).  Returns the losses."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.plan.rate_at(self.step)
        self.net.train()
        losses = measure(self.net.small_scores(image), labels)
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(list(losses.values()))
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimiser.step()
        self.step += 1
        self._follow()
        return {name: float(loss.detach()) for name, loss in losses.items()}

    @torch.no_grad()
    def _follow(self) -> None:
        keep = min(self.plan.average, self.step / (self.step + 10))
        ours = self.net.state_dict()
        for name, value in self.mean_net.state_dict().items():
            if value.dtype.is_floating_point:
                value.lerp_(ours[name], 1 - keep)
            else:
                value.copy_(ours[name])


def _laid_out(net: BiSeNet, layout: torch.memory_format) -> BiSeNet:
    """The net with its weights in another order in memory; torch has no types for this call."""
    net.to(memory_format=layout)  # type: ignore[call-overload]
    return net


def make_batch(stock: Stock, plan: Plan, step: int) -> tuple[Tensor, Tensor]:
    """The samples of a step: pictures less mean over deviation (N, 3, S, S), labels (N, S, S)."""
    size = plan.size_at(step)
    numbers = range(step * plan.batch, (step + 1) * plan.batch)
    made = [make_sample(stock, np.random.default_rng([plan.seed, each]), size) for each in numbers]
    pictures = np.stack([image[..., ::-1] for image, _ in made]).astype(np.float32) / 255
    mean, deviation = (np.array(each, np.float32) for each in (MEAN, DEVIATION))
    fed = torch.from_numpy((pictures - mean) / deviation)
    labels = torch.from_numpy(np.stack([each for _, each in made]))
    return fed.permute(0, 3, 1, 2), labels


def measure(scores: tuple[Tensor, Tensor, Tensor], labels: Tensor) -> dict[str, Tensor]:
    """The losses: of every pixel's class, of the face as one shape, of the small parts' shapes.

    Compared at half the size of the crop, where a pixel may be part one class and part another.
    """
    known = (labels != UNKNOWN).float()[:, None]
    classes = torch.where(labels == UNKNOWN, 0, labels).long()
    shares = functional.one_hot(classes, len(CLASSES)).permute(0, 3, 1, 2).float() * known
    shares, known = functional.avg_pool2d(shares, 2), functional.avg_pool2d(known, 2)
    main = _enlarged(scores[0], labels.shape[-1])
    losses = {"class": _cross_entropy(main, shares)}
    for name, side in (("side16", scores[1]), ("side32", scores[2])):
        smaller = functional.adaptive_avg_pool2d(shares, side.shape[-1])
        losses[name] = 0.4 * _cross_entropy(side, smaller)
    chances = torch.softmax(main, 1) * known
    face = _missed(chances[:, 1:].sum(1, keepdim=True), shares[:, 1:].sum(1, keepdim=True))
    losses["face"] = face.mean()
    losses["parts"] = 0.3 * _missed(chances[:, 2:], shares[:, 2:]).mean()
    return losses


def _enlarged(scores: Tensor, size: int) -> Tensor:
    """What enlarging to `size` and averaging squares of two gives, in one go."""
    matrix = enlarging(scores.shape[-1], size).reshape(size // 2, 2, -1).mean(1)
    halves = torch.from_numpy(matrix)
    return halves @ scores @ halves.T


def _cross_entropy(scores: Tensor, shares: Tensor) -> Tensor:
    weights = torch.tensor([_CLASS_WEIGHTS.get(name, 1.0) for name in CLASSES])
    weighted = shares * weights.reshape(1, -1, 1, 1)
    return -(weighted * torch.log_softmax(scores, 1)).sum() / weighted.sum().clamp(min=1)


def _missed(chances: Tensor, shares: Tensor) -> Tensor:
    """1 less intersection over union, per picture and class, of soft shapes."""
    both = (chances * shares).sum((2, 3))
    either = (chances + shares - chances * shares).sum((2, 3))
    return 1 - (both + 20) / (either + 20)


def train(run: Run, stock: Stock, save_every: int) -> None:
    """All steps that are left, with a line of progress now and then."""
    plan, began, first = run.plan, time.monotonic(), run.step
    sums: dict[str, float] = {}
    while run.step < plan.steps:
        losses = run.learn(*make_batch(stock, plan, run.step))
        sums = {name: sums.get(name, 0.0) + loss for name, loss in losses.items()}
        if run.step % 20 == 0:
            pace = (time.monotonic() - began) / (run.step - first)
            told = {name: round(total / 20, 4) for name, total in sums.items()}
            facts = {
                "step": run.step,
                "size": plan.size_at(run.step - 1),
                "seconds": round(pace, 3),
            }
            print(json.dumps(facts | told), flush=True)
            sums = {}
        if run.step % save_every == 0 or run.step == plan.steps:
            run.save()


def export(net: BiSeNet, path: Path) -> None:
    """Write the net as ONNX: any batch, any height and width that 32 divides."""
    parser = Parser(_laid_out(net.eval(), torch.contiguous_format), MEAN, DEVIATION).eval()
    plan = ExportPlan(
        module=parser,
        inputs=(torch.zeros(2, 3, 256, 256),),
        input_names=("image",),
        output_names=("scores",),
        dynamic={"image": {0: "batch", 2: "height", 3: "width"}},
    )
    export_onnx(plan, path)
    strip(path)


def main(words: list[str] | None = None) -> None:
    """The command line."""
    plan = Plan()
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds faces/")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint and net go here")
    parser.add_argument("--steps", type=int, default=plan.steps)
    parser.add_argument("--batch", type=int, default=plan.batch)
    parser.add_argument("--seed", type=int, default=plan.seed)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--save-every", type=int, default=100, help="steps between checkpoints")
    given = parser.parse_args(words)
    torch.set_num_threads(given.threads)
    cv2.setNumThreads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    plan = Plan(steps=given.steps, batch=given.batch, seed=given.seed)
    (given.out / "plan.json").write_text(json.dumps(asdict(plan), indent=1), encoding="utf-8")
    run = Run(plan, given.out)
    if run.step < plan.steps:
        train(run, read_stock(given.data, held_out=False), given.save_every)
    export(run.mean_net, given.out / NAME)
    from .masker_score import score_net

    report: dict[str, Any] = score_net(given.out / NAME, given.data)
    (given.out / "score.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
