"""A folder of small faces, each different, made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from mien.faceset import FaceRecord, write_face
from mien.geometry import HEAD_MODEL, crop_matrix, transform, warp
from mien.types import FaceType

SIZE = 96


def points_of(yaw: float, pitch: float, gap: float = 0.0) -> np.ndarray:
    """(68, 2) frame pixels of a turned head, its lower lip and jaw `gap` millimetres lower."""
    model = HEAD_MODEL.astype(np.float64).copy()
    model[[65, 66, 67, 55, 56, 57, 58, 59, *range(5, 12)], 1] += gap
    turn_y, turn_x = (
        cv2.Rodrigues(np.array([0, yaw, 0.0]))[0],
        cv2.Rodrigues(np.array([-pitch, 0, 0.0]))[0],
    )
    seen = model @ (turn_x @ turn_y).T
    return (seen[:, :2] * (900 / (seen[:, 2:] + 900)) + (160, 160)).astype(np.float32)


def write_one(folder: Path, name: str, number: int, **more: float) -> Path:
    """A face whose looks follow from `number`: turned, lit and blurred differently."""
    rng = np.random.default_rng(number)
    points = points_of(more.get("yaw", 0.1), more.get("pitch", 0.0), more.get("gap", 0.0))
    frame = rng.integers(30, 226, (20, 20, 3), dtype=np.uint8)
    frame = cv2.resize(frame, (320, 320), interpolation=cv2.INTER_CUBIC)
    if more.get("blur"):
        frame = cv2.GaussianBlur(frame, (0, 0), more["blur"])
    frame = np.clip(frame * more.get("light", 1.0), 0, 255).astype(np.uint8)
    matrix = crop_matrix(points, FaceType.WHOLE, SIZE)
    record = FaceRecord(
        face_type=FaceType.WHOLE,
        size=SIZE,
        matrix=matrix,
        landmarks=transform(matrix, points).astype(np.float32),
        frame_landmarks=points,
        box=(*points.min(0).tolist(), *points.max(0).tolist()),
        clip="clip one.mp4",
        frame_index=number,
        time_base=Fraction(1, 25),
        extra={"mark": number},
    )
    return write_face(folder, name, warp(frame, matrix, SIZE, cubic=True), record, quality=98)


@pytest.fixture
def faces(tmp_path: Path) -> Callable[..., Path]:
    """Writes a faceset of `count` faces."""

    def make(count: int = 6, name: str = "faces", **more: float) -> Path:
        folder = tmp_path / name
        for number in range(count):
            turned = {"yaw": 0.12 * (number - count / 2), "gap": 2.0 * number}
            write_one(folder, f"face {number:03d}", number, **{**turned, **more})
        return folder

    return make
