# ruff: noqa: TID253 - imported only where a net is built
"""SAEHD's two families of nets.

Attribute names are those of DeepFaceLab's files, so that `mien.nets.dflfiles` loads and saves them.
"""

from __future__ import annotations

from typing import TypeAlias

import torch
from mien.nets.autoencoder import Decoder, Encoder, Inter, TwoDecoders
from mien.nets.initial import build
from mien.nets.shape import FaceShape
from torch import Tensor, nn

from .config import NetConfig


class TwoInters(nn.Module):
    """One encoder and decoder for both people, and two bottlenecks ("liae").

    `inter_AB` is trained with both, `inter_B` with the target only.  A code is made of two halves;
    what the left one comes from says whose face it shows.
    """

    def __init__(self, shape: FaceShape) -> None:
        super().__init__()
        self.encoder = Encoder(shape)
        self.inter_AB = Inter(shape, 2 * shape.ae_dims)
        self.inter_B = Inter(shape, 2 * shape.ae_dims)
        self.decoder = Decoder(shape, 4 * shape.ae_dims)

    @property
    def source_decoder(self) -> Decoder:
        """Shows the source, given its code."""
        return self.decoder

    @property
    def target_decoder(self) -> Decoder:
        """Shows the target, given its code; the same net."""
        return self.decoder

    def source_code(self, encoded: Tensor) -> Tensor:
        """The code that shows the source; of a target's face it makes the swap."""
        common = self.inter_AB(encoded)
        return torch.cat([common, common], dim=1)

    def target_code(self, encoded: Tensor) -> Tensor:
        """The code that shows the target."""
        return torch.cat([self.inter_B(encoded), self.inter_AB(encoded)], dim=1)

    def both_codes(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """`source_code` and `target_code`, sharing their work."""
        common = self.inter_AB(encoded)
        as_source = torch.cat([common, common], dim=1)
        return as_source, torch.cat([self.inter_B(encoded), common], dim=1)

    def forward(self, face: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """A target's face (N, 3, R, R) -> the swap, its mask, and the target's own mask."""
        as_source, as_target = self.both_codes(self.encoder(face))
        swap, mask = self.decoder(as_source)
        return swap, mask, self.decoder.mask(as_target)


SaehdNet: TypeAlias = TwoDecoders | TwoInters


def make_net(config: NetConfig) -> SaehdNet:
    """The net of an architecture, with torch's own first weights."""
    return TwoDecoders(config.shape) if config.family == "df" else TwoInters(config.shape)


def build_net(config: NetConfig, generator: torch.Generator | None = None) -> SaehdNet:
    """The net on the CPU, with DeepFaceLab's first weights.

    generator  None leaves the weights unset, for a net that will be loaded
    """
    return build(lambda: make_net(config), generator)
