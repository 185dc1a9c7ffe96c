"""The work behind the card: exact histograms of the pixels that are seen at all."""

from __future__ import annotations

import numpy as np
from mien.arrays import Image
from mien.colour.histogram import match_image
from mien.colour.transfer import Inside, Transfer


class MatchHist(Transfer):
    """Gives each channel the plate's histogram wherever the mask is not 0, and changes nothing
    elsewhere."""

    def __init__(self, threshold: float, strength: float) -> None:
        super().__init__("seen", strength)
        self._reach = threshold / 100

    def move(self, swap: Image, plate: Image, inside: Inside) -> Image:
        """By a curve for each channel."""
        matched = match_image(swap, plate, inside, self._reach)
        return np.where(inside[..., None], matched, swap)
