"""The work behind the card: two means, weighted by the mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mien.arrays import Image
from mien.colour.transfer import measurable, towards
from mien.stages import ColorPair, StageBase


class AvgColor(StageBase):
    """Moves the swap's mean colour to the plate's."""

    batch_size = 8
    only_seen = True

    def __init__(self, strength: float) -> None:
        self._strength = strength

    def __call__(self, batch: Sequence[ColorPair], /) -> list[Image]:
        """The recoloured swaps, float32 BGR 0..1, in order."""
        return [self._one(pair) for pair in batch]

    def _one(self, pair: ColorPair) -> Image:
        weight = pair.area.sum(dtype=np.float64)
        if not measurable(pair) or weight == 0:
            return pair.swap
        gap = (pair.area * (pair.plate - pair.swap)).sum(axis=(0, 1), dtype=np.float64) / weight
        return towards(pair.swap, pair.swap + gap.astype(np.float32), self._strength)
