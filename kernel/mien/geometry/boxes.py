"""Boxes: how much two of them share, and which of many are the same face.  numpy only.

Boxes are (N, 4): x0, y0, x1, y1 in any unit.  `plus_one` counts pixels as most published detectors
do, with areas of (x1 - x0 + 1)(y1 - y0 + 1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Boxes: TypeAlias = NDArray[Any]


def iou(first: Boxes, second: Boxes, *, plus_one: bool = False) -> NDArray[Any]:
    """Intersection over union of every pair: (N, M); 0 where both boxes are empty."""
    extra = first.dtype.type(plus_one)
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    inside = np.prod(np.maximum(high - low + extra, 0), axis=2)
    union = _areas(first, extra)[:, None] + _areas(second, extra)[None] - inside
    shares: NDArray[Any] = np.divide(inside, union, out=np.zeros_like(inside), where=union > 0)
    return shares


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def suppress(boxes: Boxes, scores: Boxes, overlap: float, *, plus_one: bool = False) -> list[int]:
    """Greedy non-maximum suppression: indices of the boxes that stay, best first.

    overlap  a box goes where its intersection over union with a better one is above this
    """
    return [group[0] for group in clusters(boxes, scores, overlap, plus_one=plus_one)]


def clusters(
    boxes: Boxes, scores: Boxes, overlap: float, *, plus_one: bool = False
) -> list[list[int]]:
    """Boxes that mean the same face, by greedy suppression: each group begins with the box that
    stays and goes on with those that fall to it, best first."""
    # NumPy's reversed ascending order is the published tie rule: of equal scores, the later box.
    order = np.argsort(scores, kind="stable")[::-1]
    extra = boxes.dtype.type(plus_one)
    alike = _pairs if len(boxes) <= _AT_ONCE else _rows
    same = alike(boxes[order], overlap, extra)
    left = np.ones(len(boxes), bool)
    groups = []
    while left.any():
        best = int(left.argmax())
        fallen = same(best) & left
        fallen[best] = True
        groups.append(order[fallen].tolist())
        left &= ~fallen
    return groups


_AT_ONCE = 512
"""Boxes of which all pairs are compared at once; with more of them that takes too much memory."""


def _pairs(boxes: Boxes, overlap: float, extra: Any) -> Callable[[int], NDArray[np.bool_]]:
    """For each box, which others mean the same face; all pairs are compared now."""
    same = _same(boxes[:, None], boxes[None], overlap, extra)
    return lambda place: same[place]


def _rows(boxes: Boxes, overlap: float, extra: Any) -> Callable[[int], NDArray[np.bool_]]:
    """As `_pairs`, each compared when it is asked for."""
    return lambda place: _same(boxes[place], boxes, overlap, extra)


def _same(first: Boxes, second: Boxes, overlap: float, extra: Any) -> NDArray[np.bool_]:
    wide = np.minimum(first[..., 2], second[..., 2]) - np.maximum(first[..., 0], second[..., 0])
    high = np.minimum(first[..., 3], second[..., 3]) - np.maximum(first[..., 1], second[..., 1])
    inside = np.maximum(wide + extra, 0) * np.maximum(high + extra, 0)
    # Compared without a division: two boxes of no area share nothing.
    shared: NDArray[np.bool_] = inside > overlap * (
        _areas(first, extra) + _areas(second, extra) - inside
    )
    return shared


def vote(
    boxes: Boxes, scores: Boxes, overlap: float, *, plus_one: bool = False
) -> tuple[Boxes, NDArray[Any]]:
    """Suppression with box voting: the boxes that stay and their scores, best first.

    A winner takes the mean, weighted by score, of the boxes that fell to it; its own box is left
    out of the mean, its score stays.  Source: the sheets' account of faceswap's S3FD.
    """
    groups = clusters(boxes, scores, overlap, plus_one=plus_one)
    voted = np.empty((len(groups), 4), boxes.dtype)
    for row, (best, *fallen) in enumerate(groups):
        weights = scores[fallen]
        voted[row] = (
            (boxes[fallen] * weights[:, None]).sum(0) / weights.sum() if fallen else (boxes[best])
        )
    return voted, scores[[group[0] for group in groups]]


def _areas(boxes: Boxes, extra: Any) -> NDArray[Any]:
    """Of boxes (..., 4)."""
    areas: NDArray[Any] = (boxes[..., 2] - boxes[..., 0] + extra) * (
        boxes[..., 3] - boxes[..., 1] + extra
    )
    return areas
