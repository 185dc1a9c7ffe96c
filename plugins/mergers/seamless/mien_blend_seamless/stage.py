"""The work behind the cards: the swap plus the smoothest field that meets the plate at the edge."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from mien.arrays import Image
from mien.merging import match_seen
from mien.stages import Blended, BlendPair, StageBase

from .solve import Piece, membrane

_SEEN = 0.1
"""Where less than this is seen the plate stands: as in DeepFaceLab, whose masks have long tails."""


class Seamless(StageBase):
    """Answers with the picture whose gradients are the swap's and whose edge is the plate's.

    threshold  of a matching of the distributions afterwards, 0..255; None for none
    Source: Perez, Gangnet, Blake 2003, eq. 4-6: the correction that is to be added to the swap
    solves Laplace's equation, so no gradient is ever formed and nothing rounded.
    """

    batch_size = 8

    def __init__(self, threshold: float | None = None) -> None:
        self._threshold = threshold

    def __call__(self, batch: Sequence[BlendPair], /) -> list[Blended]:
        """One blend per pair, in order."""
        return [self._one(pair) for pair in batch]

    def _one(self, pair: BlendPair) -> Blended:
        inside = np.greater(pair.alpha[..., 0], _SEEN)
        image = self._cloned(pair, inside)
        if self._threshold is not None:
            image = match_seen(image, pair.plate, pair.alpha, self._threshold)
        return Blended(image=image, alpha=pair.alpha)

    def _cloned(self, pair: BlendPair, inside: Piece) -> Image:
        if not inside.any():
            return pair.plate
        if inside.all():  # no edge, so nothing that the plate could say
            return pair.swap
        x, y, width, height = cv2.boundingRect(inside.view(np.uint8))
        # One pixel around: the edge itself.
        part = np.s_[max(y - 1, 0) : y + height + 1, max(x - 1, 0) : x + width + 1]
        image = pair.plate.copy()
        swap, seen = pair.swap[part], inside[part]
        field = membrane(pair.plate[part] - swap, seen)
        made = np.clip(swap + field, 0, 1)
        image[part] = cv2.copyTo(made, seen.view(np.uint8), image[part].copy())
        return image
