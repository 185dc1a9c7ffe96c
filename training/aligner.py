"""Trains the compact aligner: `python -m training.aligner --data ../shared/data --out FOLDER`.

One CPU core for about an hour.  The first 39 % of the steps see crops of 80 pixels, the rest 96:
the net is a convolution, and learns much of what it knows at two thirds of the cost.  Then again
with `--begin FOLDER/last.pt` and another `--out`: a second course, with more heads from the side.
`FOLDER/last.pt` is written every few minutes; the same command goes on from there.  At the end
`FOLDER/mien_align68_v1.onnx` is written, and what held-out persons got is printed.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mien.arrays import Image, Matrix
from mien.atomic import whole_file
from mien.geometry import invert, transform, warp
from mien.onnx import export_onnx
from mien.stages import ExportPlan
from mien.types import Detection
from mien_compact.crops import SIDE, box_matrix, points_matrix
from numpy.typing import NDArray
from torch import Tensor

from .aligner_net import CompactNet
from .aligner_samples import Stock, stack
from .data import Picture, human_points68, is_held_out, read_image, read_pictures
from .shipping import strip

_log = logging.getLogger("training.aligner")

BATCH = 32
PEAK_RATE = 2e-3
# A second course, on weights that know faces already, only refines them.
SECOND_RATE = 1.2e-3
TURNED, SECOND_TURNED = 0.25, 0.45  # shares of heads drawn again, turned
WARM_UP = 200
# Until which part of the training crops have which side; every side is a multiple of 16.
SIDES = ((0.39, 80), (1.0, SIDE))
HARD_FROM = 0.5  # from here on faces seen from the side come more often
MILD_FROM = 0.8  # from here on half the pictures stay as they are
VOTE_SHARE = 0.3  # of the loss: single votes shall be near too, not only their mean
EMA = 0.998
SAVE_EVERY = 250

Floats = NDArray[np.float32]


def rate_at(part: float, step: int, peak: float = PEAK_RATE) -> float:
    """The learning rate after `part` (0..1) of the training: warm-up, then half a cosine."""
    return peak * min((step + 1) / WARM_UP, 1.0) * (0.5 + 0.5 * float(np.cos(np.pi * part)))


def side_at(part: float) -> int:
    """The side of the crops after `part` (0..1) of the training."""
    return next((side for until, side in SIDES if part < until), SIDE)


def loss_of(net: CompactNet, batch: tuple[Floats, ...]) -> tuple[Tensor, Tensor]:
    """(loss, mean distance of the points), both per size of the face."""
    images, points, weights, sizes = map(torch.from_numpy, batch)
    places, shares = net.votes(images)
    scale = weights / sizes[:, None] / weights.mean()
    found = (places * shares[..., None]).sum(dim=2)
    away = ((found - points).square().sum(dim=-1) + 1e-8).sqrt()
    lone = ((places - points[:, :, None]).square().sum(dim=-1) + 1e-8).sqrt()
    spread = (shares * lone).sum(dim=-1)
    plain = (away / sizes[:, None]).mean()
    return ((away + VOTE_SHARE * spread) * scale).mean(), plain.detach()


class Training:
    """The net, its optimizer, and a running mean of its weights, which is what is kept.

    begin  a checkpoint whose weights a second course refines
    """

    def __init__(self, seed: int, begin: Path | None = None) -> None:
        torch.manual_seed(seed)
        self.seed, self.step = seed, 0
        self.net, self.kept = CompactNet(), CompactNet()
        self.second = begin is not None
        if begin is not None:
            self.net.load_state_dict(torch.load(begin, weights_only=True)["kept"])
        self.kept.load_state_dict(self.net.state_dict())
        self.kept.requires_grad_(False)
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=PEAK_RATE, weight_decay=0.02)

    def learn(self, stock: Stock, total: int) -> float:
        """One step; gives the mean distance of the points, per size of the face."""
        part = self.step / total
        side = SIDE if self.second else side_at(part)
        rng = np.random.default_rng([self.seed, self.step])
        hard, mild = self.second or part >= HARD_FROM, part >= MILD_FROM
        turned = SECOND_TURNED if self.second else TURNED
        batch = stack(
            [stock.draw(rng, side, hard=hard, mild=mild, turned=turned) for _ in range(BATCH)]
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate_at(part, self.step, SECOND_RATE if self.second else PEAK_RATE)
        self.net.train()
        loss, distance = loss_of(self.net, batch)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimizer.step()
        self.step += 1
        self._keep(min(EMA, self.step / (self.step + 20)))
        return float(distance)

    def _keep(self, share: float) -> None:
        with torch.no_grad():
            pairs = zip(
                self.kept.state_dict().values(), self.net.state_dict().values(), strict=True
            )
            for old, new in pairs:
                if old.is_floating_point():
                    old.lerp_(new, 1 - share)
                else:
                    old.copy_(new)

    def save(self, path: Path) -> None:
        """Everything needed to go on."""
        held: dict[str, Any] = {
            "step": self.step,
            "net": self.net.state_dict(),
            "kept": self.kept.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        with whole_file(path) as beside:
            torch.save(held, beside)

    def load(self, path: Path) -> None:
        """Go on from a file of `save`."""
        held = torch.load(path, weights_only=True)
        self.step = held["step"]
        self.net.load_state_dict(held["net"])
        self.kept.load_state_dict(held["kept"])
        self.optimizer.load_state_dict(held["optimizer"])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """A held-out face: its picture, its detection, and where its points are."""

    image: Image
    found: Detection
    points: Floats
    picture: Picture


def held_out(data: Path) -> list[Asked]:
    """The main faces of held-out persons whose 68 points are trusted."""
    return [
        Asked(
            image=read_image(each),
            found=Detection(box=each.faces[0].box, score=1.0, points5=each.faces[0].points5),
            points=each.faces[0].points68,
            picture=each,
        )
        for each in read_pictures(data / "faces")
        if each.faces and each.faces[0].trusted and is_held_out(each)
    ]


def locate(
    net: CompactNet, images: Sequence[Image], matrices: Sequence[Matrix], side: int
) -> list[Floats]:
    """The 68 points of each picture seen through its matrix, in its own pixels."""
    matrices = [matrix * (side / SIDE) for matrix in matrices]
    crops = [warp(image, matrix, side) for image, matrix in zip(images, matrices, strict=True)]
    pixels = np.stack(crops)[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 255
    net.eval()
    with torch.no_grad():
        points = net(torch.from_numpy(np.ascontiguousarray(pixels)))[0].numpy()
    return [
        transform(invert(matrix), each * side - 0.5)
        for matrix, each in zip(matrices, points, strict=True)
    ]


def evaluate(net: CompactNet, asked: Sequence[Asked], side: int = SIDE) -> dict[str, float]:
    """Mean error per outer-eye distance: after one look, after two, and against drawn points.

    side  of the crops: while the net knows only smaller ones, larger ones tell nothing of it
    """
    errors: dict[str, list[float]] = {"first": [], "second": [], "human": []}
    for start in range(0, len(asked), BATCH):
        part = asked[start : start + BATCH]
        images = [each.image for each in part]
        first = locate(net, images, [box_matrix(each.found) for each in part], side)
        second = locate(net, images, [points_matrix(points) for points in first], side)
        for each, one, two in zip(part, first, second, strict=True):
            eyes = float(np.linalg.norm(each.points[36] - each.points[45]))
            errors["first"].append(_distance(one, each.points) / eyes)
            errors["second"].append(_distance(two, each.points) / eyes)
            index, human = human_points68(each.picture)
            if len(index):
                errors["human"].append(_distance(two[index], human) / eyes)
    return {name: float(np.mean(each)) for name, each in errors.items() if each}


def _distance(points: Floats, truth: Floats) -> float:
    return float(np.linalg.norm(points - truth, axis=1).mean())


def export(net: CompactNet, path: Path) -> None:
    """Write the net as ONNX: image (N, 3, 96, 96) to points (N, 68, 2) and spread (N, 68)."""
    plan = ExportPlan(
        module=net.eval(),
        inputs=(torch.zeros(2, 3, SIDE, SIDE),),
        input_names=("image",),
        output_names=("points", "spread"),
        dynamic={"image": {0: "batch"}},
    )
    export_onnx(plan, path)
    strip(path)


def main() -> None:
    """Train, or go on training, and export."""
    parser = argparse.ArgumentParser(description="Trains the compact 68-point aligner.")
    parser.add_argument("--data", type=Path, required=True, help="folder with faces/ and clips/")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint and net")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--begin", type=Path, help="checkpoint of a first course to refine")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(asked.threads)
    cv2.setNumThreads(asked.threads)

    stock, judges = Stock(asked.data), held_out(asked.data)
    training, checkpoint = Training(asked.seed, asked.begin), asked.out / "last.pt"
    asked.out.mkdir(parents=True, exist_ok=True)
    if checkpoint.exists():
        training.load(checkpoint)
    seen, began = [], time.monotonic()
    while training.step < asked.steps:
        seen.append(training.learn(stock, asked.steps))
        if training.step % 50 == 0:
            pace = (time.monotonic() - began) / len(seen[-50:])
            _log.info("step %d  distance %.4f  %.2f s", training.step, np.mean(seen[-50:]), pace)
            began = time.monotonic()
        if training.step % SAVE_EVERY == 0:
            training.save(checkpoint)
            side = SIDE if training.second else side_at(training.step / asked.steps)
            _log.info("held out: %s", _told(evaluate(training.kept, judges, side)))
            began = time.monotonic()
    export(training.kept, asked.out / "mien_align68_v1.onnx")
    _log.info("held out: %s", _told(evaluate(training.kept, judges)))


def _told(errors: dict[str, float]) -> str:
    return "  ".join(f"{name} {100 * value:.2f} %" for name, value in errors.items())


if __name__ == "__main__":
    main()
