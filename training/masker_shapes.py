"""Shapes with soft edges: drawn at twice the size and averaged, as a camera would see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from mien.arrays import Image
from numpy.typing import NDArray

FINER = 2
Cover = NDArray[np.float32]
Plane = NDArray[np.float64]


def filled(size: int, polygons: Sequence[NDArray[Any]]) -> Cover:
    """Polygons (n, 2), each filled."""
    canvas = np.zeros((size * FINER, size * FINER), np.uint8)
    cv2.fillPoly(canvas, [fixed(one, FINER) for one in polygons], 255, cv2.LINE_AA, 4)
    return reduced(canvas)


def stroke(size: int, line: NDArray[Any], width: float) -> Cover:
    """A line (n, 2) of some width, with round ends."""
    canvas = np.zeros((size * FINER, size * FINER), np.uint8)
    thick = max(1, round(width * FINER))
    cv2.polylines(canvas, [fixed(line, FINER)], False, 255, thick, cv2.LINE_AA, 4)
    return reduced(canvas)


def disc(size: int, centre: NDArray[Any], radius: float) -> Cover:
    """A filled circle."""
    angle = np.linspace(0, 2 * np.pi, 40)
    return filled(size, [np.stack([np.cos(angle), np.sin(angle)], 1) * radius + centre])


def reduced(canvas: NDArray[Any]) -> Cover:
    """A canvas of 0..255, `FINER` times as large as the crop, as cover 0..1 of the crop."""
    side = canvas.shape[0] // FINER
    small = cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32) / np.float32(255)


def fixed(points: NDArray[Any], factor: int) -> NDArray[np.int32]:
    """Points as cv2 wants them: 4 binary digits after the point, never so far that it overflows."""
    limit = 1 << 20
    moved = np.nan_to_num((np.asarray(points, np.float64) + 0.5) * factor - 0.5)
    return np.clip(np.rint(moved * 16), -limit, limit).astype(np.int32)


def rotation(angle: float) -> Plane:
    """(2, 2) matrix that turns by `angle` radians."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])


def as_picture(values: NDArray[Any]) -> Image:
    """Values as uint8, rounded; what is out of range becomes black or white."""
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
