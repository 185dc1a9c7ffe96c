"""From heat maps to points, all maps at once.

Maps are (..., 64, 64); points come as (..., 2) x, y in units of the crop, 0 at its one edge and 1
at the other.  The decoders differ in what they make of the cells around the highest one:

`dark`           Taylor's fit to the blurred logarithm of the map, about the middle of the cell
`deepfacelab`    a quarter of a cell toward the higher neighbour, about the middle
`faceswap`       the neighbours' difference over their sum, half a cell at most, about the middle
`faceswap-dark`  as `dark`, without the half cell: 2 pixels of 256 up and left of the others

face-alignment decodes as `deepfacelab` does, and then cuts the picture's points to whole pixels.
Source: Zhang et al. 2020 (DARK), and the sheets' account of the programs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]

_BLUR = 5  # cells on each side that the blur reaches
_REACH = 2  # cells on each side that the derivatives need


def peaks(maps: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Column, row and height of each map's highest cell, the first of equals in reading order."""
    side = maps.shape[-1]
    flat = maps.reshape(*maps.shape[:-2], side * side)
    best = flat.argmax(axis=-1)
    heights = np.take_along_axis(flat, best[..., None], axis=-1)[..., 0]
    rows, columns = np.divmod(best, side)
    return columns, rows, heights


def quarter(maps: Floats) -> Floats:
    """`deepfacelab`."""
    x, y, _ = peaks(maps)
    last = maps.shape[-1] - 1
    inside = (x > 0) & (x < last) & (y > 0) & (y < last)
    across = np.sign(_beside(maps, x, y, 1, 0) - _beside(maps, x, y, -1, 0))
    down = np.sign(_beside(maps, x, y, 0, 1) - _beside(maps, x, y, 0, -1))
    moved = np.where(inside[..., None], 0.25 * np.stack([across, down], axis=-1), 0.0)
    found: Floats = (np.stack([x, y], axis=-1) + moved + 0.5) / maps.shape[-1]
    return found


def difference(maps: Floats) -> Floats:
    """`faceswap`."""
    x, y, _ = peaks(maps)
    moved = []
    for dx, dy in ((1, 0), (0, 1)):
        after, before = _beside(maps, x, y, dx, dy), _beside(maps, x, y, -dx, -dy)
        moved.append(np.clip((after - before) / (after + before + 1e-6), -0.5, 0.5))
    found: Floats = (np.stack([x, y], axis=-1) + np.stack(moved, axis=-1) + 0.5) / maps.shape[-1]
    return found


def dark(maps: Floats) -> Floats:
    """`dark`: where the fit has no summit within a cell and a half, the cell's middle stays."""
    cells, offsets, summit = _taylor(maps)
    near = summit & (np.abs(offsets) <= 1.5).all(axis=-1)
    found: Floats = (cells + np.where(near[..., None], offsets, 0.0) + 0.5) / maps.shape[-1]
    return found


def faceswap_dark(maps: Floats) -> Floats:
    """`faceswap-dark`: whatever the fit says is taken."""
    cells, offsets, _ = _taylor(maps)
    found: Floats = (cells + offsets) / maps.shape[-1]
    return found


DECODERS: dict[str, Callable[[Floats], Floats]] = {
    "dark": dark,
    "deepfacelab": quarter,
    "face-alignment": quarter,
    "faceswap": difference,
    "faceswap-dark": faceswap_dark,
}


def _taylor(maps: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """(highest cells, offsets to the summit, whether it is one), of blurred logarithms."""
    x, y, heights = peaks(maps)
    empty = heights <= 0
    x, y = np.where(empty, 0, x), np.where(empty, 0, y)
    last = maps.shape[-1] - 1
    near = _blurred(maps, np.clip(x, _REACH, last - _REACH), np.clip(y, _REACH, last - _REACH))
    near *= (heights / (near.max(axis=(-2, -1)) + 1e-8))[..., None, None]
    log = np.log(np.maximum(near, 1e-10))
    middle = log[..., 2, 2]
    dx = 0.5 * (log[..., 2, 3] - log[..., 2, 1])
    dy = 0.5 * (log[..., 3, 2] - log[..., 1, 2])
    dxx = 0.25 * (log[..., 2, 4] - 2 * middle + log[..., 2, 0])
    dyy = 0.25 * (log[..., 4, 2] - 2 * middle + log[..., 0, 2])
    dxy = 0.25 * (log[..., 3, 3] - log[..., 1, 3] - log[..., 3, 1] + log[..., 1, 1])
    det = dxx * dyy - dxy * dxy
    offsets = np.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], axis=-1)
    offsets /= (det + 1e-8)[..., None]
    return np.stack([x, y], axis=-1), offsets, (det > 0) & (dxx < 0)


def _blurred(maps: Floats, x: NDArray[np.int64], y: NDArray[np.int64]) -> Floats:
    """(..., 5, 5) float64 around cells, of the map blurred by 11 x 11 cells over zeros."""
    side, reach = maps.shape[-1], _BLUR + _REACH
    steps = np.arange(-reach, reach + 1)
    rows, columns = y[..., None] + steps, x[..., None] + steps
    outside_y, outside_x = (rows < 0) | (rows >= side), (columns < 0) | (columns >= side)
    index = np.clip(rows, 0, side - 1)[..., :, None] * side
    index = index + np.clip(columns, 0, side - 1)[..., None, :]
    flat = maps.reshape(*maps.shape[:-2], side * side)
    patch = np.take_along_axis(flat, index.reshape(*x.shape, -1), axis=-1)
    patch = patch.reshape(*x.shape, len(steps), len(steps)).astype(np.float64)
    patch[outside_y[..., :, None] | outside_x[..., None, :]] = 0
    blurred: Floats = _BLUR_ROWS @ patch @ _BLUR_ROWS.T
    return blurred


def _blur_rows() -> Floats:
    """(5, 15): each row blurs eleven of fifteen cells, with sigma 2."""
    steps = np.arange(-_BLUR, _BLUR + 1)
    kernel = np.exp(-(steps**2) / 8.0)
    kernel /= kernel.sum()
    rows = np.zeros((2 * _REACH + 1, 2 * (_BLUR + _REACH) + 1))
    for row in range(len(rows)):
        rows[row, row : row + len(kernel)] = kernel
    return rows


_BLUR_ROWS = _blur_rows()


def _beside(maps: Floats, x: NDArray[np.int64], y: NDArray[np.int64], dx: int, dy: int) -> Floats:
    """The values of the cells beside (x, y), the border's own where there is none."""
    side = maps.shape[-1]
    flat = maps.reshape(*maps.shape[:-2], side * side)
    index = np.clip(y + dy, 0, side - 1) * side + np.clip(x + dx, 0, side - 1)
    return np.take_along_axis(flat, index[..., None], axis=-1)[..., 0]
