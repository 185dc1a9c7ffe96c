"""Where an aligner's net looks: a square in the frame, turned so that a face in it lies level."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import Matrix, Points
from .tables import MEAN_FACE

_MEAN5 = np.stack(
    [
        *(MEAN_FACE[first - 17 : last - 17].mean(axis=0) for first, last in ((36, 42), (42, 48))),
        *(MEAN_FACE[index - 17] for index in (30, 48, 54)),
    ]
).astype(np.float64)
"""Eyes, nose tip and mouth corners of the mean face."""


def level_of_five(points5: Points) -> NDArray[np.float64]:
    """Direction in the frame, length 1, that lies level in the face of a detector's five points.

    By the best similarity from the mean face; so it holds in profile, where the eyes fall together.
    """
    seen = points5.astype(np.float64) - points5.mean(axis=0)
    mean = _MEAN5 - _MEAN5.mean(axis=0)
    cosine = float((mean * seen).sum())
    sine = float((mean[:, 0] * seen[:, 1] - mean[:, 1] * seen[:, 0]).sum())
    return unit(np.array([cosine, sine]))


def unit(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """The direction (2,) at length 1; to the right where it has none."""
    length = float(np.hypot(*direction))
    return direction / length if np.isfinite(length) and length > 0 else np.array([1.0, 0.0])


def square_matrix(
    centre: NDArray[np.float64], side: float, across: NDArray[np.float64], size: int
) -> Matrix:
    """(2, 3) frame to a crop of `size` pixels: a square of `side` frame pixels around `centre`.

    across  direction in the frame, of any length, that lies level in the crop
    """
    cosine, sine = unit(across)
    scale = size / max(side, 1.0)  # a box of no size must not blow up
    linear = scale * np.array([[cosine, sine], [-sine, cosine]])
    return np.column_stack([linear, size / 2 - linear @ centre])
