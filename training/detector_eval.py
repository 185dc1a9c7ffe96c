"""How well a detector does on people that no recipe learned from; prints JSON.

    python -m training.detector_eval --data DATA [--set weights=1mb] [--weights FOLDER] [--net FILE]

recall      faces that a box overlaps by half or more
false_1000  boxes on nothing, in 1000 pictures; boxes on ignored places count neither way
Measured on held-out clips, on all clips, on held-out portraits and pictures without faces, and on
scenes of one held-out face by its size and by its turn.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import mien_retinaface
import numpy as np
from mien.arrays import Image
from mien.geometry.boxes import iou
from mien.options import describe, parse, plain, read
from mien.runtime import make_context
from mien.stages import Context, DetectorStage, WeightFile
from mien.types import Frame
from numpy.typing import NDArray

from .data import (
    HELD_OUT_CLIPS,
    is_held_out,
    read_clips,
    read_frames,
    read_image,
    read_pictures,
)
from .detector_scenes import compose_one
from .detector_stock import Stock, Supply, make_stock

SIZES = (24, 32, 48, 64, 96, 128, 192, 256, 352)
TURNS = (0, 15, 30, 45, 60, 90, 135, 180)
FRAME = (360, 640)

Boxes = NDArray[np.float32]


@dataclass(kw_only=True)
class Tally:
    """What was counted."""

    pictures: int = 0
    faces: int = 0
    hits: int = 0
    false: int = 0

    def add(self, found: Boxes, true: Boxes, ignore: Boxes) -> list[int]:
        """Count a picture; the false boxes, as indices of `found`."""
        self.pictures += 1
        self.faces += len(true)
        rest = set(range(len(found)))
        overlaps = (
            iou(found, true) if len(found) and len(true) else np.zeros((len(found), len(true)))
        )
        for face in range(len(true)):
            best = max(rest, key=lambda one: float(overlaps[one, face]), default=None)
            if best is not None and overlaps[best, face] >= 0.5:
                self.hits += 1
                rest.remove(best)
        if len(ignore):
            rest = {one for one in rest if iou(found[one : one + 1], ignore).max() < 0.3}
        self.false += len(rest)
        return sorted(rest)

    def report(self) -> dict[str, Any]:
        """The figures as plain numbers."""
        return {
            "pictures": self.pictures,
            "faces": self.faces,
            "recall": round(self.hits / self.faces, 4) if self.faces else None,
            "false_1000": round(1000 * self.false / max(self.pictures, 1), 1),
        }

    def join(self, other: Tally) -> None:
        """Add another tally to this one."""
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(other, name))


Item = tuple[Image, Boxes, Boxes]


def measure(detector: DetectorStage, items: Iterable[Item]) -> Tally:
    """Run the detector over pictures with their true and ignored boxes."""
    tally = Tally()
    for image, true, ignore in items:
        (found,) = detector([Frame(index=0, image=np.ascontiguousarray(image))])
        tally.add(_boxes([one.box for one in found]), true, ignore)
    return tally


def clip_items(data: Path, name: str, step: int) -> Iterator[Item]:
    """Frames of one clip."""
    (clip,) = (each for each in read_clips(data / "clips") if each.name == name)
    for truth, image in read_frames(clip, step):
        yield image, _boxes([face.box for face in truth.faces]), _boxes(truth.ignore)


def picture_items(data: Path) -> Iterator[Item]:
    """Held-out portraits and pictures without faces."""
    for picture in read_pictures(data / "faces"):
        if is_held_out(picture):
            true = _boxes([face.box for face in picture.faces])
            yield read_image(picture), true, _boxes(picture.ignore)


def held_out_supply(data: Path) -> Supply:
    """What scenes of held-out people are made of."""
    portraits: list[Stock] = []
    backgrounds: list[Stock] = []
    for picture in read_pictures(data / "faces"):
        if is_held_out(picture):
            stock = make_stock(read_image(picture), picture.faces, picture.ignore)
            (portraits if picture.faces else backgrounds).append(stock)
    return Supply(portraits=portraits, frames=(), backgrounds=backgrounds)


def scene_items(supply: Supply, count: int, *, size: float, turn: float) -> Iterator[Item]:
    """Frames with one face of `size` pixels height, turned by `turn` degrees either way."""
    for place in range(count):
        rng = np.random.Generator(np.random.PCG64([7, place]))
        scene = compose_one(rng, supply, *FRAME, side=size, turn=turn * (-1) ** place)
        yield scene.image, _boxes(scene.boxes), _boxes(scene.ignore)


def evaluate(detector: DetectorStage, data: Path, *, step: int, scenes: int) -> dict[str, Any]:
    """All figures of an open detector."""
    held_out, everything, clips = Tally(), Tally(), {}
    for clip in read_clips(data / "clips"):
        tally = measure(detector, clip_items(data, clip.name, step))
        clips[clip.name] = tally.report()
        everything.join(tally)
        if clip.name in HELD_OUT_CLIPS:
            held_out.join(tally)
    supply = held_out_supply(data)
    sizes = {
        str(size): measure(detector, scene_items(supply, scenes, size=size, turn=0)).report()
        for size in SIZES
    }
    turns = {
        str(turn): measure(detector, scene_items(supply, scenes, size=96, turn=turn)).report()
        for turn in TURNS
    }
    return {
        "held_out_clips": held_out.report(),
        "all_clips": everything.report(),
        "held_out_pictures": measure(detector, picture_items(data)).report(),
        "face_height": sizes,
        "face_turn": turns,
        "clips": clips,
    }


def _boxes(rows: Sequence[Any]) -> Boxes:
    return np.array(rows, np.float32).reshape(-1, 4)


def main() -> None:
    """Read the command line and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE")
    parser.add_argument("--weights", type=Path, action="append", default=[])
    parser.add_argument("--net", type=Path, help="an ONNX file instead of the shipped one")
    parser.add_argument("--step", type=int, default=2, help="take every n-th frame of the clips")
    parser.add_argument("--scenes", type=int, default=100, help="scenes for each size and turn")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    known = {info.name: info for info in describe(mien_retinaface.Options)}
    pairs = dict(word.split("=", 1) for word in asked.set)
    options = parse(
        mien_retinaface.Options, {name: read(known[name], word) for name, word in pairs.items()}
    )
    context = make_context(device="cpu", threads=asked.threads, weight_folders=asked.weights)
    detector = open_detector(options, context, asked.net)
    figures = evaluate(detector, asked.data, step=asked.step, scenes=asked.scenes)
    print(json.dumps({"options": plain(options), "step": asked.step, **figures}, indent=1))


def open_detector(
    options: mien_retinaface.Options, context: Context, net: Path | None
) -> DetectorStage:
    """The detector, open; with `net` in place of the shipped file where there is one."""
    lent = context if net is None else cast("Context", _Substitute(context, net))
    detector = mien_retinaface.create(options, lent)
    detector.open()
    return detector


class _Substitute:
    """A context that opens another file in place of the shipped weights."""

    def __init__(self, context: Context, net: Path) -> None:
        self._context, self._net = context, net

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def weights(self, file: WeightFile) -> Path:
        """The other file, or the real one."""
        return self._net if file.package else self._context.weights(file)


if __name__ == "__main__":
    main()
