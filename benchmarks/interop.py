"""Faces of other programs, made from one synthetic face: import, packing, and the way back.

    python benchmarks/interop.py --faces 2000 --size 256

Disk speed is measured beside it: the same bytes written as files, and as one file, both synced.
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
import harness
import numpy as np
from mien.atomic import write_whole
from mien.config import Config
from mien.geometry import crop_matrix, transform
from mien.jobs.export_faces import export_faceset
from mien.jobs.import_faces import import_faceset
from mien.jobs.run import make_run
from mien.registry import Registry
from mien.testing.fakes import face_at, picture
from mien.types import FaceType
from mien_dfl.jpeg import put_together

PICTURES = 50
GRAIN = 6.0
"""Noise of the pictures, in grey levels: without it a JPEG would be far too small."""


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--faces", type=int, default=2000)
    words.add_argument("--size", type=int, default=256)
    words.add_argument("--folder", type=Path, help="where to write; else the system's place")
    args = words.parse_args()
    registry = Registry.installed()
    run = make_run("benchmark", registry, Config(registry))
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        place = Path(name)
        count = make_faces(place / "dfl", args.faces, args.size)
        results: dict[str, Any] = {"bytes": count}
        results["files_to_disk"] = timed(lambda: copy_files(place / "dfl", place / "copy"))
        results["import"] = timed(
            lambda: import_faceset(run, place=place / "dfl", folder=place / "ours", program="dfl")
        )
        results["import_again"] = timed(
            lambda: import_faceset(run, place=place / "dfl", folder=place / "ours", program="dfl")
        )
        results["one_file_to_disk"] = timed(lambda: copy_as_one(place / "dfl", place / "one"))
        for form in ("dfl-pak", "dfl"):
            results[f"export_{form}"] = timed(
                lambda form=form: export_faceset(
                    run, faceset=place / "ours", folder=place / f"{form}-back", form=form
                )
            )
        results["unpack"] = timed(
            lambda: import_faceset(
                run, place=place / "dfl-pak-back", folder=place / "again", program="dfl"
            )
        )
        same = all(
            each.read_bytes() == (place / "dfl" / each.name).read_bytes()
            for each in (place / "dfl-back").glob("*.jpg")
        )
        results["same_bytes_back"] = same
    harness.report("interop", {"faces": args.faces, "size": args.size}, results)


def make_faces(folder: Path, count: int, size: int) -> int:
    """Faces with metadata, of fifty pictures; their bytes."""
    folder.mkdir()
    points = face_at(400, 300, 90).landmarks
    assert points is not None
    matrix = crop_matrix(points, FaceType.WHOLE, size)
    mask = np.zeros((256, 256), np.uint8)
    cv2.circle(mask, (128, 128), 90, 255, -1)
    info = {
        "face_type": "whole_face",
        "landmarks": transform(matrix, points.astype(np.float64)).tolist(),
        "source_rect": np.array([350, 250, 450, 370]),
        "source_landmarks": points.astype(np.float64).tolist(),
        "image_to_face_mat": matrix,
        "xseg_mask": np.frombuffer(cv2.imencode(".png", mask)[1], np.uint8)[:, None],
    }
    rng = np.random.default_rng(1)
    pictures = []
    for number in range(min(count, PICTURES)):
        image = picture(size, size, seed=number) + rng.normal(0, GRAIN, (size, size, 3))
        pictures.append(bytes(cv2.imencode(".jpg", np.clip(image, 0, 255).astype(np.uint8))[1]))
    total = 0
    for number in range(count):
        info["source_filename"] = f"{number + 1:05d}.png"
        data = put_together(pictures[number % len(pictures)], info, 3, "")
        (folder / f"{number + 1:05d}_0.jpg").write_bytes(data)
        total += len(data)
    return total


def copy_files(source: Path, folder: Path) -> None:
    for each in sorted(source.iterdir()):
        write_whole(folder / each.name, each.read_bytes())


def copy_as_one(source: Path, path: Path) -> None:
    with path.open("wb") as stream:
        for each in sorted(source.iterdir()):
            stream.write(each.read_bytes())
        stream.flush()
        os.fsync(stream.fileno())


def timed(work: Callable[[], Any]) -> dict[str, float]:
    """Seconds by the clock, and of the processor: the rest is waiting, for the disk or others."""
    began, used = time.perf_counter(), time.process_time()
    work()
    clock, processor = time.perf_counter() - began, time.process_time() - used
    return {"seconds": round(clock, 2), "processor": round(processor, 2)}


if __name__ == "__main__":
    main()
