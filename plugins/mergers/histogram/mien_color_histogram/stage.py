"""The work behind the card: exact histograms, channel by channel."""

from __future__ import annotations

from mien.arrays import Image
from mien.colour.histogram import match_image
from mien.colour.transfer import Inside, Statistics, Transfer


class Histogram(Transfer):
    """Gives each channel of the swap the plate's histogram."""

    paint = 1.0
    pointwise = True

    def __init__(self, statistics: Statistics, threshold: float, strength: float) -> None:
        super().__init__(statistics, strength)
        self._reach = threshold / 255

    def move(self, swap: Image, plate: Image, inside: Inside) -> Image:
        """By a curve for each channel."""
        return match_image(swap, plate, inside, self._reach)
