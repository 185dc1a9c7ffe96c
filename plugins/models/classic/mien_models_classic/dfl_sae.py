"""`dfl-sae`: two families of nets with residual decoders, perhaps in three sizes."""
# ruff: noqa: TID253  (only the trainer and the export import this module)

from __future__ import annotations

import torch
from mien.nets.fsblocks import Picture, sequence
from mien.nets.fsnets import (
    Branch,
    Decoder,
    Encoder,
    FlatEncoder,
    Inter,
    Part,
    PeopleNet,
    TwoDecoders,
    stage,
)
from torch import Tensor, nn

from .config import DflSaeConfig

_SCALES = ("32", "64", "128")
"""What the sizes are called in faceswap's files, whatever they are."""


def dfl_sae(config: DflSaeConfig) -> PeopleNet:
    """The net of either family."""
    if config.architecture == "liae":
        return Liae(config)
    ae, side = config.bottleneck, config.size // 16
    encoder = Encoder(config.size, _convs(config), ae, (ae, side), ae)
    scales = _scales(config)
    return TwoDecoders(
        encoder,
        source=_decoder(config, ae),
        target=_decoder(config, ae),
        parts=(
            Part(theirs="encoder_df", ours="encoder"),
            Part(theirs="decoder_a", ours="target", out="a", scales=scales),
            Part(theirs="decoder_b", ours="source", out="b", scales=scales),
        ),
    )


class Liae(PeopleNet):
    """One encoder and one decoder for both people; a bottleneck for both, one for the source."""

    own = ("inter_source.",)

    def __init__(self, config: DflSaeConfig) -> None:
        super().__init__()
        self.parts = (
            Part(theirs="encoder_liae", ours="encoder"),
            Part(theirs="intermediate_both", ours="inter_both"),
            Part(theirs="intermediate_b", ours="inter_source"),
            Part(theirs="decoder_both", ours="decoder", out="both", scales=_scales(config)),
        )
        ae, side, convs = config.bottleneck, config.size // 16, _convs(config)
        self.encoder = FlatEncoder(convs)
        flat = convs[-1] * side**2
        self.inter_both = Inter(flat, ae, (2 * ae, side), 2 * ae)
        self.inter_source = Inter(flat, ae, (2 * ae, side), 2 * ae)
        self.decoder = _decoder(config, 4 * ae)

    @property
    def source_decoder(self) -> Decoder:
        """Shows whom the code says."""
        return self.decoder

    @property
    def target_decoder(self) -> Decoder:
        """The same."""
        return self.decoder

    def source_code(self, encoded: Tensor) -> Tensor:
        """The source's own half, then the common one."""
        return torch.cat((self.inter_source(encoded), self.inter_both(encoded)), 1)

    def target_code(self, encoded: Tensor) -> Tensor:
        """The common half twice."""
        common = self.inter_both(encoded)
        return torch.cat((common, common), 1)


class ScaledFace(nn.Module):
    """Three times twice the size, with residual blocks; a picture of the last stage or of all."""

    def __init__(self, inputs: int, channels: tuple[int, int, int], *, every: bool) -> None:
        super().__init__()
        steps = zip((inputs, *channels), channels, strict=False)
        self.stages = nn.ModuleList(
            sequence(*stage(before, after, biases=(True, True))) for before, after in steps
        )
        self.outs = nn.ModuleList(
            Picture(each, 3) for each in (channels if every else channels[-1:])
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """(N, inputs, H, W) -> faces (N, 3, S, S), small ones first."""
        maps = []
        for each in self.stages:
            x = each(x)
            maps.append(x)
        return tuple(
            out(seen) for out, seen in zip(self.outs, maps[-len(self.outs) :], strict=True)
        )


def _decoder(config: DflSaeConfig, inputs: int) -> Decoder:
    """Masks have a third of the channels of faces."""
    dims = config.decoder_dims
    channels = (24 * dims, 12 * dims, 6 * dims)
    face = ScaledFace(inputs, channels, every=config.multiscale_decoder)
    mask = Branch(inputs, (8 * dims, 4 * dims, 2 * dims), 1) if config.learn_mask else None
    return Decoder(face, mask)


def _convs(config: DflSaeConfig) -> tuple[int, ...]:
    return tuple(3 * config.encoder_dims << step for step in range(4))


def _scales(config: DflSaeConfig) -> tuple[str, ...]:
    return _SCALES if config.multiscale_decoder else _SCALES[-1:]
