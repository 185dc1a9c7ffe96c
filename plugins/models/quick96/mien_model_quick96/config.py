"""The net's sizes, which nobody chooses.  Light: needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from mien.nets.shape import FaceShape, Flags

SIZE = 96
SHAPE = FaceShape(
    resolution=SIZE,
    ae_dims=128,
    e_dims=64,
    d_dims=64,
    d_mask_dims=16,
    flags=Flags(normalize=True, subpixel=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetConfig:
    """What a saved model says of its net."""

    resolution: int = SIZE
