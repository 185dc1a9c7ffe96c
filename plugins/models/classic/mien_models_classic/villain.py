"""`villain`: many residual blocks before the face gets small, and in the decoders."""
# ruff: noqa: TID253  (only the trainer and the export import this module)

from __future__ import annotations

from itertools import pairwise

from mien.nets.fsblocks import (
    RES_SLOPE,
    SLOPE,
    Dense,
    Down,
    Picture,
    Residual,
    SeparableDown,
    Shuffle,
    Spread,
    Upscale,
    sequence,
)
from mien.nets.fsnets import Branch, Decoder, TwoDecoders, stage
from torch import Tensor, nn
from torch.nn import functional as nnf

from .config import LowmemConfig

_SIDE = 8


def villain(config: LowmemConfig) -> TwoDecoders:
    """The net."""
    return TwoDecoders(Encoder(config), source=_decoder(config), target=_decoder(config))


class Encoder(nn.Module):
    """Residual blocks at half the size, then down to the bottleneck."""

    def __init__(self, config: LowmemConfig) -> None:
        super().__init__()
        part, lowmem = config.part, config.lowmem
        width, code, dense = part(128), part(1024), part(512 if lowmem else 1024)
        self.first = Down(3, width, slope=None, init="normal")
        self.residuals = sequence(
            *(Residual(width, init="normal") for _ in range(8 if lowmem else 16))
        )
        side, last = (8, part(512)) if lowmem else (4, part(1024))
        self.rest = sequence(
            Down(width, width, init="normal"),
            Shuffle(),
            Down(width // 4, width, init="normal"),
            Shuffle(),
            Down(width // 4, width, init="normal"),
            SeparableDown(width, part(256), init="normal"),
            Down(part(256), part(512), init="normal"),
            None if lowmem else SeparableDown(part(512), last, init="normal"),
            nn.Flatten(),
            Dense(last * side**2, dense, init="normal"),
            Dense(dense, code * _SIDE**2, init="normal"),
            Spread(code, _SIDE),
            Upscale(code, part(512), init="normal"),
        )

    def forward(self, face: Tensor) -> Tensor:
        """(N, 3, 128, 128), 0..1 -> (N, C, 16, 16)."""
        first = self.first(face)
        seen = self.residuals(nnf.leaky_relu(first, RES_SLOPE)) + nnf.leaky_relu(first, SLOPE)
        made: Tensor = self.rest(seen)
        return made


def _decoder(config: LowmemConfig) -> Decoder:
    channels = [config.part(each) for each in (512, 512, 256, 128)]
    face = sequence(
        *(
            part
            for before, after in pairwise(channels)
            for part in stage(before, after, biases=(True,), init="normal", residual_init="normal")
        ),
        Picture(channels[-1], 3),
    )
    mask = Branch(channels[0], channels[1:], 1) if config.learn_mask else None
    return Decoder(face, mask)
