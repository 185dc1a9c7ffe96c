"""A face with what was drawn on it, for a look.

green      the outline of what is included
red        the outline of what is excluded
darkened   what the mask leaves out
"""

from __future__ import annotations

import numpy as np

from ..arrays import Image, Mask, as_dtype, as_float
from .shapes import INCLUDE, Label, Shape

GREEN, RED = (0, 230, 0), (40, 40, 255)
_NEAR = 1 << 14
_DIGITS = 4


def draw_label(image: Image, label: Label | None, mask: Mask | None = None) -> Image:
    """The crop (S, S, 3) as an 8-bit picture with the shapes' outlines, dark outside the mask.

    mask  (S, S, 1) float32 0..1; None darkens nothing
    """
    import cv2

    seen = as_float(image)
    if mask is not None:
        seen = seen * (0.35 + 0.65 * mask)
    drawn = as_dtype(seen, "uint8").copy()
    if label is None:
        return drawn
    size = len(drawn)
    thick = max(1, round(size / 256))
    for shape in label.resized(size).shapes:
        colour = GREEN if shape.label == INCLUDE else RED
        cv2.polylines(drawn, [_fixed(shape)], True, colour, thick, cv2.LINE_AA, _DIGITS)
    return drawn


def _fixed(shape: Shape) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    near = np.clip(shape.points - 0.5, -_NEAR, _NEAR)
    return np.rint(near * (1 << _DIGITS)).astype(np.int32)
