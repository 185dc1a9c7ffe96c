"""The work behind the card: statistics of two crops, one affine step per channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
from mien.arrays import Image, Mask
from mien.colour.lab import to_bgr, to_lab
from mien.colour.transfer import measurable, towards
from mien.stages import ColorPair, StageBase
from numpy.typing import NDArray

from .faceswap import as_faceswap

Vector = NDArray[np.float64]

# Below this a channel is flat (L runs to 100): stretching it would only blow up its noise.
_FLAT = 1e-3


class Reinhard(StageBase):
    """Moves each Lab channel of the swap to the plate's mean and spread."""

    batch_size = 8

    def __init__(
        self,
        statistics: Literal["area", "crop", "dfl", "faceswap"],
        strength: float,
        *,
        paper: bool = True,
        clip: bool = True,
    ) -> None:
        """paper, clip  only for faceswap's statistics"""
        self._statistics, self._strength = statistics, strength
        self._paper, self._clip = paper, clip
        self.only_seen = statistics == "area"

    def __call__(self, batch: Sequence[ColorPair], /) -> list[Image]:
        """The recoloured swaps, (S, S, 3) float32 BGR 0..1, in order."""
        return [self._one(pair) for pair in batch]

    def _one(self, pair: ColorPair) -> Image:
        inside = self._measured(pair.area)
        if self._strength == 0 or not inside.any():  # the face left the picture: nothing to measure
            return pair.swap
        if not measurable(pair):
            return pair.swap
        if self._statistics == "faceswap":
            return towards(pair.swap, as_faceswap(pair, self._paper, self._clip), self._strength)
        swap, plate = to_lab(pair.swap), to_lab(pair.plate)
        mean, spread = self._measure(swap, inside)
        aim, aim_spread = self._measure(plate, inside)
        flat = spread < _FLAT
        stretch = np.where(flat, 1.0, aim_spread / np.where(flat, 1.0, spread))
        gain = 1 + self._strength * (stretch - 1)
        offset = self._strength * (aim - mean * stretch)
        moved = cv2.transform(swap, np.column_stack((np.diag(gain), offset)))
        return to_bgr(moved.reshape(swap.shape))

    def _measured(self, area: Mask) -> NDArray[np.uint8]:
        """Which pixels count, 0 or 255.  # (S, S)"""
        if self._statistics == "crop":
            return np.full(area.shape[:2], 255, dtype=np.uint8)
        seen = area[..., 0] >= 0.5 if self._statistics == "area" else area[..., 0] > 0
        return seen.view(np.uint8) * np.uint8(255)

    def _measure(self, lab: Image, inside: NDArray[np.uint8]) -> tuple[Vector, Vector]:
        """Mean and spread of each channel."""
        mean, spread = (part[:, 0].astype(np.float64) for part in cv2.meanStdDev(lab, mask=inside))
        if self._statistics != "dfl":
            return mean, spread
        # The pixels outside count as Lab (0, 0, 0).
        share = np.count_nonzero(inside) / inside.size
        return mean * share, np.sqrt(share * (spread**2 + mean**2) - (mean * share) ** 2)
