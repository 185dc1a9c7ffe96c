"""Edges as Canny finds them, on a grey picture of 0..255."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]

_LOW, _HIGH = 0.1, 0.2
_RADIUS = 4
_TAPS = np.exp(-0.5 * np.arange(-_RADIUS, _RADIUS + 1, dtype=np.float64) ** 2)
_TAPS /= _TAPS.sum()


def canny(grey: Values) -> NDArray[np.bool_]:
    """Where the picture has edges.

    grey  (H, W) float64, 0..255.  Returns (H, W) bool, False on the outermost pixels.
    Source: Canny 1986, with the neighbours across an edge interpolated; Gaussian of 1 pixel,
    outside counts as unknown; thresholds 0.1 and 0.2 of 255, so that nearly every ridge is an edge.
    """
    smooth: Values = cv2.sepFilter2D(grey, cv2.CV_64F, _TAPS, _TAPS, borderType=cv2.BORDER_CONSTANT)
    smooth /= np.outer(_known(grey.shape[0]), _known(grey.shape[1]))
    down = cv2.Sobel(smooth, cv2.CV_64F, 0, 1, borderType=cv2.BORDER_REFLECT)
    right = cv2.Sobel(smooth, cv2.CV_64F, 1, 0, borderType=cv2.BORDER_REFLECT)
    strength: Values = cv2.magnitude(down, right)
    weak = _ridges(strength, down, right)
    strong = weak & (strength >= _HIGH)
    _, labels = cv2.connectedComponents(weak.astype(np.uint8), connectivity=8)
    keeps = np.zeros(int(labels.max()) + 1, np.bool_)
    keeps[labels[strong]] = True
    keeps[0] = False
    found: NDArray[np.bool_] = keeps[labels]
    return found


def _known(length: int) -> Values:
    """How much of the Gaussian around each place of a row lies within the picture."""
    return np.convolve(np.ones(length), _TAPS, mode="full")[_RADIUS : _RADIUS + length]


def _ridges(strength: Values, down: Values, right: Values) -> NDArray[np.bool_]:
    """Where there is strength, no less than on either side along the gradient.  # (H, W)"""
    width = strength.shape[1]
    enough = strength >= _LOW
    enough[[0, -1]] = enough[:, [0, -1]] = False
    at = np.flatnonzero(enough)  # half of a masked face is black: most is gathered, not computed
    here, dy, dx = (each.ravel()[at] for each in (strength, down, right))
    steep = np.abs(dy) > np.abs(dx)
    larger = np.where(steep, np.abs(dy), np.abs(dx))
    smaller = np.where(steep, np.abs(dx), np.abs(dy))
    share = smaller / larger
    # Towards the next pixel along the steeper axis, and towards the one diagonal of it.
    straight = np.where(steep, width, 1)
    diagonal = np.where(dy * dx >= 0, width + 1, np.where(steep, width - 1, 1 - width))
    flat = strength.ravel()
    ridge = np.ones(at.shape, np.bool_)
    for sign in (1, -1):
        beyond = flat[at + sign * diagonal] * share + flat[at + sign * straight] * (1 - share)
        ridge &= beyond <= here
    found = np.zeros(flat.shape, np.bool_)
    found[at[ridge]] = True
    return found.reshape(strength.shape)
