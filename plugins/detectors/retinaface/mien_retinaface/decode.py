"""From the net's numbers to boxes: anchors and decoding.  numpy only."""

from __future__ import annotations

import functools
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
MinSizes: TypeAlias = tuple[tuple[int, ...], ...]

STEPS = (8, 16, 32)
CENTRE_VARIANCE, SIZE_VARIANCE = np.float32(0.1), np.float32(0.2)


@functools.lru_cache(maxsize=8)
def make_priors(height: int, width: int, min_sizes: MinSizes) -> Floats:
    """Anchors of a picture: (K, 4) centre x, centre y, width, height as parts of the picture.

    The order is level, row, column, size, as the heads give their numbers.
    """
    levels = []
    for step, sizes in zip(STEPS, min_sizes, strict=True):
        rows, columns = -(-height // step), -(-width // step)
        prior = np.empty((rows, columns, len(sizes), 4))
        prior[..., 0] = ((np.arange(columns) + 0.5) * step / width)[None, :, None]
        prior[..., 1] = ((np.arange(rows) + 0.5) * step / height)[:, None, None]
        prior[..., 2] = np.asarray(sizes) / width
        prior[..., 3] = np.asarray(sizes) / height
        levels.append(prior.reshape(-1, 4))
    priors = np.concatenate(levels).astype(np.float32)
    priors.setflags(write=False)
    return priors


def decode_boxes(offsets: Floats, priors: Floats) -> Floats:
    """(K, 4) boxes x0, y0, x1, y1 as parts of the picture."""
    centre = priors[:, :2] + offsets[:, :2] * CENTRE_VARIANCE * priors[:, 2:]
    size = priors[:, 2:] * np.exp(offsets[:, 2:] * SIZE_VARIANCE)
    low = centre - size / 2
    return np.concatenate([low, low + size], axis=1)


def decode_points(offsets: Floats, priors: Floats) -> Floats:
    """(K, 5, 2) points as parts of the picture."""
    moves = offsets.reshape(-1, 5, 2) * CENTRE_VARIANCE * priors[:, None, 2:]
    return priors[:, None, :2] + moves


def drop_inner(boxes: Floats, share: float) -> NDArray[np.intp]:
    """Which boxes (best first) stay when those go that lie by more than `share` of their own area
    in a better one that stays: parts of a large face that look like a face."""
    low, high = boxes[:, :2], boxes[:, 2:]
    areas = np.prod(high - low, axis=1)
    stays = np.ones(len(boxes), bool)
    for place in range(len(boxes)):
        if stays[place]:
            inside = np.minimum(high[place], high[place + 1 :]) - np.maximum(
                low[place], low[place + 1 :]
            )
            shared = np.prod(np.maximum(inside, 0), axis=1)
            stays[place + 1 :] &= shared <= share * areas[place + 1 :]
    return np.flatnonzero(stays)
