"""`realface`: residual blocks on both ways, a bottleneck of its own for each person."""
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
    Spread,
    Upscale,
    sequence,
)
from mien.nets.fsnets import Branch, Decoder, TwoDecoders, stage
from torch import nn

from .config import RealfaceConfig

_WEAKER = 1.5
"""What the target's decoder has less of everything."""


def realface(config: RealfaceConfig) -> TwoDecoders:
    """The net."""
    return TwoDecoders(_encoder(config), source=_source(config), target=_target(config))


def _encoder(config: RealfaceConfig) -> nn.Module:
    channels = [config.part(config.complexity_encoder << step) for step in range(4)]
    parts: list[nn.Module] = []
    for before, after in pairwise((3, *channels[:3])):
        parts += [Down(before, after, slope=None), nn.LeakyReLU(RES_SLOPE)]
        parts += [Residual(after), Residual(after)]
    return sequence(*parts, Down(channels[2], channels[3]))


def _source(config: RealfaceConfig) -> Decoder:
    """Two residual blocks behind all upscales but the first and the last."""
    filters, _ = _filters(config, 1)
    _, often = config.start
    channels = [config.part(config.complexity_decoder >> step) for step in range(often - 1)]
    face = sequence(
        nn.LeakyReLU(RES_SLOPE),
        Residual(filters, bias=False),
        *(
            part
            for before, after in pairwise((filters, *channels[:-1]))
            for part in stage(before, after, biases=(False, True))
        ),
        *stage(channels[-2], channels[-1]),
        Picture(channels[-1], 3),
    )
    return Decoder(face, _mask(config, filters), _trunk(config, 1))


def _target(config: RealfaceConfig) -> Decoder:
    """One residual block in all."""
    filters, _ = _filters(config, _WEAKER)
    _, often = config.start
    first = int(config.complexity_decoder / _WEAKER)
    channels = [config.part(first >> step) for step in range(often - 1)]
    face = sequence(
        nn.LeakyReLU(RES_SLOPE),
        Residual(filters, bias=False),
        *(Upscale(before, after) for before, after in pairwise((filters, *channels))),
        Picture(channels[-1], 3),
    )
    return Decoder(face, _mask(config, filters), _trunk(config, _WEAKER))


def _trunk(config: RealfaceConfig, weaker: float) -> nn.Module:
    """From the encoder's map through the bottleneck to twice the side that it starts with."""
    seen = config.part(config.complexity_encoder << 3) * (config.input_size // 16) ** 2
    filters, dense = _filters(config, weaker)
    side, _ = config.start
    return sequence(
        nn.Flatten(),
        Dense(seen, dense),
        Dense(dense, filters * side**2),
        Spread(filters, side),
        Upscale(filters, filters, active=False),
    )


def _filters(config: RealfaceConfig, weaker: float) -> tuple[int, int]:
    """Channels behind the bottleneck, fewer the larger its map; and its width."""
    side, _ = config.start
    filters = (1024 - 64 * (side - 4)) // 16 * 16
    return config.part(int(filters / weaker)), config.part(int(config.dense_nodes / weaker))


def _mask(config: RealfaceConfig, inputs: int) -> nn.Module | None:
    if not config.learn_mask:
        return None
    _, often = config.start
    channels = [config.part(384 >> step) for step in range(often - 1)]
    return sequence(nn.LeakyReLU(SLOPE), Branch(inputs, channels, 1))
