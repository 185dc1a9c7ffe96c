"""From the net's scores to masks of the crop's size."""

from __future__ import annotations

import functools

import cv2
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
    runner has.  Columns come first, while there are few rows: picking them costs most.
    """
    low, part = between(maps.shape[-1], size)
    high = np.minimum(low + 1, maps.shape[-1] - 1)
    wide = np.take(maps, high, axis=-1)
    first = np.take(maps, low, axis=-1)
    wide -= first
    wide *= part
    wide += first
    low, part = between(maps.shape[-2], size)
    high = np.minimum(low + 1, maps.shape[-2] - 1)
    first = np.take(wide, low, axis=-2)
    large = np.take(wide, high, axis=-2)
    large -= first
    large *= part[:, None]
    large += first
    return np.asarray(large, np.float32)


def soft_mask(scores: Floats, chosen: NDArray[np.bool_], size: int) -> Floats:
    """Probability that a pixel is of one of the chosen classes.

    scores  (N, classes, h, w) before the soft-max;  chosen  (classes,).  Returns (N, size, size).

    The odds are taken at the net's size and enlarged, not the classes: the same but where three
    classes meet within a cell, and many times quicker than a soft-max over every pixel.
    """
    if chosen.all() or not chosen.any():
        return np.full((len(scores), size, size), float(chosen.all()), np.float32)
    against = _log_sum(scores[:, ~chosen]) - _log_sum(scores[:, chosen])
    masks = np.empty((len(scores), size, size), np.float32)
    for odds, mask in zip(against, masks, strict=True):  # one by one they stay in the cache
        large = np.minimum(enlarge(odds, size), 60)  # more would overflow
        cv2.exp(large, large)
        large += 1
        np.reciprocal(large, out=mask)
    return masks


def hard_mask(scores: Floats, chosen: NDArray[np.bool_], size: int) -> Floats:
    """1 where the likeliest class is a chosen one, else 0, as the published code decides.

    Scores are enlarged only where their four neighbours do not decide by themselves.
    """
    if chosen.all() or not chosen.any():
        return np.full((len(scores), size, size), float(chosen.all()), np.float32)
    return np.stack([_hard_mask(each, chosen, size) for each in scores])


def _hard_mask(scores: Floats, chosen: NDArray[np.bool_], size: int) -> Floats:
    """(size, size) of one picture's scores (classes, h, w)."""
    for axis in (1, 2):  # cells lie between two rows and two columns
        if scores.shape[axis] == 1:
            scores = scores.repeat(2, axis=axis)
    height, width = scores.shape[1] - 1, scores.shape[2] - 1
    corners = np.stack(
        [scores[:, i : i + height, j : j + width] for i in (0, 1) for j in (0, 1)]
    ).reshape(4, len(scores), -1)
    # In its cell a class is never less likely than at its least corner, nor more than at its most.
    least, most = corners.min(axis=0), corners.max(axis=0)
    inside = least[chosen].max(axis=0) > most[~chosen].max(axis=0)
    unsure = ~inside & (least[~chosen].max(axis=0) <= most[chosen].max(axis=0))
    (top, down), (left, across) = between(height + 1, size), between(width + 1, size)
    cells = ((top * width)[:, None] + left).ravel()
    mask = inside.astype(np.float32).take(cells)
    pixels = np.flatnonzero(unsure.take(cells))
    y, x = np.divmod(pixels, size)
    cell, down, across = cells.take(pixels), down.take(y), across.take(x)
    rivals = most >= least.max(axis=0)
    best = np.full(len(cell), -np.inf, np.float32)
    won = np.zeros(len(cell), np.float32)
    for number, is_chosen in enumerate(chosen):  # of equal classes the first wins
        where = np.flatnonzero(rivals[number].take(cell))
        here, right, low = cell[where], across[where], down[where]
        a, b, c, d = (corner.take(here) for corner in corners[:, number])
        upper, lower = a + (b - a) * right, c + (d - c) * right
        score = upper + (lower - upper) * low
        better = score > best[where]
        best[where[better]] = score[better]
        won[where[better]] = is_chosen
    mask[pixels] = won
    return np.asarray(mask.reshape(size, size), np.float32)


def _log_sum(scores: Floats) -> Floats:
    """Logarithm of the summed exponentials over the classes: (N, h, w)."""
    top = scores.max(axis=1)
    raised = scores - top[:, None]
    np.exp(raised, out=raised)
    return np.asarray(np.log(raised.sum(axis=1)) + top, np.float32)
