"""The face's outline from its landmarks: the mask that needs no net."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import Mask, Points

# The union of these hulls, not the hull of all points: a turned head's jaw is concave.
FACE_PARTS: tuple[tuple[int, ...], ...] = (
    (*range(9), 17),
    (*range(8, 17), 26),
    (17, 18, 19, 8),
    (24, 25, 26, 8),
    (*range(19, 25), 8),
    (*range(17, 22), 27, *range(31, 36), 8),
    (*range(22, 27), 27, *range(31, 36), 8),
    tuple(range(27, 36)),
)


def expand_brows(points: Points, factor: float = 1.0) -> NDArray[np.int64]:
    """The landmarks in whole pixels, the brows raised over part of the forehead.

    factor  0 leaves them, 1 raises them by half their distance from the eyes.  # (68, 2)
    """
    whole = np.trunc(points).astype(np.int64)
    middle_left, middle_right = (whole[36] + whole[0]) // 2, (whole[16] + whole[45]) // 2
    outer_left, outer_right = (whole[36] + middle_left) // 2, (whole[45] + middle_right) // 2
    base = np.stack((outer_left, *whole[36:40], *whole[42:46], outer_right))
    raised = whole[17:27] + factor * 0.5 * (whole[17:27] - base)
    whole[17:27] = np.trunc(raised).astype(np.int64)
    return whole


def fill_parts(points: NDArray[np.int64], size: int, *, smooth: bool = False) -> Mask:
    """The union of the hulls of `FACE_PARTS`.

    points  (68, 2), whole pixels;  smooth  draws anti-aliased edges.  Returns (size, size, 1).
    """
    import cv2

    canvas = np.zeros((size, size), dtype=np.uint8)
    line = cv2.LINE_AA if smooth else cv2.LINE_8
    # Points far outside would overflow the fixed-point arithmetic of cv2's polygons.
    inside = np.clip(points, -16 * size - 1000, 16 * size + 1000).astype(np.int32)
    for part in FACE_PARTS:
        cv2.fillConvexPoly(canvas, cv2.convexHull(inside[list(part)]), 255, line)
    return (canvas.astype(np.float32) / np.float32(255))[..., None]


def hull_mask(points: Points, size: int, brow: float = 1.0) -> Mask:
    """The default face mask of a crop: 1 inside the outline that the landmarks draw, else 0.

    points  (68, 2), crop pixels;  brow  how far the mask reaches up the forehead
    Returns (size, size, 1) float32.
    """
    return fill_parts(expand_brows(points, brow), size)


def feature_mask(points: Points, size: int) -> Mask:
    """Where a crop shows the eyes and the inside of the lips, with soft edges.

    points  (68, 2), crop pixels.  Returns (size, size, 1) float32, 0..1.
    """
    import cv2

    whole = np.clip(np.trunc(points), -16 * size, 16 * size).astype(np.int32)
    reach = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (max(1, size // 32),) * 2)
    soft = size // 16 + (size // 16 % 2 == 0)
    total = np.zeros((size, size), np.float32)
    for parts in ((range(36, 42), range(42, 48)), (range(60, 68),)):
        canvas = np.zeros((size, size), np.float32)
        for part in parts:
            cv2.fillConvexPoly(canvas, cv2.convexHull(whole[list(part)]), 1.0)
        total += cv2.GaussianBlur(cv2.dilate(canvas, reach), (soft, soft), 0)
    return np.clip(total, 0, 1)[..., None]
