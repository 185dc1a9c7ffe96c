"""How long colour transfers take on one core, and how near they come to the plate's colours.

Two faces lend each other their colours.  `idt`, `sot` and `mix` are measured in DeepFaceLab's form
and in the quick one; the distance is the sliced Wasserstein distance (root mean square along 64
lines, BGR 0..1) of the pixels inside the area, which is all that is ever seen.
Times are those of the processor, so that other work on the machine does not count.

    python benchmarks/colours.py ONE.png OTHER.png [--repeats 7] [--size 256] > colours.json

Without pictures two made ones are taken.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from harness import report, spread
from mien.colour.transport import random_lines, sliced_distance
from mien.options import parse
from mien.registry import Registry
from mien.runtime import make_context
from mien.stages import ColorPair, ColorTransferProvider, Neighbours

# DeepFaceLab's merger takes 30 lines a step for sot.
RUNS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "idt, sheet": ("idt", {"form": "dfl", "statistics": "dfl"}),
    "idt": ("idt", {}),
    "sot, sheet": ("sot", {"form": "dfl", "statistics": "dfl", "batch": 30}),
    "sot": ("sot", {}),
    "mix, sheet": ("mix", {"form": "dfl", "statistics": "dfl"}),
    "mix": ("mix", {}),
    "reinhard": ("reinhard", {}),
    "linear": ("linear", {}),
    "mkl": ("mkl", {}),
    "histogram": ("histogram", {}),
    "avg-color": ("avg-color", {}),
    "match-hist": ("match-hist", {}),
    "steady": ("steady", {}),
}
SLOW = 500
"""Milliseconds from which a transfer is timed twice only."""


def faces(paths: list[Path], size: int) -> list[np.ndarray]:
    """Two crops, BGR 0..1."""
    if not paths:
        rng = np.random.default_rng(0)
        coarse = rng.random((2, size // 8, size // 8, 3)).astype(np.float32)
        made = [cv2.resize(each, (size, size), interpolation=cv2.INTER_CUBIC) for each in coarse]
        grain = 0.02 * rng.standard_normal((2, size, size, 3)).astype(np.float32)
        lift = np.float32([[0.3, 0.2, 0.1], [0.1, 0.3, 0.3]])[:, None, None]
        return [np.clip(0.6 * a + b + c, 0, 1) for a, b, c in zip(made, grain, lift, strict=True)]
    found = []
    for path in paths:
        image = cv2.imread(str(path))
        assert image is not None, f"{path}: not a picture"
        small = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
        found.append(small.astype(np.float32) / np.float32(255))
    return found


def oval(size: int) -> np.ndarray:
    """Where a face is seen, with a soft edge."""
    y, x = (np.mgrid[:size, :size].astype(np.float32) + 0.5) / size - 0.5
    away = np.hypot(x / 0.30, (y - 0.03) / 0.38)
    return np.clip((1.05 - away) / 0.1, 0, 1)[..., None].astype(np.float32)


def measure(
    name: str, options: Mapping[str, Any], pairs: list[ColorPair], repeats: int
) -> dict[str, Any]:
    """Times and distances of one transfer, over both ways round."""
    provider = Registry.installed().entry("color", name).provider
    assert isinstance(provider, ColorTransferProvider)
    stage = provider.create(parse(provider.options, dict(options)), make_context())
    stage.open()
    lines = random_lines(np.random.default_rng(0), 1, 64)[0]
    times, distances = [], []
    for pair in pairs:
        item: Any = Neighbours(item=pair) if any(stage.window) else pair
        inside = pair.area[..., 0] >= 0.5
        (result,) = stage([item])
        distances.append(sliced_distance(result[inside], pair.plate[inside], lines))
        for _ in range(repeats):
            start = time.process_time()
            stage([item])
            times.append(1000 * (time.process_time() - start))
            if times[-1] > SLOW:
                break
    stage.close()
    return {
        "cpu_milliseconds": spread(times, 2),
        "distance": [round(each, 4) for each in distances],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Times colour transfers, on one core.")
    parser.add_argument("faces", type=Path, nargs="*")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--size", type=int, default=256, help="side of the face in pixels")
    parser.add_argument("--only", nargs="*", default=list(RUNS), choices=list(RUNS))
    arguments = parser.parse_args()
    if len(arguments.faces) not in (0, 2):
        parser.error("give two faces, or none")
    cv2.setNumThreads(1)
    one, other = faces(arguments.faces, arguments.size)
    area = oval(arguments.size)
    pairs = [
        ColorPair(swap=swap.copy(), plate=plate.copy(), area=area)
        for swap, plate in ((one, other), (other, one))
    ]
    lines = random_lines(np.random.default_rng(0), 1, 64)[0]
    inside = area[..., 0] >= 0.5
    results: dict[str, Any] = {
        "none": {"distance": [round(sliced_distance(one[inside], other[inside], lines), 4)] * 2}
    }
    for title in arguments.only:
        name, options = RUNS[title]
        results[title] = measure(name, options, pairs, arguments.repeats)
    report(
        "colours",
        {
            "faces": [path.name for path in arguments.faces] or "made",
            "size": arguments.size,
            "inside": int(np.count_nonzero(inside)),
            "repeats": arguments.repeats,
        },
        results,
    )


if __name__ == "__main__":
    main()
