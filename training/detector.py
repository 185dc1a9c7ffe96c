"""Recipe of mien's own RetinaFace weights: python -m training.detector --data DATA --out FOLDER,
then again with --begin FOLDER/last.pt, another --out and --iterations 6000, as often as it helps.

The graph is RetinaFace MobileNet-0.25 with anchors an octave apart, so that one look at a picture
finds faces of 10 pixels as well as those that fill it; three quarters of the channels in neck and
heads take about three quarters of the time.  Nothing is taken from foreign weights.  Composes its
pictures on the fly (`detector_scenes`), one thread ahead of the net; the result depends on the seed
and the number of iterations.  Goes on where FOLDER/last.pt stops.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import mien_retinaface
import numpy as np
import torch
from mien.atomic import whole_file
from mien.onnx import export_onnx
from mien.runtime import make_context
from mien.stages import ExportPlan
from mien_retinaface.decode import MinSizes, make_priors
from mien_retinaface.files import build_net
from mien_retinaface.net import RetinaFace
from mien_retinaface.stage import MEAN_BGR
from mien_retinaface.variants import VARIANTS
from torch import Tensor

from .detector_eval import evaluate, open_detector
from .detector_mining import mine
from .detector_scenes import compose
from .detector_stock import Place, Supply, read_supply
from .detector_targets import Targets, losses, make_targets
from .shipping import strip

OURS = VARIANTS["mien"]
ANCHORS: MinSizes = OURS.min_sizes
PEAK_RATE, DECAY = 3e-3, 5e-4
# A second course, on weights that know faces already, only refines them.
SECOND_RATE = 1.5e-3
# Ten point offsets weigh as much as the four of the box.
POINT_WEIGHT = 0.25
AVERAGE = 0.998
# From this part of the run on, every so many iterations, the net's own mistakes are looked for.
MINING_FROM, MINING = 0.5, 500
# (part of the run, pixels a batch, heights and widths): small and quick first, large faces later.
COURSE: tuple[tuple[float, int, tuple[tuple[int, int], ...]], ...] = (
    (0.2, 12 * 256 * 256, ((256, 256), (192, 320), (320, 192))),
    (0.5, 12 * 256 * 256, ((320, 320), (256, 384), (384, 256), (448, 448))),
    (1.0, 9 * 320 * 320, ((320, 320), (480, 480), (352, 640), (640, 352), (576, 576))),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Pictures (N, 3, H, W) as the net wants them, and what it should say."""

    images: Tensor
    targets: Targets


def make_batch(supply: Supply, seed: int, iteration: int, part: float) -> Batch:
    """The batch of one iteration; `part` 0..1 of the run that is done."""
    rng = np.random.Generator(np.random.PCG64([seed, iteration]))
    _, pixels, sizes = next(each for each in COURSE if part <= each[0])
    height, width = sizes[int(rng.integers(len(sizes)))]
    count = max(1, round(pixels / (height * width)))
    scenes = [compose(rng, supply, height, width) for _ in range(count)]
    images = np.stack([scene.image for scene in scenes]).astype(np.float32) - MEAN_BGR
    priors = make_priors(height, width, ANCHORS)
    return Batch(
        images=torch.from_numpy(images).permute(0, 3, 1, 2),  # channels last in memory
        targets=make_targets(scenes, priors),
    )


