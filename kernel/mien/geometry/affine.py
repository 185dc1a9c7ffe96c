"""Similarities and affines: landmarks to the square of a face type, matrices there and back."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Matrix, Points
from ..types import FaceType
from .points import averaged_yaw
from .tables import FIT_POINTS, MEAN_FACE, PADDING

_UPRIGHT = (FaceType.FULL_UPRIGHT, FaceType.HEAD_UPRIGHT)
_SQUARE = np.array([(-1, -1), (1, -1), (1, 1)], dtype=np.float32)
_UNIT_SQUARE = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0.5, 0.5)], dtype=np.float32)

_FIT = np.array(FIT_POINTS)
_AIM_MEAN = MEAN_FACE[_FIT - 17].mean(0)  # float32, as it always was
_AIM = (MEAN_FACE[_FIT - 17] - _AIM_MEAN).astype(np.float64)

# The second singular value of the points over the first: a face seen fully from the side has
# 0.2, points on one line have rounding noise only.
_FLATTEST = 1e-4


def transform(matrix: Matrix, points: NDArray[Any]) -> NDArray[Any]:
    """The points as the matrix maps them.

    points  (N, 2);  returns (N, 2) float32, or float64 where the points are float64
    """
    exact = np.asarray(points, dtype=np.float64)
    moved = exact @ matrix[:, :2].T + matrix[:, 2]
    return moved if points.dtype == np.float64 else moved.astype(np.float32)


def invert(matrix: Matrix) -> Matrix:
    """The matrix that maps back.  Raises ValueError where the matrix flattens the plane."""
    (a, b, x), (c, d, y) = matrix.tolist()
    det = a * d - b * c
    if not np.isfinite(det) or abs(det) < 1e-30:
        raise ValueError(f"the matrix {matrix.tolist()} cannot be inverted")
    a, b, c, d = d / det, -b / det, -c / det, a / det
    return np.array([[a, b, -(a * x + b * y)], [c, d, -(c * x + d * y)]])


def compose(first: Matrix, then: Matrix) -> Matrix:
    """One matrix that does `first` and then `then`."""
    linear = then[:, :2]
    return np.column_stack((linear @ first[:, :2], linear @ first[:, 2] + then[:, 2]))


def align_unit(points: Points) -> Matrix:
    """Similarity from the frame to the unit space of the mean face.

    points  (68, 2), frame pixels.  Raises ValueError for points that are not finite, coincide or
    lie on one line.  Source: Umeyama 1991, eq. 40-43, over the 33 points `FIT_POINTS`.
    """
    if points.shape != (68, 2):
        raise ValueError(f"landmarks have shape {points.shape}, must be (68, 2)")
    source = np.asarray(points[_FIT], dtype=np.float64)
    if not np.isfinite(source).all():
        raise ValueError("landmarks hold values that are not finite: the face cannot be aligned")
    source_mean = source.mean(0)
    spread = source - source_mean
    if _flatness(spread) <= _FLATTEST:
        raise ValueError("landmarks lie on one point or one line: the face cannot be aligned")
    # In the plane the best similarity is one complex number: turn and scale of spread onto aim.
    (xx, xy), (yx, yy) = (spread.T @ _AIM / np.square(spread).sum()).tolist()
    real, imaginary = xx + yy, xy - yx
    linear = np.array([[real, -imaginary], [imaginary, real]])
    return np.column_stack((linear, _AIM_MEAN - linear @ source_mean))


def _flatness(spread: NDArray[np.float64]) -> float:
    """The smaller singular value of points around their mean over the larger; 0 for one point."""
    (a, b), (_, d) = (spread.T @ spread).tolist()
    middle, half = (a + d) / 2, math.hypot((a - d) / 2, b)
    if middle + half <= 0:
        return 0.0
    # The determinant over the larger eigenvalue: no difference of two large numbers.
    return float(math.sqrt(max(a * d - b * b, 0.0)) / (middle + half))


def crop_matrix(points: Points, face_type: FaceType, size: int, scale: float = 1.0) -> Matrix:
    """Affine that puts a face into a square crop.

    points  (68, 2), frame pixels;  size  crop side in pixels;  scale  > 1 zooms in
    Returns (2, 3) float64, frame to crop.  Raises ValueError where `align_unit` does.
    """
    if size < 1 or not scale > 0:
        raise ValueError(f"a crop of {size} pixels at scale {scale} cannot be made")
    # Every stage that cuts a crop asks for the same face again.
    return _matrix_of(
        points.tobytes(), points.dtype.str, points.shape, face_type, size, scale
    ).copy()


@lru_cache(maxsize=256)
def _matrix_of(
    data: bytes, dtype: str, shape: tuple[int, ...], face_type: FaceType, size: int, scale: float
) -> Matrix:
    """What `crop_matrix` gives for the points in `data`."""
    points = np.frombuffer(data, dtype).reshape(shape)
    corners = _frame_square(align_unit(points), points, face_type, scale)
    frame = np.column_stack((corners.astype(np.float64), np.ones(3)))
    crop = np.array([(0, 0), (size, 0), (size, size)], dtype=np.float64)
    return np.ascontiguousarray(np.linalg.solve(frame, crop).T)


def _frame_square(
    unit: Matrix, points: Points, face_type: FaceType, scale: float
) -> NDArray[np.float32]:
    """Top-left, top-right and bottom-right corner of the crop in the frame.  # (3, 2)

    float32 as in the programs whose facesets and models we read: a crop must fall on the same
    pixels as theirs.
    """
    back = invert(unit).astype(np.float32)
    g0, g1, g2, g3, centre = _UNIT_SQUARE @ back[:, :2].T + back[:, 2]
    diagonal = float(np.linalg.norm(g2 - g0))
    down, up = (g2 - g0) / np.linalg.norm(g2 - g0), (g1 - g3) / np.linalg.norm(g1 - g3)
    reach = np.float32(diagonal * (PADDING[face_type] * np.sqrt(2) + 0.5) / scale)
    if face_type is FaceType.WHOLE:
        centre = centre + np.float32(0.07) * (g0 - g3)
    elif face_type is FaceType.HEAD:
        yaw = averaged_yaw(transform(unit, points))
        yaw *= abs(np.tanh(2 * yaw))
        centre = centre - (g0 - g1) * np.float32(yaw / 2) + np.float32(0.5) * (g0 - g3)
    across = np.stack((-down, up, down, -up))
    quad: NDArray[np.float32] = centre + reach * across
    if face_type not in _UPRIGHT:
        return quad[:3]
    half = np.float32(np.sqrt(_area(quad)) / 2)
    square: NDArray[np.float32] = centre + half * _SQUARE
    return square


def _area(quad: NDArray[np.float32]) -> float:
    """Area of a polygon by the shoelace formula, in float32 for the same pixels as above."""
    x, y = quad.T
    return 0.5 * float(abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))))


def face_box(
    matrix: Matrix, size: int | tuple[int, int], shape: tuple[int, ...]
) -> tuple[int, int, int, int]:
    """The part of a frame that a crop can touch, (x0, y0, x1, y1), x1 and y1 exclusive.

    matrix  frame to crop;  size  the crop's side, or (width, height)
    shape   the frame's (H, W, ...)
    Empty (x0 == x1 or y0 == y1) where the crop lies outside the frame.
    """
    width, height = (size, size) if isinstance(size, int) else size
    # One pixel around: what interpolation reaches.
    corners = np.array([(x, y) for x in (-1.0, width) for y in (-1.0, height)])
    seen = transform(invert(matrix), corners)
    limit = np.array([shape[1], shape[0]])
    x0, y0 = np.clip(np.floor(seen.min(0)), 0, limit).astype(int).tolist()
    x1, y1 = np.clip(np.ceil(seen.max(0)) + 1, 0, limit).astype(int).tolist()
    return x0, y0, x1, y1
