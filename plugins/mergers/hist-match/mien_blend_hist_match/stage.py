"""The work behind the card."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mien.merging import match_seen
from mien.stages import Blended, BlendPair, StageBase


class HistMatch(StageBase):
    """Answers with the swap whose values are those of the plate, rank by rank."""

    batch_size = 8

    def __init__(self, threshold: float, masked: bool) -> None:
        self._threshold, self._masked = threshold, masked

    def __call__(self, batch: Sequence[BlendPair], /) -> list[Blended]:
        """One blend per pair, in order."""
        return [self._one(pair) for pair in batch]

    def _one(self, pair: BlendPair) -> Blended:
        weight = pair.alpha if self._masked else np.ones_like(pair.alpha)
        image = match_seen(pair.swap, pair.plate, weight, self._threshold)
        return Blended(image=image, alpha=pair.alpha)
