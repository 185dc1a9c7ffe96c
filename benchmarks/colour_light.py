"""How near a face comes back to itself from another light; prints JSON.

The swap of every frame is the plate's own face, lit otherwise: so the truth is known, and what is
left is what a transfer gets wrong.  Crops and areas as in `colour_flicker.py`.

    python benchmarks/colour_light.py CLIP.mp4 ... [--color steady reinhard mkl] [--frames 20]

error  mean distance in Lab inside the area, over all frames: once for each light
none   the same for a swap that stays as it is
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from colour_flicker import SIZE, pairs, recoloured
from harness import report
from mien.arrays import Image
from mien.stages import ColorPair

LIGHTS = {
    "dimmer and redder": ((0.55, 0.6, 0.8), 0.02),
    "brighter and flat": ((1.2, 1.15, 1.1), 0.12),
    "yellow": ((0.6, 0.85, 1.1), 0.0),
    "blue": ((1.25, 0.7, 0.5), 0.0),
}
"""Factors of blue, green and red, and what is added to all."""


def lit(image: Image, light: str) -> Image:
    gains, lift = LIGHTS[light]
    return np.clip(image * np.float32(gains) + np.float32(lift), 0, 1)


def error(results: list[Image], asked: list[ColorPair]) -> float:
    """Mean Lab distance to the plates where the face is seen."""
    gaps = []
    for result, pair in zip(results, asked, strict=True):
        inside = pair.area[..., 0] >= 0.5
        one, other = (cv2.cvtColor(each, cv2.COLOR_BGR2LAB) for each in (result, pair.plate))
        gaps.append(np.linalg.norm((one - other)[inside], axis=1).mean())
    return round(float(np.mean(gaps)), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures what is left of another light.")
    parser.add_argument("clips", type=Path, nargs="+", help="with labels in NAME.faces.json")
    parser.add_argument("--color", nargs="+", default=["steady", "reinhard", "mkl"])
    parser.add_argument("--frames", type=int, default=20)
    arguments = parser.parse_args()
    nothing = np.zeros((SIZE, SIZE, 3), np.float32)
    results: dict[str, dict[str, dict[str, float]]] = {}
    for clip in arguments.clips:
        plates = pairs(nothing, clip)[: arguments.frames]
        rows = results[clip.name] = {}
        for light in LIGHTS:
            asked = [replace(pair, swap=lit(pair.plate, light)) for pair in plates]
            rows[light] = {"none": error([pair.swap for pair in asked], asked)}
            rows[light] |= {name: error(recoloured(name, asked), asked) for name in arguments.color}
    report("colour_light", {"size": SIZE, "frames": arguments.frames}, results)


if __name__ == "__main__":
    main()
