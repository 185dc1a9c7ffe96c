"""How long a faceset takes to be sorted and packed, and how searches grow with its size.

The faces are made on the spot: noise in soft shapes under a turned head's landmarks, as JPEGs.
Searches run on features alone, which wander as those of people in films do.

    python benchmarks/faces.py [--faces 2000] [--size 256] [--searches 1000 4000] [--plain 1000]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from harness import report
from mien.atomic import write_whole
from mien.config import Config
from mien.curation import (
    METHODS,
    Group,
    chain,
    chain_of_histograms,
    city_block,
    histogram_roots,
    measure_faces,
    near_duplicates,
    unlikeness,
)
from mien.faceset import FaceRecord, Faceset, pictures, write_face
from mien.geometry import HEAD_MODEL, crop_matrix, transform, warp
from mien.jobs.faces_copy import pack_faces, unpack_faces
from mien.jobs.run import make_run
from mien.registry import Registry
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


def pack_times(folder: Path) -> dict[str, Any]:
    """Seconds to pack a set and to unpack it, and for the same bytes copied without a thought."""
    registry = Registry.installed()
    run = make_run("benchmark", registry, Config(registry))
    made, one, back, copy = (folder.parent / name for name in ("p.zip", "one", "back", "copy"))
    found = {
        "pack": seconds(lambda: pack_faces(run, folder=folder, path=made)),
        "copy into one file": seconds(lambda: copy_as_one(folder, one)),
        "unpack": seconds(lambda: unpack_faces(run, path=made, output=back)),
        "copy of files": seconds(lambda: copy_files(folder, copy)),
    }
    same = all(path.read_bytes() == (back / path.name).read_bytes() for path in pictures(folder))
    return found | {"bytes": made.stat().st_size, "same bytes back": same}


def copy_as_one(folder: Path, path: Path) -> None:
    """All pictures behind each other in one file, synced."""
    with path.open("wb") as stream:
        for each in pictures(folder):
            stream.write(each.read_bytes())
        stream.flush()
        os.fsync(stream.fileno())


def copy_files(folder: Path, other: Path) -> None:
    """All pictures as files of their own, each synced."""
    for each in pictures(folder):
        write_whole(other / each.name, each.read_bytes())


def search_times(count: int, plain: int) -> dict[str, float]:
    """Seconds to find neighbours among made features of so many faces.

    plain  up to how many faces every pair is compared as well
    """
    rng = np.random.default_rng(count)
    roots = histogram_roots(wandering(rng, count))
    thumbs = np.clip(roots[:, :, ::8].reshape(count, -1) * 900, 0, 255).astype(np.uint8)
    hashes = rng.integers(0, 1 << 63, (count, 4)).astype(np.uint64)
    hashes[count // 2 :] = hashes[: count - count // 2] ^ np.uint64(5)
    rank = rng.random(count)
    found = {
        "near-duplicates": seconds(lambda: near_duplicates(hashes, rank, 8)),
        "histogram chain": seconds(lambda: chain_of_histograms(roots)),
        "picture chain": seconds(lambda: chain(thumbs, city_block)),
        "histogram unlikeness": seconds(lambda: unlikeness(roots[:, 0])),
    }
    if count <= plain:
        found |= {
            "near-duplicates, every pair": seconds(lambda: plain_duplicates(hashes, rank, 8)),
            "histogram chain, every pair": seconds(lambda: plain_chain(roots)),
        }
    return found


def plain_chain(roots: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The chain of histograms by looking at all that are left, each time."""
    rows, walk = roots.copy(), np.arange(len(roots))
    for at in range(len(rows) - 1):
        away = sum(
            np.sqrt(np.maximum(0, 1 - rows[at + 1 :, channel] @ rows[at, channel]))
            for channel in range(rows.shape[1])
        )
        found = at + 1 + int(np.argmin(away))
        rows[[at + 1, found]] = rows[[found, at + 1]]
        walk[[at + 1, found]] = walk[[found, at + 1]]
    return walk


def plain_duplicates(
    hashes: np.ndarray[Any, Any], rank: np.ndarray[Any, Any], bits: int
) -> np.ndarray[Any, Any]:
    """Near-duplicates by comparing each picture with all that are kept."""
    repeats, kept = np.full(len(hashes), -1), np.zeros(0, np.int64)
    for row in np.argsort(-rank, kind="stable"):
        near = np.bitwise_count(hashes[kept] ^ hashes[row]).sum(axis=1) <= bits
        if near.any():
            repeats[row] = kept[np.argmax(near)]
        else:
            kept = np.append(kept, row)
    return repeats


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
    parser.add_argument("--plain", type=int, default=4000, help="compare every pair up to so many")
    given = parser.parse_args()
    results: dict[str, Any] = {}
    if given.faces:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "faces"
            make_faces(folder, given.faces, given.size)
            results["sort, s"] = sort_times(folder, given.threads)
            results["pack, s"] = pack_times(folder)
    results["search, s"] = {
        str(count): search_times(count, given.plain) for count in given.searches
    }
    report("faces", vars(given), results)


if __name__ == "__main__":
    main()
