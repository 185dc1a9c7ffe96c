"""From the 468 points of the mesh to the 68 of iBUG.

Most of the 68 are points of the mesh.  Those that are not lie on a line of the mesh: the jaw from
each temple to the chin and the ridge of the nose are divided into even steps, two points of the
lower lip lie between neighbours.
"""

from __future__ import annotations

import numpy as np
from mien.arrays import Points
from numpy.typing import NDArray

MESH_POINTS = 468
EYE_CORNERS = (33, 263)  # the outer ones, the one on the picture's left first

_LEFT_JAW = (127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152)
_RIGHT_JAW = (152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356)
_NOSE_RIDGE = (168, 6, 197, 195, 5, 4)
# 17..26 brows, 31..35 nostrils, 36..47 eyes, 48..59 outer lips, 60..67 inner lips.
# A pair stands for the point between the two.
_SINGLE: tuple[int | tuple[int, int], ...] = (
    *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300),
    *(98, 97, 2, 326, 327),
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),
    *(61, 40, 37, 0, 267, 270, 291, 321, (405, 314), 17, (181, 84), 91),
    *(78, 81, 13, 311, 308, 402, 14, 178),
)
_PAIRS = np.array([each if isinstance(each, tuple) else (each, each) for each in _SINGLE])


def to_ibug(mesh: NDArray[np.float64]) -> Points:
    """(68, 2) float32 of one face, from mesh points (468, 2) in the same pixels."""
    left = divide_evenly(mesh[list(_LEFT_JAW)], 9)
    right = divide_evenly(mesh[list(_RIGHT_JAW)], 9)
    ridge = divide_evenly(mesh[list(_NOSE_RIDGE)], 4)
    single = mesh[_PAIRS].mean(axis=1)
    return np.concatenate([left, right[1:], single[:10], ridge, single[10:]]).astype(np.float32)


def divide_evenly(line: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """`count` points at even distances along a line of points (N, 2), both ends included."""
    steps = np.linalg.norm(np.diff(line, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.linspace(0, along[-1], count)
    return np.stack([np.interp(wanted, along, line[:, axis]) for axis in (0, 1)], axis=1)
