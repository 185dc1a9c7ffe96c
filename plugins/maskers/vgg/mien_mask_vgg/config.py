"""What differs between the two nets, and what a test may make smaller."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class NetConfig:
    """One of the nets.

    name     of the masker;  size  side of the crop in pixels
    classes  that the net tells apart;  face  the class that is face, or -1 for all but the first
    widths   channels of the five groups of convolutions;  hidden  of the two layers after them
    parity   pool as faceswap's port does: where a side is odd, with a border of one instead of
             one more sample at the end
    """

    name: str
    size: int
    classes: int
    face: int
    widths: tuple[int, int, int, int, int] = (64, 128, 256, 512, 512)
    hidden: int = 4096
    parity: bool = False


# Group of convolutions: how many.
DEPTHS = (2, 2, 3, 3, 3)
