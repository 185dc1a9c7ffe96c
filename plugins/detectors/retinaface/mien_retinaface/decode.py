"""From the net's numbers to boxes: anchors, decoding, non-maximum suppression.  numpy only."""

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


def suppress(boxes: Floats, scores: Floats, overlap: float, *, plus_one: bool = False) -> list[int]:
    """Greedy non-maximum suppression: indices of the boxes that stay, best first.

    overlap   a box goes where its intersection over union with a better one is above this
    plus_one  count pixels as the published code does, with areas of (x1 - x0 + 1)(y1 - y0 + 1)
    """
    extra = np.float32(plus_one)
    low, high = boxes[:, :2], boxes[:, 2:]
    areas = np.prod(high - low + extra, axis=1)
    # NumPy's reversed ascending order is the published tie rule: of equal scores, the later box.
    order = np.argsort(scores, kind="stable")[::-1]
    kept = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        shared = np.minimum(high[best], high[rest]) - np.maximum(low[best], low[rest]) + extra
        inside = np.prod(np.maximum(shared, 0), axis=1)
        order = rest[inside / (areas[best] + areas[rest] - inside) <= overlap]
    return kept
