"""Finishing of the new face: each function changes a float picture, and nothing at amount 0."""

from __future__ import annotations

import heapq
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..arrays import Image

SharpenMode = Literal["none", "box", "gaussian", "unsharp"]

_PALETTE = 256
_FLAT = np.float32(5 / 255)  # what differs less from its surroundings is noise, not an edge
_LEVELS = 32


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
    if power <= 0 or not seen.any():
        return image
    levels = np.clip(image * np.float32(_LEVELS), 0, _LEVELS - 1).astype(np.int32)
    bins = (levels[..., 0] * _LEVELS + levels[..., 1]) * _LEVELS + levels[..., 2]
    table = _palette(bins[seen], image[seen])
    share = np.float32(power / 100)
    made: Image = np.clip(image * (1 - share) + table[bins] * share, 0, 1)
    return made


def _palette(bins: NDArray[np.int32], colours: Image) -> NDArray[np.float32]:
    """Median cut: the mean colour of the box that each of the 32768 bins falls into."""
    counts = np.bincount(bins, minlength=_LEVELS**3)
    sums = np.stack(
        [np.bincount(bins, colours[:, c], minlength=_LEVELS**3) for c in range(3)], axis=-1
    )
    used = np.flatnonzero(counts)
    places = np.stack(np.unravel_index(used, (_LEVELS,) * 3), axis=-1)

    def entry(members: NDArray[np.intp]) -> tuple[float, int, NDArray[np.intp]]:
        spread = int(np.ptp(places[members], axis=0).max()) if len(members) > 1 else 0
        return -float(spread * counts[used[members]].sum()), int(members[0]), members

    boxes = [entry(np.arange(len(used)))]
    while len(boxes) < _PALETTE and boxes[0][0] < 0:
        _, _, members = heapq.heappop(boxes)
        axis = int(np.ptp(places[members], axis=0).argmax())
        ordered = members[np.argsort(places[members, axis], kind="stable")]
        total = np.cumsum(counts[used[ordered]])
        cut = int(np.clip(np.searchsorted(total, total[-1] / 2) + 1, 1, len(ordered) - 1))
        for part in (ordered[:cut], ordered[cut:]):
            heapq.heappush(boxes, entry(part))
    axis_of_bins = np.stack(np.unravel_index(np.arange(_LEVELS**3), (_LEVELS,) * 3), axis=-1)
    table = ((axis_of_bins + 0.5) / _LEVELS).astype(np.float32)  # bins that nobody saw stay
    for _, _, members in boxes:
        rows = used[members]
        table[rows] = sums[rows].sum(0) / counts[rows].sum()
    return table
