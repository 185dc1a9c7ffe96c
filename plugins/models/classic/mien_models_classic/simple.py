"""`lightweight`, `iae` and `dfl-h128`: plain convolutions and upscales."""
# ruff: noqa: TID253  (only the trainer and the export import this module)

from __future__ import annotations

from collections.abc import Sequence

import torch
from mien.nets.fsnets import (
    Branch,
    Decoder,
    Encoder,
    FlatEncoder,
    Inter,
    Part,
    PeopleNet,
    TwoDecoders,
)
from torch import Tensor

from .config import LowmemConfig, SmallConfig


def lightweight(config: SmallConfig) -> TwoDecoders:
    """Three convolutions, half the bottleneck, wide decoders."""
    part = config.part
    convs = [part(channels) for channels in (128, 256, 512)]
    encoder = Encoder(config.size, convs, part(512), (part(512), 4), part(256))
    stages = [part(channels) for channels in (512, 256, 128)]
    decoders = [branches(part(256), stages, config.learn_mask) for _ in range(2)]
    return TwoDecoders(encoder, source=decoders[0], target=decoders[1])


def dfl_h128(config: LowmemConfig) -> TwoDecoders:
    """Four convolutions to 8x8 pixels, a bottleneck as wide as the code."""
    part = config.part
    code = part(256 if config.lowmem else 512)
    convs = [part(channels) for channels in (128, 256, 512, 1024)]
    encoder = Encoder(config.size, convs, code, (code, 8), code)
    stages = (code, code // 2, code // 4)
    decoders = [branches(code, stages, config.learn_mask) for _ in range(2)]
    return TwoDecoders(encoder, source=decoders[0], target=decoders[1])


class Iae(PeopleNet):
    """One encoder and one decoder for both people; bottlenecks for each, and one for both."""

    parts = (
        Part(theirs="encoder", ours="encoder"),
        Part(theirs="inter_a", ours="inter_target"),
        Part(theirs="inter_b", ours="inter_source"),
        Part(theirs="inter_both", ours="inter_both"),
        Part(theirs="decoder", ours="decoder"),
    )
    own = ("inter_source.", "inter_target.")

    def __init__(self, config: SmallConfig) -> None:
        super().__init__()
        part = config.part
        self.encoder = FlatEncoder([part(channels) for channels in (128, 256, 512, 1024)])
        flat, dense, code = part(1024) * 16, part(1024), (part(512), 4)
        self.inter_target = Inter(flat, dense, code, None)
        self.inter_source = Inter(flat, dense, code, None)
        self.inter_both = Inter(flat, dense, code, None)
        stages = [part(channels) for channels in (512, 256, 128, 64)]
        self.decoder = branches(2 * code[0], stages, config.learn_mask)

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
        """The target's own half, then the common one."""
        return torch.cat((self.inter_target(encoded), self.inter_both(encoded)), 1)


def branches(inputs: int, stages: Sequence[int], learn_mask: bool) -> Decoder:
    """A decoder whose face and mask are made alike."""
    return Decoder(Branch(inputs, stages, 3), Branch(inputs, stages, 1) if learn_mask else None)
