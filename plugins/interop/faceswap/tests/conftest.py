"""Small faces as faceswap keeps them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import mien_faceswap
import numpy as np
from mien.testing.fakes import face_at, picture
from mien.types import FaceMask
from mien_faceswap.geometry import square
from mien_faceswap.values import face_table

Shared = Callable[[str], Path]


def golden(shared: Shared, name: str) -> Path:
    return shared(f"golden/faceswap/{name}")


def digested(value: Any) -> Any:
    """As the expected files stand for it: tuples as lists, bytes by their hash."""
    if isinstance(value, dict):
        return {key: digested(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [digested(each) for each in value]
    if isinstance(value, bytes):
        return {"__bytes_sha256__": hashlib.sha256(value).hexdigest(), "len": len(value)}
    return value


def points() -> Any:
    found = face_at(200, 150, 60).landmarks
    assert found is not None
    return found.astype(np.float64)


def header() -> dict[str, Any]:
    mask = FaceMask(mask=np.ones((32, 32, 1), np.float32), matrix=square(points(), 32, "head"))
    source = {
        "alignments_version": 2.4,
        "original_filename": "clip_000007_1.png",
        "face_index": 1,
        "source_filename": "clip_000007.mp4",
        "source_is_video": True,
        "source_frame_dims": (300, 400),
    }
    return {"alignments": face_table(points(), (150.0, 100, 250, 220), mask), "source": source}


def png(size: int = 64, seed: int = 0) -> bytes:
    return bytes(cv2.imencode(".png", picture(size, size, seed=seed))[1])


def store(folder: Path) -> Any:
    found = mien_faceswap.mien_open_faceset(path=folder)
    assert found is not None
    return found
