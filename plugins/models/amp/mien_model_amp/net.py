# ruff: noqa: TID253 - imported only where a net is built
"""AMP's net: one encoder and decoder, and a layer for each person whose channels can be mixed.

Attribute names are those of DeepFaceLab's files, so that `mien.nets.dflfiles` loads and saves them.
"""

from __future__ import annotations

import torch
from mien.nets.autoencoder import Decoder, Encoder
from mien.nets.initial import build
from mien.nets.shape import FaceShape
from torch import Tensor, nn

from .config import NetConfig


class NarrowEncoder(Encoder):
    """The encoder with the bottleneck at its end."""

    def __init__(self, shape: FaceShape) -> None:
        super().__init__(shape)
        self.dense1 = nn.Linear(shape.encoded, shape.ae_dims)

    def forward(self, face: Tensor) -> Tensor:
        """(N, 3, R, R) -> (N, ae_dims)."""
        narrow: Tensor = self.dense1(super().forward(face))
        return narrow


class Inter(nn.Module):
    """One person's code."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        side = config.shape.dense_side
        self._map = (config.inter_dims, side, side)
        self.dense2 = nn.Linear(config.ae_dims, config.inter_dims * side * side)

    def forward(self, narrow: Tensor) -> Tensor:
        """(N, ae_dims) -> (N, inter_dims, R / 32, R / 32)."""
        code: Tensor = self.dense2(narrow).reshape(-1, *self._map)
        return code


class Amp(nn.Module):
    """Both people; how much of each a face shows is the share of channels from each one's code."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.channels = config.inter_dims
        self.encoder = NarrowEncoder(config.shape)
        self.inter_src = Inter(config)
        self.inter_dst = Inter(config)
        self.decoder = Decoder(config.shape, config.inter_dims)

    def source_code(self, narrow: Tensor, taken: Tensor) -> Tensor:
        """What the source's faces are learned through.

        taken  (N, inter_dims) of 1 where a channel comes from the source's own layer, else 0
        """
        mask = taken[:, :, None, None]
        mixed: Tensor = self.inter_src(narrow) * mask + self.inter_dst(narrow) * (1 - mask)
        return mixed

    def target_code(self, narrow: Tensor) -> Tensor:
        """The code that shows the target."""
        code: Tensor = self.inter_dst(narrow)
        return code

    def both_codes(self, narrow: Tensor, morph: Tensor) -> tuple[Tensor, Tensor]:
        """The swap's code and the target's, sharing their work.

        morph  (1,) or (N,), 0 all target, 1 all source; the first channels come from the source
        """
        # The product is rounded to float32 and then cut off, as in exported models.
        return self.codes(narrow, (morph.float() * self.channels).to(torch.int32))

    def codes(self, narrow: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
        """The same from how many channels come from the source: (1,) or (N,) int32."""
        as_target = self.inter_dst(narrow)
        places = torch.arange(self.channels, device=narrow.device)
        taken = (places < count[:, None])[:, :, None, None]
        return torch.where(taken, self.inter_src(narrow), as_target), as_target

    def forward(self, face: Tensor, morph: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """A target's face (N, 3, R, R) -> the swap, its mask, and the target's own mask.

        morph  (1,) or (N,), 0..1
        """
        mixed, as_target = self.both_codes(self.encoder(face), morph)
        swap, mask = self.decoder(mixed)
        return swap, mask, self.decoder.mask(as_target)


class Counted(nn.Module):
    """The net with whole channels in place of `morph`, which would be rounded in float16."""

    def __init__(self, net: Amp) -> None:
        super().__init__()
        self._net = net

    def forward(self, face: Tensor, count: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """A target's face (N, 3, R, R) -> the swap, its mask, and the target's own mask.

        count  (N,) int32, how many channels come from the source
        """
        mixed, as_target = self._net.codes(self._net.encoder(face), count)
        swap, mask = self._net.decoder(mixed)
        return swap, mask, self._net.decoder.mask(as_target)


def draw_channels(channels: int, share: float, samples: int, generator: torch.Generator) -> Tensor:
    """For each sample, which channels come from the source: int(channels · share) of them are 1.

    Returns (samples, channels), float32, on the generator's device.
    """
    drawn = torch.rand(samples, channels, generator=generator, device=generator.device)
    ranks = drawn.argsort(dim=1).argsort(dim=1)
    return (ranks < int(channels * share)).float()


def build_net(config: NetConfig, generator: torch.Generator | None = None) -> Amp:
    """The net on the CPU, with DeepFaceLab's first weights.

    generator  None leaves the weights unset, for a net that will be loaded
    """
    return build(lambda: Amp(config), generator)
