"""From the net's scores to masks of the crop's size.  numpy only."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@functools.lru_cache(maxsize=16)
def between(small: int, large: int) -> tuple[NDArray[np.int64], Floats]:
    """For each of `large` places, the lower of its two neighbours among `small`, and its distance
    from it: linear interpolation that puts corners on corners."""
    place = np.arange(large) * ((small - 1) / max(large - 1, 1))
    low = np.minimum(place.astype(np.int64), max(small - 2, 0))
    return low, (place - low).astype(np.float32)


def enlarging(small: int, large: int) -> Floats:
    """The same as a matrix (large, small), for those who want to multiply."""
    low, part = between(small, large)
    rows = np.arange(large)
    matrix = np.zeros((large, small), np.float32)
    matrix[rows, low] = 1 - part
    matrix[rows, np.minimum(low + 1, small - 1)] += part
    return matrix


def enlarge(maps: Floats, size: int) -> Floats:
    """Maps (..., h, w) as (..., size, size), as torch's bilinear `align_corners` does it.

    Not by products of matrices: numpy would wake its own threads for them, beside those that the
    runner has.
    """
    low, part = between(maps.shape[-2], size)
    high = np.minimum(low + 1, maps.shape[-2] - 1)
    first = maps[..., low, :]
    tall = first + (maps[..., high, :] - first) * part[:, None]
    low, part = between(maps.shape[-1], size)
    high = np.minimum(low + 1, maps.shape[-1] - 1)
    first = tall[..., low]
    return np.asarray(first + (tall[..., high] - first) * part, np.float32)


def soft_mask(scores: Floats, chosen: NDArray[np.bool_], size: int) -> Floats:
    """Probability that a pixel is of one of the chosen classes.

    scores  (N, classes, h, w) before the soft-max;  chosen  (classes,).  Returns (N, size, size).

    The odds are taken at the net's size and enlarged, not the classes: the same but where three
    classes meet within a cell, and many times quicker than a soft-max over every pixel.
    """
    if chosen.all() or not chosen.any():
        return np.full((len(scores), size, size), float(chosen.all()), np.float32)
    odds = enlarge(_log_sum(scores[:, chosen]) - _log_sum(scores[:, ~chosen]), size)
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -60, 60))), np.float32)


def hard_mask(scores: Floats, chosen: NDArray[np.bool_], size: int) -> Floats:
    """1 where the likeliest class is a chosen one, else 0, as the published code decides."""
    likeliest = enlarge(scores, size).argmax(axis=1)
    return np.asarray(chosen[likeliest], np.float32)


def _log_sum(scores: Floats) -> Floats:
    """Logarithm of the summed exponentials over the classes: (N, h, w)."""
    top = scores.max(axis=1, keepdims=True)
    return np.asarray(np.log(np.exp(scores - top).sum(axis=1)) + top[:, 0], np.float32)
