"""Some faces for many: DeepFaceLab's best faces, and the few that cover all a set can show."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .distance import histogram_roots, unlikeness
from .table import Table

Places = NDArray[np.int64]

_YAW_BINS = 128
_WIDEST_YAW = 1.2
_SPARE = 10
_STEPS = {"yaw": 0.26, "pitch": 0.17, "mouth": 0.2, "eyes": 0.06, "light": 25.0, "shade": 0.2}
"""Differences between two faces that count alike: 15 and 10 degrees, and so on."""
_LEAST_SHARP = 0.25


def best_faces(
    yaw: NDArray[np.float64],
    pitch: NDArray[np.float64],
    sharp: NDArray[np.float64],
    counts: NDArray[np.uint32],
    target: int,
) -> tuple[Places, Places]:
    """The best faces as DeepFaceLab chooses them: evenly over yaw and pitch, sharp, unlike.

    yaw, pitch  (N,), radians;  sharp  (N,), larger is better;  counts  (N, 256) of grey
    target      about how many to keep.  Returns places kept and left, in the original's order; but
    where the original keeps none (64 or fewer), every yaw keeps its best.
    """
    edges = np.linspace(-_WIDEST_YAW, _WIDEST_YAW, _YAW_BINS)
    bin_of = np.searchsorted(edges[1:], -yaw, side="right")
    bins = [np.flatnonzero(bin_of == number) for number in range(_YAW_BINS)]
    share = round(target / _YAW_BINS)
    share += sum(max(share - len(each), 0) for each in bins) // _YAW_BINS
    share = max(1, share)
    kept: list[int] = []
    left: list[int] = []
    rest: list[int] = []
    steps = np.linspace(-np.pi / 2, np.pi / 2, share)
    roots = histogram_roots(counts)
    for places in bins:
        by_sharpness = places[np.argsort(-sharp[places], kind="stable")]
        left += by_sharpness[_SPARE * share :].tolist()
        chosen = by_sharpness[: _SPARE * share]
        row_of = np.searchsorted(steps[1:], pitch[chosen], side="right")
        rows = []
        for number in range(share):
            members = chosen[row_of == number]
            unlike = unlikeness(roots[members])
            rows.append(members[np.argsort(-unlike, kind="stable")].tolist())
        taken = 0
        while taken < share and any(rows):
            for row in rows:
                if row and taken < share:
                    kept.append(row.pop(0))
                    taken += 1
        for row in rows:
            rest += row
    return np.array(kept, np.int64), np.array(left + rest, np.int64)


COVERING = (*_STEPS, "blur")
"""The columns that `covering_faces` looks at."""


def expression_space(table: Table) -> NDArray[np.float64]:
    """Pose, expression and light as places, so that 1 apart is as far as a model notices.  # (N, 6)

    What is unknown of a face counts as the middle of the set.
    """
    columns = []
    for name, step in _STEPS.items():
        values = np.asarray(table[name], np.float64)
        known = np.isfinite(values)
        middle = float(np.median(values[known])) if known.any() else 0.0
        columns.append(np.where(known, values, middle) / step)
    return np.stack(columns, axis=1)


def covering_faces(table: Table, count: int) -> Places:
    """`count` faces that together show most of what the set shows, sharp ones first.

    Begins at the sharpest of the faces near the middle; then takes, again and again, the face
    farthest from all taken ones, where a blurred face counts as nearer.
    """
    total = len(table)
    if count >= total:
        return np.arange(total)
    places = expression_space(table)
    sharp = np.nan_to_num(table["blur"])
    ranks = np.searchsorted(np.sort(sharp), sharp, side="right") / total
    ranks = _LEAST_SHARP + (1 - _LEAST_SHARP) * ranks
    middle = np.linalg.norm(places - np.median(places, axis=0), axis=1)
    taken = [int(np.argmax(ranks / (1 + middle)))]
    away = np.full(total, np.inf)
    for _ in range(count - 1):
        away = np.minimum(away, np.linalg.norm(places - places[taken[-1]], axis=1))
        away[taken[-1]] = -1  # of a face that is taken, its copies keep 0
        taken.append(int(np.argmax(away * ranks)))
    return np.array(taken, np.int64)
