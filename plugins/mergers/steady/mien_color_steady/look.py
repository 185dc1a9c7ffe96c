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

_ROUNDS = 4
_NOISE = 2.0  # Lab units within which pixels agree; less would follow noise
_FLAT = 0.25  # Lab variance added to both pictures: what varies less is no contrast

Rows = NDArray[np.float32]
Matrix3 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """A face in one frame, as rows of a tiny picture.

    swap, plate  (P, 3) BGR 0..1;  plate_lab  (P, 3)
    seen         (P,) 0..1, how much of a pixel is shown of the swap; elsewhere there is no picture
    weight       (P,) 0..1, the same times trust, 0 where something hides the face
    spreads      covariances (3, 3) of swap and plate in BGR, of the pixels that are trusted
    """

    swap: Rows
    plate: Rows
    plate_lab: Rows
    seen: Rows
    weight: Rows
    spreads: tuple[Matrix3, Matrix3]


def look_at(pair: ColorPair, erode: float) -> Look | None:
    """The look of a face, or None where nothing of it is seen.

    erode  share of the crop's side by which the area's edge is left out, where enough remains
    """
    area = _core(pair.area, erode)
    small: Rows = cv2.resize(area, (GRID, GRID), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    seen = small.ravel()
    if not seen.any():
        return None
    swap, plate = (_tiny(each, area, seen) for each in (pair.swap, pair.plate))
    swap_lab, plate_lab = (to_lab(each[None])[0] for each in (swap, plate))
    weight = seen * _trust(swap_lab, plate_lab, seen)
    return Look(
        swap=swap,
        plate=plate,
        plate_lab=plate_lab,
        seen=seen,
        weight=weight,
        spreads=(_covariance(swap, weight), _covariance(plate, weight)),
    )


def robust_mean(rows: Rows, weight: Rows, noise: float) -> tuple[NDArray[np.float32], Rows]:
    """Where most rows (P, C) lie, and how far each belongs to them (P,), 0..1.

    noise  within which rows agree whatever the others do
    Rows far from the rest, a hand before the face or a mouth that opens, do not count.  Source:
    the M-estimator of Geman and McClure, by reweighting; begins at the median.
    """
    seen = weight > 0
    centre = np.median(rows[seen], axis=0)
    for _ in range(_ROUNDS):
        trust = _belonging(rows - centre, seen, noise)
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
        gain = np.sqrt((spreads[1] ** 2 + _FLAT) / (spreads[0] ** 2 + _FLAT)).astype(np.float32)
        trust = _belonging((plate - places[1]) - gain * (swap - places[0]), seen, _NOISE)
        share = weight * trust / np.sum(weight * trust)
        places = [share @ each for each in (swap, plate)]
        spreads = [
            np.sqrt(share @ np.square(each - place))
            for each, place in zip((swap, plate), places, strict=True)
        ]
    return trust


def _belonging(away: Rows, seen: NDArray[np.bool_], noise: float) -> Rows:
    """1 for rows (P, C) near 0, falling towards 0 beyond where most of the seen ones lie."""
    squares = np.sum(np.square(away), axis=1)
    scale = np.float32(max(noise**2, 2 * float(np.median(squares[seen]))))
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
    """BGR rows (P, 3) of the mean colours inside the area."""
    sums = cv2.resize(image * area[..., None], (GRID, GRID), interpolation=cv2.INTER_AREA)
    means = sums / np.maximum(weight.reshape(GRID, GRID, 1), np.float32(1e-6))
    return means.reshape(-1, 3).astype(np.float32, copy=False)


def _covariance(rows: Rows, weight: Rows) -> Matrix3:
    """Weighted covariance (3, 3) of rows (P, 3)."""
    share = weight.astype(np.float64) / weight.sum(dtype=np.float64)
    away = rows - share @ rows
    made: Matrix3 = (away * share[:, None]).T @ away
    return made