def batches(
    supply: Supply, seed: int, first: int, last: int, part_at: Callable[[int], float]
) -> Iterator[tuple[int, Batch]]:
    """Batches `first` to `last`, each made while the net learns from the one before."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(make_batch, supply, seed, first, part_at(first))
        for iteration in range(first, last):
            batch = waiting.result()
            if iteration + 1 < last:
                following = iteration + 1
                waiting = pool.submit(make_batch, supply, seed, following, part_at(following))
            yield iteration, batch


def rate_at(part: float, peak: float) -> float:
    """Learning rate: up to `peak` for a twentieth of the run, then down along a cosine."""
    warm = 0.05
    if part < warm:
        return peak * (0.02 + 0.98 * part / warm)
    return peak * (0.005 + 0.995 * (1 + math.cos(math.pi * (part - warm) / (1 - warm))) / 2)


def make_net() -> RetinaFace:
    """The net before it has learned: it calls one anchor in a hundred a face."""
    net = build_net(OURS)
    for key, value in net.ClassHead.named_parameters():
        if key.endswith("weight"):
            torch.nn.init.normal_(value, std=0.01)
        else:
            value.data.zero_()[1::2] = -math.log(99)
    return _laid_out(net, torch.channels_last)


def _laid_out(net: RetinaFace, how: torch.memory_format) -> RetinaFace:
    for value in (*net.parameters(), *net.buffers()):
        if value.ndim == 4:
            value.data = value.data.contiguous(memory_format=how)
    return net


def widened(known: Mapping[str, Tensor], net: RetinaFace) -> dict[str, Tensor]:
    """Weights of a net whose neck may be narrower, as those of `net`, which says the same at first.

    New channels begin as `net` has them, and nothing listens to them yet.
    """
    state = {key: value.clone() for key, value in net.state_dict().items()}
    half = known["ssh1.conv3X3.0.weight"].shape[0]
    wide = net.config.channels
    # The heads read three branches side by side, each of which has grown.
    branches = [
        *range(half),
        *range(wide // 2, wide // 2 + half // 2),
        *range(3 * wide // 4, 3 * wide // 4 + half // 2),
    ]
    for key, new in state.items():
        old = known[key]
        rows = new[: len(old)] if old.ndim else new
        if old.shape == rows.shape:
            rows.copy_(old)
            continue
        rows.zero_()
        inputs = branches if "Head" in key else list(range(old.shape[1]))
        rows[:, inputs] = old
    return state


class Training:
    """The net, its average over time, the optimiser, and what the net took for faces."""

    def __init__(self, begin: Path | None = None) -> None:
        self.hard: tuple[Place, ...] = ()
        self.net = make_net()
        self.average = make_net()
        self.peak = PEAK_RATE
        if begin is not None:
            known = torch.load(begin, weights_only=True)
            self.net.load_state_dict(widened(known["average"], self.net))
            self.hard = tuple(known["hard"])
            self.peak = SECOND_RATE
        self.average.load_state_dict(self.net.state_dict())
        decayed = [p for p in self.net.parameters() if p.ndim > 1]
        free = [p for p in self.net.parameters() if p.ndim <= 1]
        groups: list[dict[str, Any]] = [{"params": decayed}, {"params": free, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=PEAK_RATE, weight_decay=DECAY)

    def step(self, batch: Batch, iteration: int, part: float) -> tuple[float, float, float]:
        """Learn from a batch; box, class and point loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate_at(part, self.peak)
        self.net.train()
        boxes, classes, points = self.net.numbers(batch.images)
        box, face, point = losses(boxes, classes, points, batch.targets)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(2 * box + face + POINT_WEIGHT * point)
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 10.0)
        self.optimizer.step()
        self._follow(min(AVERAGE, (1 + iteration) / (10 + iteration)))
        return box.item(), face.item(), point.item()

    @torch.no_grad()
    def _follow(self, keep: float) -> None:
        ours = self.average.state_dict()
        for key, value in self.net.state_dict().items():
            if value.is_floating_point():
                ours[key].lerp_(value, 1 - keep)

    def save(self, path: Path, iteration: int) -> None:
        """Everything that a later run needs to go on."""
        state = {
            "iteration": iteration,
            "hard": self.hard,
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        with whole_file(path) as beside:
            torch.save(state, beside)

    def load(self, path: Path) -> int:
        """Take up a checkpoint; the iteration that follows."""
        state = torch.load(path, weights_only=True)
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.hard = tuple(state.get("hard", ()))
        return int(state["iteration"])


@torch.no_grad()
def settle(net: RetinaFace, supply: Supply, seed: int, count: int = 40) -> None:
    """Measure the batch norms of averaged weights anew, on `count` batches of the last part."""
    norms = [module for module in net.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over all batches
    net.train()
    for place in range(count):
        net(make_batch(supply, seed + 1, place, 1.0).images)
    net.eval()


def export(net: RetinaFace, path: Path) -> None:
    """Write the ONNX file that the plugin ships: any batch, height and width."""
    plan = ExportPlan(
        module=_laid_out(net, torch.contiguous_format).eval(),
        inputs=(torch.zeros(2, 3, 96, 160),),
        input_names=("image",),
        output_names=("boxes", "classes", "points"),
        dynamic={"image": {0: "batch", 2: "height", 3: "width"}},
    )
    export_onnx(plan, path)
    strip(path)


def learn(asked: argparse.Namespace, supply: Supply) -> Training:
    """The whole run, from the checkpoint if there is one."""
    torch.manual_seed(asked.seed)
    training, last = Training(asked.begin), asked.out / "last.pt"
    first = training.load(last) if last.exists() else 0
    # A second course begins with the sizes that the first ended with.
    done = COURSE[-2][0] if asked.begin else 0.0

    def part_at(iteration: int) -> float:
        return done + (1 - done) * (iteration + 1) / asked.iterations

    while first < asked.iterations:
        if part_at(first) > MINING_FROM and (first % MINING == 0 or not training.hard):
            training.hard = mine(training.average, supply, ANCHORS)
        stop = min(first + asked.every, asked.iterations)
        stocked = replace(supply, hard=training.hard)
        sums, began = np.zeros(3), time.perf_counter()
        for iteration, batch in batches(stocked, asked.seed, first, stop, part_at):
            sums += training.step(batch, iteration, iteration / asked.iterations)
        box, face, point = sums / (stop - first)
        pace = (time.perf_counter() - began) / (stop - first)
        first = stop
        training.save(last, first)
        print(
            f"{first}/{asked.iterations}  box {box:.3f}  face {face:.3f}  points {point:.3f}  "
            f"{pace:.2f} s each, {len(training.hard)} hard places",
            flush=True,
        )
    return training


def main() -> None:
    """Read the command line, learn, export."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with faces/ and clips/")
    parser.add_argument("--out", type=Path, required=True, help="checkpoints and the ONNX file")
    parser.add_argument("--iterations", type=int, default=10000)
    parser.add_argument("--begin", type=Path, help="checkpoint of a first course to refine")
    parser.add_argument("--every", type=int, default=50, help="iterations between checkpoints")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    cv2.setNumThreads(1)
    asked.out.mkdir(parents=True, exist_ok=True)
    supply = read_supply(asked.data)
    training = learn(asked, supply)
    settle(training.average, supply, asked.seed)
    net = asked.out / "mien_retinaface_v1.onnx"
    export(training.average, net)
    context = make_context(device="cpu", threads=asked.threads)
    stage = open_detector(mien_retinaface.Options(), context, net)
    print(json.dumps(evaluate(stage, asked.data, step=4, scenes=50), indent=1))


if __name__ == "__main__":
    main()
