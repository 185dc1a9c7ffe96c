"""Finishing of the new face: each function changes a float picture, and nothing at amount 0."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..arrays import Image
from .placing import finite_pixels, is_finite

SharpenMode = Literal["none", "box", "gaussian", "unsharp"]

_PALETTE = 256
_FLAT = np.float32(5 / 255)  # what differs less from its surroundings is noise, not an edge
_LEVELS = 32
_PLACES = np.array([[_LEVELS**2, _LEVELS, 1]], np.float32)
_SHIFTS = np.array(
    [[10], [5], [0]], np.int32
)  # where a bin's number holds its level of each channel
_CENTRES = ((np.indices((_LEVELS,) * 3).reshape(3, -1).T + 0.5) / _LEVELS).astype(np.float32)


def sharpen(image: Image, mode: SharpenMode, amount: float, size: int = 3) -> Image:
    """The picture sharpened, or softened where `amount` is below 0; not clipped.

    amount  -100..100;  size  side of the kernel, odd.  Source: the formulas of DeepFaceLab and
    faceswap, so that the numbers users know mean the same here; only that `unsharp` sharpens where
    faceswap's spares, at edges.
    """
    import cv2

    if amount < 0:
        return median_soften(image, -amount, 10, 10)
    if amount == 0 or mode == "none":
        return image
    if mode == "gaussian":
        blurred = cv2.GaussianBlur(image, (size, size), 0)
        return cv2.addWeighted(image, 1 + 0.5 * amount, blurred, -0.5 * amount, 0)
    if mode == "unsharp":
        detail = image - cv2.GaussianBlur(image, (size, size), 0)
        return image + np.float32(amount) * np.where(np.abs(detail) < _FLAT, 0, detail)
    blurred = cv2.blur(image, (size, size))
    return cv2.addWeighted(image, 1 + amount, blurred, -amount, 0)


def median_soften(image: Image, power: float, whole: float, step: float) -> Image:
    """The picture through a 5x5 median again and again, `step` of the power each time.

    A round with less than `whole` left mixes in that share of its result.
    """
    import cv2

    while power > 0:
        smooth = cv2.medianBlur(np.ascontiguousarray(image), 5)
        share = power / whole
        image = smooth if share >= 1 else cv2.addWeighted(image, 1 - share, smooth, share, 0)
        power -= step
    return image


def lose_resolution(image: Image, power: float) -> Image:
    """The picture made smaller and large again; power 0..100 leaves 1 - power / 101 of its side."""
    import cv2

    height, width = image.shape[:2]
    keep = 1 - power / 101
    small = (max(round(width * keep), 1), max(round(height * keep), 1))
    if power <= 0 or 0 in (height, width):
        return image
    less = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    return cv2.resize(less, (width, height), interpolation=cv2.INTER_CUBIC)


def few_colours(image: Image, seen: NDArray[np.bool_], power: float) -> Image:
    """The picture moved to a palette of 256 colours, chosen for the pixels that are seen.

    image  (h, w, 3) float32 BGR 0..1;  seen  (h, w);  power  0..100
    """
    import cv2

    if power <= 0 or not seen.any():
        return image
    if not is_finite(image):
        seen = seen & finite_pixels(image)[..., 0]
        if not seen.any():
            return image
    levels = cv2.addWeighted(image, _LEVELS, image, 0, -0.5, dtype=cv2.CV_8U)  # NaN becomes 0
    _, levels = cv2.threshold(levels, _LEVELS - 1, _LEVELS - 1, cv2.THRESH_TRUNC)
    bins = cv2.transform(levels.astype(np.float32), _PLACES).astype(np.int32).reshape(seen.shape)
    few = np.take(_palette(np.where(seen, bins, _LEVELS**3), image), bins, axis=0, mode="clip")
    share = power / 100
    made: Image = cv2.addWeighted(image, 1 - share, few, share, 0)
    return np.clip(made, 0, 1, out=made)


def _palette(bins: NDArray[np.int32], image: Image) -> NDArray[np.float32]:
    """Median cut: the mean colour of the box that each of the 32768 bins falls into.

    bins  (h, w), one higher than all of them where a pixel does not count

    Every round cuts the boxes with the most pixels times breadth, which takes ten rounds and not
    255, and gives the same palette but for a few of its colours.  The bins lie in the order of
    their boxes: a box is a run of them, and begins at one of `starts`.
    """
    flat = bins.ravel()
    counts = np.bincount(flat, minlength=_LEVELS**3)[: _LEVELS**3]
    used = np.flatnonzero(counts).astype(np.int32)
    starts = np.zeros(1, np.intp)
    while True:
        here, places = counts.take(used), (used >> _SHIFTS) & (_LEVELS - 1)
        spread = np.maximum.reduceat(places, starts, axis=1)
        spread -= np.minimum.reduceat(places, starts, axis=1)
        held = np.add.reduceat(here, starts)
        lengths = np.diff(starts, append=len(used))
        chosen = _worthiest(spread.max(0) * held, _PALETTE - len(starts))
        if not chosen.any():
            break
        box = np.repeat(np.arange(len(starts)), lengths)
        along = (used >> _SHIFTS[:, 0].take(spread.argmax(0).take(box))) & (_LEVELS - 1)
        order = np.argsort((box * _LEVELS + along).astype(np.int16), kind="stable")
        used, here = used.take(order), here.take(order)
        below = np.cumsum(here) - here
        upper = below >= (below[starts] + held / 2).take(box)
        upper[starts + lengths - 1] = True  # each half has at least one bin
        upper[starts] = False
        cuts = np.flatnonzero(upper & chosen.take(box))
        starts = np.union1d(starts, cuts[~upper[cuts - 1]])
    table = _CENTRES.copy()  # bins that nobody saw stay
    for channel in range(3):
        sums = np.bincount(flat, image[..., channel].ravel(), minlength=_LEVELS**3).take(used)
        table[used, channel] = np.repeat(np.add.reduceat(sums, starts) / held, lengths)
    return table


def _worthiest(worth: NDArray[np.int64], room: int) -> NDArray[np.bool_]:
    """Which boxes are cut: those worth a quarter of the best or more, at most `room` of them."""
    chosen: NDArray[np.bool_] = (worth > 0) & (4 * worth >= worth.max())
    chosen[np.argsort(-worth, kind="stable")[room:]] = False
    return chosen
