"""How much a still face flickers in the colours of a real clip; prints JSON.

One crop of a face is the swap of every frame, so all that changes is what a transfer makes of the
plate.  Crops and areas (the hull of the landmarks, which trembles, and holds hands and hair) come
from labels beside the clips.

    python benchmarks/colour_flicker.py STILL.jpg CLIP.mp4 ... [--color reinhard steady]

flicker   standard deviation of the step from frame to frame of the mean Lab colour, in the middle
          of the face; root of the sum over the channels
bias      mean Lab difference to the plate there
contrast  Lab standard deviations there, of the result and of the plate
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from harness import report
from mien.arrays import Image
from mien.geometry import crop_matrix
from mien.options import parse
from mien.registry import Registry
from mien.runtime import make_context
from mien.stages import ColorPair, ColorTransferProvider, Neighbours
from mien.types import FaceType

SIZE = 128
LONGEST = 200


def pairs(still: Image, clip: Path) -> list[ColorPair]:
    """The still face on every labelled frame's face."""
    told = json.loads(clip.with_name(f"{clip.stem}.faces.json").read_text(encoding="utf-8"))
    labels = {each["i"]: each["faces"][0] for each in told["frames"] if each["faces"]}
    reader, made = cv2.VideoCapture(str(clip)), []
    for index in range(max(labels) + 1):
        is_frame, frame = reader.read()
        if not is_frame or len(made) == LONGEST:
            break
        if index not in labels:
            continue
        points = np.array(labels[index]["lm68"], np.float32)
        matrix = crop_matrix(points, FaceType.WHOLE, SIZE)
        plate = cv2.warpAffine(frame, matrix, (SIZE, SIZE)).astype(np.float32) / np.float32(255)
        area = np.zeros((SIZE, SIZE), np.float32)
        inside = points @ matrix[:, :2].T + matrix[:, 2]
        cv2.fillConvexPoly(area, cv2.convexHull(inside.astype(np.int32)), 1.0)
        pair = ColorPair(swap=still, plate=plate, area=area[..., None], frame_index=index, track=0)
        made.append(pair)
    reader.release()
    return made


def recoloured(name: str, asked: list[ColorPair]) -> list[Image]:
    """What a transfer with its own defaults makes of them."""
    provider = Registry.installed().entry("color", name).provider
    assert isinstance(provider, ColorTransferProvider)
    stage = provider.create(parse(provider.options, {}), make_context())
    before, after = stage.window
    items: list[Any] = [
        Neighbours(
            item=pair,
            before=tuple(asked[max(0, place - before) : place]),
            after=tuple(asked[place + 1 : place + 1 + after]),
        )
        if before or after
        else pair
        for place, pair in enumerate(asked)
    ]
    stage.open()
    size = stage.batch_size
    results = [
        each for start in range(0, len(items), size) for each in stage(items[start : start + size])
    ]
    stage.close()
    return results


def middle(images: list[Image]) -> np.ndarray:
    """Lab of the middle of the face, (N, P, 3)."""
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
    inside = np.hypot(x / 0.2, (y - 0.05) / 0.25) < 1
    return np.stack([cv2.cvtColor(each, cv2.COLOR_BGR2LAB)[inside] for each in images])


def measure(name: str, asked: list[ColorPair]) -> dict[str, Any]:
    """One row of the report."""
    got, plates = middle(recoloured(name, asked)), middle([pair.plate for pair in asked])
    steps = np.diff(got.mean(axis=1), axis=0)
    return {
        "flicker": round(float(np.sqrt(steps.var(axis=0).sum())), 3),
        "bias": np.round((got.mean(axis=1) - plates.mean(axis=1)).mean(axis=0), 2).tolist(),
        "contrast": [np.round(each.std(axis=1).mean(axis=0), 2).tolist() for each in (got, plates)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures the flicker of transferred colours.")
    parser.add_argument("still", type=Path, help="an aligned crop of a face")
    parser.add_argument("clips", type=Path, nargs="+", help="with labels in NAME.faces.json")
    parser.add_argument("--color", nargs="+", default=["reinhard", "steady"])
    arguments = parser.parse_args()
    image = cv2.imread(str(arguments.still))
    assert image is not None, f"{arguments.still}: not a picture"
    small = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    still = small.astype(np.float32) / np.float32(255)
    results: dict[str, Any] = {}
    for clip in arguments.clips:
        asked = pairs(still, clip)
        results[clip.name] = {"frames": len(asked)}
        results[clip.name] |= {name: measure(name, asked) for name in arguments.color}
    report("colour_flicker", {"size": SIZE, "still": arguments.still.name}, results)


if __name__ == "__main__":
    main()
