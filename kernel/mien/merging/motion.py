"""How a face moves, and the blur that a camera would have given it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..arrays import Image, Points
from ..geometry import crop_matrix, invert, transform
from ..types import FaceType

LONGEST = 200.0
"""Pixels; a longer way between two frames is no movement of a face."""


def movement(before: Points | None, after: Points | None) -> tuple[float, float]:
    """The way of a face's middle from the frame before to the frame after, in frame pixels.

    before, after  (68, 2) landmarks, or None where the face is not there: it then stands still
    """
    ends = [_middle(points) for points in (before, after) if points is not None]
    if len(ends) < 2 or ends[0] is None or ends[1] is None:
        return 0.0, 0.0
    return ends[1][0] - ends[0][0], ends[1][1] - ends[0][1]


def blur_along(image: Image, way: tuple[float, float]) -> Image:
    """The picture as it is when all of it moves `way` pixels while the shutter is open."""
    import cv2

    length = math.hypot(*way)
    if not 0.5 < length <= LONGEST:
        return image
    blurred: Image = cv2.filter2D(image, -1, line_kernel(*way), borderType=cv2.BORDER_REPLICATE)
    return blurred


def line_kernel(across: float, down: float) -> NDArray[np.float32]:
    """The line from -way/2 to way/2, each point shared among the four pixels around it; sum 1."""
    half = math.ceil(max(abs(across), abs(down)) / 2) + 1
    kernel = np.zeros((2 * half + 1, 2 * half + 1))
    count = 4 * math.ceil(math.hypot(across, down)) + 1
    at = (np.arange(count) + 0.5) / count - 0.5
    x, y = half + at * across, half + at * down
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, low = x - left, y - top
    for dx, dy, share in (
        (0, 0, (1 - right) * (1 - low)),
        (1, 0, right * (1 - low)),
        (0, 1, (1 - right) * low),
        (1, 1, right * low),
    ):
        np.add.at(kernel, (top + dy, left + dx), share)
    return (kernel / count).astype(np.float32)


def _middle(points: Points) -> tuple[float, float] | None:
    try:
        matrix = crop_matrix(points, FaceType.FULL, 256)
    except ValueError:  # points on one line: nothing is known of where the face is
        return None
    x, y = transform(invert(matrix), np.array([[128.0, 128.0]]))[0].tolist()
    return x, y
