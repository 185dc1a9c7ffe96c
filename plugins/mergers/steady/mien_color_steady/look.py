"""What is kept of a face in one frame: two tiny pictures, and how far each pixel can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from mien.arrays import Image, Mask
from mien.colour.lab import to_lab
from mien.stages import ColorPair
from numpy.typing import NDArray

GRID = 32
"""Pixels a side: colours, no features.  A face's crop puts the same part of it at the same place
in every frame."""

RIDGE = 0.25
"""Lab variance that is added to both pictures: what varies less is no contrast to be matched."""

_ROUNDS = 4
_LEAST_SCALE = 2.0  # Lab units within which pixels agree; less would follow noise

Rows = NDArray[np.float32]
Matrix3 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """A face in one frame, as rows of a tiny picture.

    swap, plate  (P, 3) Lab;  weight  (P,) 0..1, 0 where the face is not seen or hidden
    spreads      covariances (3, 3) of swap and plate, of the pixels that are trusted
    """

    swap: Rows
    plate: Rows
    weight: Rows
    spreads: tuple[Matrix3, Matrix3]


def look_at(pair: ColorPair, erode: float) -> Look | None:
    """The look of a face, or None where nothing of it is seen.

    erode  share of the crop's side by which the area's edge is left out, where enough remains
    """
    area = _core(pair.area, erode)
    small: Rows = cv2.resize(area, (GRID, GRID), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    weight = small.ravel()
    if not weight.any():
        return None
    swap, plate = (_tiny(each, area, weight) for each in (pair.swap, pair.plate))
    weight = weight * _trust(swap, plate, weight)
    spreads = _covariance(swap, weight), _covariance(plate, weight)
    return Look(swap=swap, plate=plate, weight=weight, spreads=spreads)


def robust_mean(rows: Rows, weight: Rows) -> tuple[NDArray[np.float32], Rows]:
    """Where most rows (P, C) lie, and how far each belongs to them (P,), 0..1.

    Rows far from the rest, a hand before the face or a mouth that opens, do not count.  Source:
    the M-estimator of Geman and McClure, by reweighting; begins at the median.
    """
    seen = weight > 0
    centre = np.median(rows[seen], axis=0)
    for _ in range(_ROUNDS):
        trust = _belonging(rows - centre, seen)
        both = weight * trust
        centre = (both @ rows / both.sum()).astype(np.float32)
    return centre, trust


def _trust(swap: Rows, plate: Rows, weight: Rows) -> Rows:
    """How far each pixel of the plate is what the swap, moved and stretched, shows there (P,)."""
    seen = weight > 0
    places = [np.median(each[seen], axis=0) for each in (swap, plate)]
    spreads = [
        1.48 * np.median(np.abs(each[seen] - place), axis=0)
        for each, place in zip((swap, plate), places, strict=True)
    ]
    for _ in range(_ROUNDS):
        gain = np.sqrt((spreads[1] ** 2 + RIDGE) / (spreads[0] ** 2 + RIDGE)).astype(np.float32)
        trust = _belonging((plate - places[1]) - gain * (swap - places[0]), seen)
        share = weight * trust / np.sum(weight * trust)
        places = [share @ each for each in (swap, plate)]
        spreads = [
            np.sqrt(share @ np.square(each - place))
            for each, place in zip((swap, plate), places, strict=True)
        ]
    return trust


def _belonging(away: Rows, seen: NDArray[np.bool_]) -> Rows:
    """1 for rows (P, C) near 0, falling towards 0 beyond where most of the seen ones lie."""
    squares = np.sum(np.square(away), axis=1)
    scale = np.float32(max(_LEAST_SCALE**2, 2 * float(np.median(squares[seen]))))
    made: Rows = np.square(scale / (scale + squares))
    return made


def _core(area: Mask, erode: float) -> NDArray[np.float32]:
    """The inner part of an area (H, W): its edge jitters from frame to frame."""
    inside = (area[..., 0] >= 0.5).astype(np.uint8)
    reach = round(erode * min(inside.shape))
    if reach:
        kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
        inner = cv2.erode(inside, kernel)
        if 4 * np.count_nonzero(inner) >= np.count_nonzero(inside):
            inside = inner.astype(np.uint8, copy=False)
    return inside.astype(np.float32)


def _tiny(image: Image, area: NDArray[np.float32], weight: Rows) -> Rows:
    """Lab rows (P, 3) of the mean colours inside the area."""
    sums = cv2.resize(image * area[..., None], (GRID, GRID), interpolation=cv2.INTER_AREA)
    means = sums / np.maximum(weight.reshape(GRID, GRID, 1), np.float32(1e-6))
    return to_lab(means).reshape(-1, 3)


def _covariance(rows: Rows, weight: Rows) -> Matrix3:
    share = weight.astype(np.float64) / weight.sum(dtype=np.float64)
    away = rows - share @ rows
    made: Matrix3 = (away * share[:, None]).T @ away
    return made
