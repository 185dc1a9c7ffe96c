"""The work behind the card: clouds of colours moved along lines, and the moves evened out."""

from __future__ import annotations

import cv2
import numpy as np
from mien.arrays import Image
from mien.colour.transfer import Inside, Transfer
from mien.colour.transport import Cloud, carry, even_move, random_bases, random_lines
from mien.stages import Context

from . import Options

# DeepFaceLab's: so wide a range of colours makes the filter an ordinary blur.
_SIGMA_COLOR = 5


class Sot(Transfer):
    """Moves the swap's distribution of colours to the plate's; the same lines for every face."""

    def __init__(self, options: Options, context: Context) -> None:
        super().__init__(options.statistics, options.strength)
        self._exact, self._soften = options.form == "dfl", options.soften
        draw = random_lines if self._exact else random_bases
        self.lines: Cloud = draw(context.rng("sot"), options.steps, options.batch)

    def move(self, swap: Image, plate: Image, inside: Inside) -> Image:
        """Each pixel goes the way of its neighbourhood."""
        if not self._exact:
            return swap + even_move(swap, plate, inside, self.lines, self._soften)
        move = np.zeros_like(swap)
        cloud = swap[inside]
        move[inside] = carry(cloud, plate[inside], self.lines) - cloud
        return swap + cv2.bilateralFilter(move, 0, _SIGMA_COLOR, self._soften)
