"""The work behind the card.  Source: Burt, Adelson 1983, A multiresolution spline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from mien.arrays import Image
from mien.stages import Blended, BlendPair, StageBase

_SMALLEST = 48  # pixels; a coarser band would carry the edge into the middle of the face
_AROUND = np.ones((3, 3), np.uint8)
_RISE = 4.0
"""How much faster than the mask the answer's own mask rises: the bands have done the mixing, it has
only to end the coarse ones where the mask ends."""


class Laplacian(StageBase):
    """Answers with the pictures' bands mixed by the mask at each band's size."""

    batch_size = 8

    def __init__(self, bands: int) -> None:
        self._bands = bands

    def __call__(self, batch: Sequence[BlendPair], /) -> list[Blended]:
        """One blend per pair, in order."""
        return [self._one(pair) for pair in batch]

    def _one(self, pair: BlendPair) -> Blended:
        alpha = np.minimum(pair.alpha * np.float32(_RISE), np.float32(1))
        if not alpha.any():
            return Blended(image=pair.plate, alpha=alpha)
        # The bands of the difference: mixing is linear, and the plate's own are not needed.
        mixed = self._mixed(pair.swap - pair.plate, pair.alpha, self._bands)
        return Blended(image=np.clip(pair.plate + mixed, 0, 1), alpha=alpha)

    def _mixed(self, difference: Image, alpha: Any, bands: int) -> Image:
        height, width = difference.shape[:2]
        if bands == 1 or min(height, width) < _SMALLEST:
            single: Image = difference * alpha.reshape(height, width, 1)
            return single
        coarse = cv2.pyrDown(difference)
        fine = difference - cv2.pyrUp(coarse, dstsize=(width, height))
        # A wide edge must lie inside the mask: outside it is not seen.
        inner = cv2.erode(cv2.pyrDown(alpha), _AROUND)
        below = self._mixed(coarse, inner, bands - 1)
        made: Image = fine * alpha.reshape(height, width, 1)
        made += cv2.pyrUp(below, dstsize=(width, height))
        return made
