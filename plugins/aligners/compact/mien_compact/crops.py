"""Where the net looks: squares around a face, laid by a detector's box or by points found before.

Both kinds show a face at the same size and place, so one net serves the first look and the second.
"""

from __future__ import annotations

import numpy as np
from mien.arrays import Matrix, Points
from mien.geometry import MEAN_FACE, align_unit
from mien.types import Detection
from numpy.typing import NDArray

SIDE = 96
# Side of the square, as a multiple of the longer side of the upright box around the 68 points.
MARGIN = 1.35
# From a detector's box to that square; measured on 1,700 portraits and the boxes of two detectors.
_BOX_MARGIN = 0.873 * MARGIN
_BOX_DROP = 0.156  # the points reach from the brows to the chin, a box from the forehead

_MEAN5 = np.stack(
    [
        *(MEAN_FACE[first - 17 : last - 17].mean(axis=0) for first, last in ((36, 42), (42, 48))),
        *(MEAN_FACE[index - 17] for index in (30, 48, 54)),
    ]
)


def box_matrix(detection: Detection, margin: float = 1.0) -> Matrix:
    """(2, 3) frame to crop from a detection's box, upright by its five points where it has them.

    margin  how much more than usual is shown
    """
    x0, y0, x1, y1 = detection.box
    size = (x1 - x0 + y1 - y0) / 2
    across = np.array([1.0, 0.0])
    if detection.points5 is not None:
        across = roll_of_five(detection.points5)
    down = np.array([-across[1], across[0]])
    centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2]) + _BOX_DROP * size * down
    return square_matrix(centre, margin * _BOX_MARGIN * size, across)


def points_matrix(points: Points) -> Matrix:
    """(2, 3) frame to crop, around 68 points in frame pixels, upright by them."""
    try:
        across = align_unit(points)[0, :2]
    except ValueError:  # all on one line: no face, but still an answer for this row of the batch
        across = np.array([1.0, 0.0])
    across = _unit(across)
    turn = np.array([across, (-across[1], across[0])])
    level = points.astype(np.float64) @ turn.T
    low, high = level.min(axis=0), level.max(axis=0)
    centre = turn.T @ ((low + high) / 2)
    return square_matrix(centre, MARGIN * float((high - low).max()), across)


def roll_of_five(points5: Points) -> NDArray[np.float64]:
    """Direction in the frame, length 1, that lies level in the face.

    By the best similarity from the mean face; so it holds in profile, where the eyes fall together.
    """
    seen = points5.astype(np.float64) - points5.mean(axis=0)
    mean = _MEAN5 - _MEAN5.mean(axis=0)
    cosine = float((mean * seen).sum())
    sine = float((mean[:, 0] * seen[:, 1] - mean[:, 1] * seen[:, 0]).sum())
    return _unit(np.array([cosine, sine]))


def square_matrix(centre: NDArray[np.float64], side: float, across: NDArray[np.float64]) -> Matrix:
    """(2, 3) frame to crop: a square of `side` frame pixels around `centre`.

    across  direction in the frame, length 1, that lies level in the crop
    """
    cosine, sine = across
    scale = SIDE / max(side, 1.0)  # a box of no size must not blow up
    linear = scale * np.array([[cosine, sine], [-sine, cosine]])
    return np.column_stack([linear, SIDE / 2 - linear @ centre])


def _unit(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    length = float(np.hypot(*direction))
    return direction / length if np.isfinite(length) and length > 0 else np.array([1.0, 0.0])
