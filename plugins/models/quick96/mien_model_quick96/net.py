# ruff: noqa: TID253 - imported only where a net is built
"""Quick96's net: two decoders, and nothing to choose.

Attribute names are those of DeepFaceLab's files, so that `mien.nets.dflfiles` loads and saves them.
"""

from __future__ import annotations

import torch
from mien.nets.autoencoder import TwoDecoders
from mien.nets.initial import build
from mien.nets.shape import FaceShape, Flags

SHAPE = FaceShape(
    resolution=96,
    ae_dims=128,
    e_dims=64,
    d_dims=64,
    d_mask_dims=16,
    flags=Flags(normalize=True, subpixel=True),
)


def build_net(generator: torch.Generator | None = None) -> TwoDecoders:
    """The net on the CPU, with DeepFaceLab's first weights.

    generator  None leaves the weights unset, for a net that will be loaded
    """
    return build(lambda: TwoDecoders(SHAPE), generator)
