"""From the net's numbers to boxes in the picture that it saw.  numpy only."""

from __future__ import annotations

import functools
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Shapes: TypeAlias = tuple[tuple[int, int], ...]

CENTRE_VARIANCE, SIZE_VARIANCE = np.float32(0.1), np.float32(0.2)
SMALLEST_SIDE = 32


def map_shapes(height: int, width: int) -> Shapes:
    """(rows, columns) of the six maps of a picture."""
    fine = [(height // step, width // step) for step in (4, 8, 16)]
    # fc6 pads by three: its map is four cells larger than the picture's.
    coarse = [(height // 32 + 4, width // 32 + 4)]
    for _ in range(2):
        rows, columns = coarse[-1]
        coarse.append((-(-rows // 2), -(-columns // 2)))
    return (*fine, *coarse)


@functools.lru_cache(maxsize=8)
def make_priors(shapes: Shapes) -> Floats:
    """Anchors of six maps: (K, 3) centre x, centre y, side in pixels, over level, row, column."""
    levels = []
    for level, (rows, columns) in enumerate(shapes):
        step = 4 << level
        prior = np.empty((rows, columns, 3), np.float32)
        prior[..., 0] = (np.arange(columns) + 0.5) * step
        prior[..., 1] = ((np.arange(rows) + 0.5) * step)[:, None]
        prior[..., 2] = 4 * step
        levels.append(prior.reshape(-1, 3))
    priors = np.concatenate(levels)
    priors.setflags(write=False)
    return priors


def decode_boxes(offsets: Floats, priors: Floats) -> Floats:
    """(K, 4) boxes x0, y0, x1, y1 in pixels of the fed picture."""
    side = priors[:, 2:]
    centre = priors[:, :2] + CENTRE_VARIANCE * offsets[:, :2] * side
    size = side * np.exp(SIZE_VARIANCE * offsets[:, 2:])
    low = centre - size / 2
    return np.concatenate([low, low + size], axis=1)
