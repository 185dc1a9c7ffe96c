"""Light and contrast of the plate for the new face: slow gains over the face, never its details."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import Image, Mask, as_float

_SIDE = 64  # slow changes are measured, and the gain is kept, at this size
_SLOW = 8.0  # width in those pixels below which a change of light counts as a feature of the face
_MOST = 2.0  # a larger gain would lift noise, or a mistake of the mask
_LEAST_LIGHT = 0.02


def match_light(swap: Image, plate: Image, area: Mask, light: float, contrast: float) -> Image:
    """The swap with the plate's slow changes of light, and its spread around them.

    swap, plate  (S, S, 3) float32 BGR 0..1;  area  (S, S, 1), where both show the face
    light, contrast  0..1: how far each is moved.  Nothing is done where the area is empty.
    """
    import cv2

    small = (_SIDE, _SIDE)
    inside = as_float(cv2.resize(area[..., 0], small, interpolation=cv2.INTER_AREA))
    if inside.sum() < 1:
        return swap
    ours = cv2.resize(swap, small, interpolation=cv2.INTER_AREA)
    theirs = cv2.resize(plate, small, interpolation=cv2.INTER_AREA)
    slow, their_slow = _slow_part(ours, inside), _slow_part(theirs, inside)
    made = swap
    if contrast:
        factor = _spread(theirs - their_slow, inside) / max(_spread(ours - slow, inside), 1e-4)
        factor = 1 + contrast * (float(np.clip(factor, 1 / _MOST, _MOST)) - 1)
        around = cv2.resize(slow, swap.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        made = around + (made - around) * np.float32(factor)
    if light:
        grey, their_grey = (cv2.cvtColor(each, cv2.COLOR_BGR2GRAY) for each in (slow, their_slow))
        gain = np.maximum(their_grey, _LEAST_LIGHT) / np.maximum(grey, _LEAST_LIGHT)
        gain = (1 + light * (np.clip(gain, 1 / _MOST, _MOST) - 1)).astype(np.float32)
        whole = cv2.resize(gain, swap.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        made = made * whole[..., None]
    return np.clip(made, 0, 1)


def _slow_part(image: Image, inside: NDArray[np.float32]) -> Image:
    """The picture blurred, with only the area counting."""
    import cv2

    weight = cv2.GaussianBlur(inside, (0, 0), _SLOW) + np.float32(1e-4)
    blurred = cv2.GaussianBlur(image * inside[..., None], (0, 0), _SLOW)
    # Far from the area the mean of the area counts: the blur holds nothing there.
    mean = (image * inside[..., None]).sum((0, 1)) / inside.sum()
    slow: Image = (blurred + np.float32(1e-4) * mean) / weight[..., None]
    return slow.astype(np.float32)


def _spread(image: Image, inside: NDArray[np.float32]) -> float:
    return float(np.sqrt((image.mean(-1) ** 2 * inside).sum() / inside.sum()))
