"""How long a faceset takes to be sorted, cold and cached, and how searches grow with its size.

The faces are made on the spot: noise in soft shapes under a turned head's landmarks, as JPEGs.
Searches run on features alone, which wander as those of people in films do.

    python benchmarks/faces.py [--faces 2000] [--size 256] [--threads 2] [--searches 1000 4000]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from harness import report
from mien.curation import METHODS, Group, chain, measure_faces, near_duplicates, unlikeness
from mien.curation.distance import bhattacharyya, bhattacharyya_pairs, histogram_roots
from mien.faceset import FaceRecord, Faceset, write_face
from mien.geometry import HEAD_MODEL, crop_matrix, transform, warp
from mien.types import FaceType

SORTS = ("face-yaw", "hist", "hist-dissim", "absdiff", "blur", "final")
"""In this order: the first reads no pixels, the next three share a pass, the last two another."""


def make_faces(folder: Path, count: int, size: int) -> None:
    """Write so many faces."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 4, (1024, 1024, 3)).astype(np.float32)
    for number in range(count):
        angles = rng.uniform(-0.5, 0.5, 3) * (0.5, 1.0, 0.1)
        model = HEAD_MODEL @ cv2.Rodrigues(angles)[0].T
        points = (model[:, :2] * (900 / (model[:, 2:] + 900)) * 1.6 + 256).astype(np.float32)
        coarse = rng.integers(40, 216, (12, 12, 3), dtype=np.uint8)
        frame = cv2.resize(coarse, (512, 512), interpolation=cv2.INTER_CUBIC)
        for part in (range(36, 42), range(42, 48), range(48, 60)):
            cv2.fillConvexPoly(
                frame, points[list(part)].astype(np.int32), (30, 30, 60), cv2.LINE_AA
            )
        y, x = rng.integers(0, 512, 2)
        grain = noise[y : y + 512, x : x + 512]
        frame = np.clip(cv2.GaussianBlur(frame, (0, 0), 1.2) + grain, 0, 255).astype(np.uint8)
        matrix = crop_matrix(points, FaceType.WHOLE, size)
        record = FaceRecord(
            face_type=FaceType.WHOLE,
            size=size,
            matrix=matrix,
            landmarks=transform(matrix, points).astype(np.float32),
            frame_landmarks=points,
            box=(*points.min(0).tolist(), *points.max(0).tolist()),
            clip="made.mp4",
            frame_index=number,
        )
        write_face(folder, f"made_{number:06d}_0", warp(frame, matrix, size, cubic=True), record)


def seconds(work: Callable[[], Any]) -> float:
    """How long it takes, once."""
    began = time.perf_counter()
    work()
    return round(time.perf_counter() - began, 3)


def sort_times(folder: Path, threads: int) -> dict[str, Any]:
    """Seconds to sort by each order, cold from the files, and again from what was kept."""

    def sort(name: str) -> None:
        method = METHODS[name]
        table = measure_faces(Faceset(folder), method.groups | Group.RECORD, threads=threads)
        method.run(table, 1024)

    found: dict[str, Any] = {}
    for name in SORTS:
        forget(folder)
        found[name] = {"cold": seconds(lambda name=name: sort(name))}
        found[name]["cached"] = seconds(lambda name=name: sort(name))
    return found


def forget(folder: Path) -> None:
    """Remove what was measured."""
    for place in folder.glob(".mien-*"):
        place.unlink()


def search_times(count: int) -> dict[str, float]:
    """Seconds to find neighbours among made features of so many faces."""
    rng = np.random.default_rng(count)
    roots = histogram_roots(wandering(rng, count))
    hashes = rng.integers(0, 1 << 63, (count, 4)).astype(np.uint64)
    hashes[count // 2 :] = hashes[: count - count // 2] ^ np.uint64(5)
    rank = rng.random(count)
    return {
        "near-duplicates": seconds(lambda: near_duplicates(hashes, rank, 8)),
        "histogram chain": seconds(lambda: chain(roots, bhattacharyya, pairs=bhattacharyya_pairs)),
        "histogram unlikeness": seconds(lambda: unlikeness(roots[:, 0])),
    }


def wandering(rng: np.random.Generator, count: int) -> np.ndarray[Any, Any]:
    """Histograms (N, 3, 256) of pictures that change slowly, cut into shots and shuffled."""
    shots = np.repeat(rng.normal(0, 1, (count // 100 + 1, 6)), 100, axis=0)[:count]
    places = shots + 0.05 * np.cumsum(rng.normal(0, 0.3, (count, 6)), axis=0) % 1
    middle = 128 + 50 * np.tanh(places[:, :3, None])
    width = 14 + 12 * np.abs(np.tanh(places[:, 3:, None]))
    curve = np.exp(-0.5 * ((np.arange(256) - middle) / width) ** 2)
    counts = rng.poisson(65536 * curve / curve.sum(axis=2, keepdims=True))
    return counts[rng.permutation(count)].astype(np.uint32)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=2000)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--searches", type=int, nargs="*", default=[1000, 4000, 16000])
    given = parser.parse_args()
    results: dict[str, Any] = {}
    if given.faces:
        with tempfile.TemporaryDirectory() as place:
            make_faces(Path(place), given.faces, given.size)
            results["sort, s"] = sort_times(Path(place), given.threads)
    results["search, s"] = {str(count): search_times(count) for count in given.searches}
    report("faces", vars(given), results)


if __name__ == "__main__":
    main()
