"""Where the net looks: squares around a face, laid by a detector's box or by points found before.

Both kinds show a face at the same size and place, so one net serves the first look and the second.
"""

from __future__ import annotations

import numpy as np
from mien.arrays import Matrix, Points
from mien.geometry import align_unit, level_of_five, square_matrix, unit
from mien.types import Detection

SIDE = 96
# Side of the square, as a multiple of the longer side of the upright box around the 68 points.
MARGIN = 1.35
# From a detector's box to that square; measured on 1,700 portraits and the boxes of two detectors.
_BOX_MARGIN = 0.873 * MARGIN
_BOX_DROP = 0.156  # the points reach from the brows to the chin, a box from the forehead


def box_matrix(detection: Detection, margin: float = 1.0) -> Matrix:
    """(2, 3) frame to crop from a detection's box, upright by its five points where it has them.

    margin  how much more than usual is shown
    """
    x0, y0, x1, y1 = detection.box
    size = (x1 - x0 + y1 - y0) / 2
    across = np.array([1.0, 0.0])
    if detection.points5 is not None:
        across = level_of_five(detection.points5)
    down = np.array([-across[1], across[0]])
    centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2]) + _BOX_DROP * size * down
    return square_matrix(centre, margin * _BOX_MARGIN * size, across, SIDE)


def points_matrix(points: Points) -> Matrix:
    """(2, 3) frame to crop, around 68 points in frame pixels, upright by them."""
    try:
        across = align_unit(points)[0, :2]
    except ValueError:  # all on one line: no face, but still an answer for this row of the batch
        across = np.array([1.0, 0.0])
    across = unit(across)
    turn = np.array([across, (-across[1], across[0])])
    level = points.astype(np.float64) @ turn.T
    low, high = level.min(axis=0), level.max(axis=0)
    centre = turn.T @ ((low + high) / 2)
    return square_matrix(centre, MARGIN * float((high - low).max()), across, SIDE)
