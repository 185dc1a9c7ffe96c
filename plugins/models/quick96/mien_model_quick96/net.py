# ruff: noqa: TID253 - imported only where a net is built
"""Quick96's net: two decoders, and nothing to choose.

Attribute names are those of DeepFaceLab's files, so that `mien.nets.dflfiles` loads and saves them.
"""

from __future__ import annotations

import torch
from mien.nets.autoencoder import TwoDecoders
from mien.nets.initial import build

from .config import SHAPE


def build_net(generator: torch.Generator | None = None) -> TwoDecoders:
    """The net on the CPU, with DeepFaceLab's first weights.

    generator  None leaves the weights unset, for a net that will be loaded
    """
    return build(lambda: TwoDecoders(SHAPE), generator)
