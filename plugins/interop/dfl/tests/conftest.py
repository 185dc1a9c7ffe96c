"""Small faces as DeepFaceLab keeps them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import mien_dfl
import numpy as np
from mien.geometry import crop_matrix, transform
from mien.testing.fakes import face_at, picture
from mien.types import FaceType
from mien_dfl.jpeg import put_together

Shared = Callable[[str], Path]


def golden(shared: Shared, name: str) -> Path:
    return shared(f"golden/dfl-image/{name}")


def info_of(size: int = 64) -> dict[str, Any]:
    points = face_at(200, 150, 60).landmarks
    assert points is not None
    matrix = crop_matrix(points, FaceType.WHOLE, size)
    return {
        "face_type": "whole_face",
        "landmarks": transform(matrix, points.astype(np.float64)).tolist(),
        "source_filename": "00007.png",
        "source_rect": np.array([150, 100, 250, 220]),
        "source_landmarks": points.astype(np.float64).tolist(),
        "image_to_face_mat": matrix,
    }


def jpeg(size: int = 64, seed: int = 0) -> bytes:
    return bytes(cv2.imencode(".jpg", picture(size, size, seed=seed))[1])


def face_file(info: dict[str, Any], size: int = 64, seed: int = 0) -> bytes:
    return put_together(jpeg(size, seed), info, 3, "a face")


def store(folder: Path, **changes: Any) -> Any:
    found = mien_dfl.mien_open_faceset(path=folder, **changes)
    assert found is not None
    return found
