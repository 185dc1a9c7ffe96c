"""What most colour transfers have in common: which pixels are counted, how far a swap is moved,
and what happens to a swap that cannot be measured."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..arrays import Image, Mask
from ..stages import ColorPair, StageBase

Statistics: TypeAlias = Literal["area", "seen", "crop", "dfl"]
Inside: TypeAlias = NDArray[np.bool_]


class Transfer(StageBase, ABC):
    """A colour transfer that treats every pair by itself.

    statistics  `area`: pixels with an area of at least a half; `seen`: of more than 0; `crop`: all;
                `dfl`: all, after both pictures were painted over where the area is 0
    strength    0 keeps the swap, 1 moves it all the way, between in a straight line of BGR
    """

    batch_size = 8
    paint = 0.0
    pointwise = False
    """A pixel's new colour depends on its old one and on what was counted, on no other pixel."""

    def __init__(self, statistics: Statistics, strength: float) -> None:
        self._statistics, self._strength = statistics, strength
        self.only_seen = self.pointwise and statistics in ("area", "seen")

    @abstractmethod
    def move(self, swap: Image, plate: Image, inside: Inside) -> Image:
        """The swap (H, W, 3) in the colours of the plate; `inside` (H, W) is never empty."""

    def __call__(self, batch: Sequence[ColorPair], /) -> list[Image]:
        """The recoloured swaps, float32 BGR 0..1, in order."""
        return [self._one(pair) for pair in batch]

    def _one(self, pair: ColorPair) -> Image:
        if self._strength == 0 or not measurable(pair):
            return pair.swap
        inside = counted(pair.area, self._statistics)
        if not inside.any():  # the face left the picture
            return pair.swap
        swap, plate = pair.swap, pair.plate
        if self._statistics == "dfl":
            seen, paint = inside[..., None], np.float32(self.paint)
            swap, plate = (np.where(seen, each, paint) for each in (swap, plate))
            inside = np.ones_like(inside)
        return towards(pair.swap, self.move(swap, plate, inside), self._strength)


def measurable(pair: ColorPair) -> bool:
    """Whether every number of both pictures is finite: a model may have failed, and a floating
    point plate may hold anything."""
    # A sum is much cheaper than a look at every number, and finite only where all of them are.
    return bool(np.isfinite(pair.swap.sum()) and np.isfinite(pair.plate.sum()))


def counted(area: Mask, statistics: Statistics) -> Inside:
    """Which pixels (H, W) of an area (H, W, 1) count."""
    if statistics == "crop":
        return np.ones(area.shape[:2], dtype=np.bool_)
    found: Inside = area[..., 0] >= 0.5 if statistics == "area" else area[..., 0] > 0
    return found


def towards(swap: Image, moved: Image, strength: float) -> Image:
    """The way from the swap to its recoloured self, clipped to 0..1, float32."""
    if strength < 1:
        moved = swap + np.float32(strength) * (moved - swap)
    clipped: Image = np.clip(moved, 0, 1, dtype=np.float32)
    return clipped
