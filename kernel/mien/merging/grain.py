"""Grain: the plate's noise is measured, and the new face given what it lacks of it.

Noise is measured as a spectrum, not as one figure, so that coarse film grain stays coarse and the
blocky noise of a compressed clip is not answered with salt and pepper.  Its two costs are kept
small: only a few flat patches are measured, and random numbers are not drawn for every pixel but
cut from a sheet of them, at places that the frame's own generator draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..arrays import Image, Mask

_SIDE = 16  # of the patches in which noise is measured
_HALF = _SIDE // 2 + 1  # of a real picture's frequencies; the others say the same
_STEP = 8
_FLATTEST, _FEWEST = 48, 8
_SLOWEST = 1.5 / _SIDE  # cycles per pixel; below it lie shade and features, not only grain
_LUMA = np.array([[0.114, 0.587, 0.299], [-0.0813, -0.4187, 0.5], [0.5, -0.3313, -0.1687]])
_BACK = np.linalg.inv(_LUMA)
_SHEET, _TILE = 1024, 256
_REACH = 4  # of the filters, to each side
_UNSEEN = np.square([0.35 / 255, 0.3 / 255])  # noise below this is not answered; all below, none
_ALONG = np.fft.fftfreq(_SIDE)
_PACE = np.hypot(_ALONG[:, None], _ALONG)  # cycles per pixel
_SLOW = _PACE < _SLOWEST
_NEXT = ~_SLOW & (_PACE < 2.5 / _SIDE)  # the slowest that are measured
_TURNS = 2 * np.pi * np.outer(np.arange(_SIDE), _ALONG)
_WAVES = np.stack((np.cos(_TURNS), -np.sin(_TURNS)), axis=1).astype(np.float32)  # (16, 2, 16)
_BELL = np.outer(np.hanning(_SIDE + 2)[1:-1], np.hanning(_SIDE + 2)[1:-1])
_WINDOW = (_BELL / np.sqrt(np.square(_BELL).sum())).astype(np.float32)

Spectrum = NDArray[np.float64]
Plane = NDArray[np.float32]
Area = NDArray[np.bool_]


def noise_spectrum(image: Image, counted: Area) -> Spectrum | None:
    """Variance of the noise by frequency, in luma and two colour differences.

    image  (h, w, 3) float32 BGR 0..1;  counted  (h, w), pixels that may be measured
    Returns (3, 16, 16), frequencies as `np.fft.fft2` orders them, or None where there is too
    little to measure.  White noise of variance v gives v everywhere.
    """
    return _spectra(image, [counted])[0]


def add_grain(
    image: Image, plate: Image, alpha: Mask, share: float, rng: np.random.Generator
) -> Image:
    """The picture with the grain that the plate has and it lacks; itself where that is not seen.

    image, plate  (h, w, 3) float32 BGR 0..1;  alpha  (h, w, 1), where `image` is seen
    share  1 adds all that is missing, 2 twice as much;  rng  differs from frame to frame
    """
    import cv2

    seen = alpha[..., 0] > 0.5
    wanted, had = _noise_of_plate(plate, seen), noise_spectrum(image, seen)
    if wanted is None or had is None:
        return image
    missing = np.maximum(wanted - had - _UNSEEN[0], 0)
    if not missing.mean((1, 2)).sum() > _UNSEEN[1]:
        return image
    height, width = image.shape[:2]
    planes = [
        cv2.sepFilter2D(_white(height, width, rng), -1, row, column)
        for row, column in _filters(missing)
    ]
    grain = cv2.transform(cv2.merge(planes), (_BACK * share).astype(np.float32))
    grain += image
    return np.clip(grain, 0, 1, out=grain)


def _noise_of_plate(plate: Image, seen: Area) -> Spectrum | None:
    """The noise under the face or around it, plane by plane the lesser.

    Noise is everywhere; what only the one place has is hair, cloth or pores.
    """
    under, around = _spectra(plate, [seen, ~seen])
    if around is None:  # the box is full of face
        around = noise_spectrum(plate, np.ones_like(seen))
    if around is None or under is None:
        return around if under is None else under
    less = under.mean((1, 2), keepdims=True) < around.mean((1, 2), keepdims=True)
    return np.where(less, under, around)


def _filters(missing: Spectrum) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """For each plane the row and the column of the filter that makes white noise of its spectrum.

    Grain's filters are next to round, and such a one is all but a product of the two.
    """
    missing = (missing + missing[:, -np.arange(_SIDE) % _SIDE]) / 2  # grain has no slant
    # Grain goes on below what can be measured; white grain just so, coarse grain at least so.
    missing[:, _SLOW] = missing[:, _NEXT].min(1, keepdims=True)
    whole = np.fft.fftshift(np.fft.ifft2(np.sqrt(missing)).real, axes=(1, 2))
    reach = slice(_SIDE // 2 - _REACH, _SIDE // 2 + _REACH + 1)
    columns, _, rows = np.linalg.svd(whole[:, reach, reach])
    strength = np.sqrt(missing.mean((1, 2)))  # that of the whole filter
    return [(rows[n, 0] * strength[n], columns[n, :, 0]) for n in range(3)]


@lru_cache(maxsize=1)
def _sheet() -> Plane:
    """White noise of variance 1/2, drawn once: that takes longer than all the rest."""
    made = np.random.default_rng(0).standard_normal((_SHEET, _SHEET), dtype=np.float32)
    made *= np.float32(np.sqrt(0.5))
    made.setflags(write=False)
    return made


def _white(height: int, width: int, rng: np.random.Generator) -> Plane:
    """White noise of variance 1, of tiles that are each the sum of two pieces of the sheet.

    Tiles show no seams, since in white noise no pixel knows its neighbour; and where a piece comes
    twice by chance, the one it is added to differs.
    """
    made = np.empty((height, width), np.float32)
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            tile = made[top : top + _TILE, left : left + _TILE]
            join = np.subtract if rng.integers(2) else np.add
            join(_piece(tile, rng), _piece(tile, rng), out=tile)
    return made


def _piece(tile: Plane, rng: np.random.Generator) -> Plane:
    """A part of the sheet as large as the tile, from anywhere, upright or upside down."""
    y, x, flipped = rng.integers((_SHEET - _TILE + 1, _SHEET - _TILE + 1, 2)).tolist()
    part = _sheet()[y : y + tile.shape[0], x : x + tile.shape[1]]
    return part[::-1] if flipped else part


def _spectra(image: Image, areas: Sequence[Area]) -> list[Spectrum | None]:
    """The spectrum of the noise in each area, as `noise_spectrum` gives it."""
    if min(image.shape[:2]) < _SIDE:
        return [None] * len(areas)
    places = _flat_places(image, areas)
    views = np.lib.stride_tricks.sliding_window_view(image, (_SIDE, _SIDE), axis=(0, 1))
    views = views[::_STEP, ::_STEP]
    patches = views[np.unravel_index(np.concatenate(places), views.shape[:2])]
    luma = _LUMA.astype(np.float32) @ patches.reshape(-1, 3, _SIDE**2)
    luma = luma.reshape(patches.shape)
    luma -= luma.mean((2, 3), keepdims=True)
    luma *= _WINDOW
    powers = np.split(_power(luma), np.cumsum([len(each) for each in places])[:-1])
    return [_typical(each) if len(each) >= _FEWEST else None for each in powers]


def _power(patches: Plane) -> Plane:
    """Squared size of the Fourier transform; by matrices, a fifth of the time of `rfft2`.

    patches  (N, 3, 16, 16), under the window.  Returns (N, 3 * 9 * 16), slowest the width's.
    """
    wide = patches.reshape(-1, _SIDE) @ _WAVES[:, :, :_HALF].reshape(_SIDE, -1)
    wide = wide.reshape(-1, _SIDE, 2 * _HALF).swapaxes(1, 2).reshape(-1, _SIDE)
    both = (wide @ _WAVES.reshape(_SIDE, -1)).reshape(-1, 3, 2, _HALF, 2, _SIDE)
    power: Plane = np.square(both[:, :, 0, :, 0] - both[:, :, 1, :, 1])
    power += np.square(both[:, :, 0, :, 1] + both[:, :, 1, :, 0])
    return power.reshape(-1, 3 * _HALF * _SIDE)


def _typical(power: Plane) -> Spectrum:
    """The mean power of the noise, past the few patches that show a feature.

    The power of noise falls off exponentially, so its median is ln 2 of its mean.
    """
    count = len(power)
    ranked = np.sort(power.T, axis=1)
    middle = (ranked[:, (count - 1) // 2] + ranked[:, count // 2]) / (2 * np.log(2))
    half = middle.reshape(3, _HALF, _SIDE).swapaxes(1, 2).astype(np.float64)
    half[:, _SLOW[:, :_HALF]] = 0
    # A real picture's spectrum is the same at f and -f.
    mirrored = half[:, -np.arange(_SIDE) % _SIDE, _SIDE // 2 - 1 : 0 : -1]
    return np.concatenate((half, mirrored), axis=2)


def _flat_places(image: Image, areas: Sequence[Area]) -> list[NDArray[np.intp]]:
    """For each area the numbers of the patches with the least structure at a quarter of the size.

    A patch begins at every eighth pixel.  One that is not a number, or clipped, is never among
    them: clipped pixels show less noise than there is.
    """
    import cv2

    height, width = (side // _STEP * _STEP for side in image.shape[:2])
    grey = cv2.cvtColor(image[:height, :width], cv2.COLOR_BGR2GRAY)
    grey = cv2.resize(grey, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
    mean = _of_patches(grey)
    with np.errstate(invalid="ignore", over="ignore"):
        structure = _of_patches(np.square(grey - 0.5)) - np.square(mean - 0.5)
    fit = (mean > 0.03) & (mean < 0.97)
    found = []
    for area in areas:
        within = _of_patches(area[:height:4, :width:4].astype(np.float32)) == 1
        usable = np.flatnonzero(fit & within)
        few = min(_FLATTEST, max(len(usable) // 3, 1), len(usable))
        ranked = np.argsort(structure.take(usable), kind="stable")
        found.append(usable[ranked[:few]])
    return found


def _of_patches(quarter: Image) -> Image:
    """The mean of each patch, of a plane at a quarter of the size."""
    import cv2

    height, width = quarter.shape
    cells = cv2.resize(quarter, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return (cells[:-1, :-1] + cells[:-1, 1:] + cells[1:, :-1] + cells[1:, 1:]) / 4
