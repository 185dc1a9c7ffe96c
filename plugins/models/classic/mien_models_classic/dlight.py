"""`dlight`: sees 128 pixels, makes up to 384; a light decoder for the target, a fine one for the
source."""
# ruff: noqa: TID253  (only the trainer and the export import this module)

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from mien.nets.fsblocks import (
    RES_SLOPE,
    SLOPE,
    BatchNorm,
    Dense,
    Dropout,
    Enlarged,
    MixedUpscale,
    Picture,
    PooledDown,
    Residual,
    Spread,
    Upscale,
    sequence,
)
from mien.nets.fsnets import Decoder, Part, TwoDecoders
from torch import nn

from .config import DlightConfig

_SIDE = 4
_DENSE = {"lowmem": 640, "fair": 1152, "best": 1664}
_MASK = (128, 64, 32, 16)


def dlight(config: DlightConfig) -> TwoDecoders:
    """The net: the code is 4x4 pixels, then as many times larger as the output asks for."""
    inputs, ratio = config.part(1024), config.output_size // 64
    finer = _fine if config.details == "good" else _fast
    last = "decoder_b" if config.details == "good" else "decoder_b_fast"
    return TwoDecoders(
        _encoder(config, inputs),
        source=finer(config, inputs, ratio),
        target=_light(config, inputs, ratio),
        parts=(
            Part(theirs="encoder", ours="encoder"),
            Part(theirs="decoder_a", ours="target"),
            Part(theirs=last, ours="source"),
        ),
    )


def _encoder(config: DlightConfig, code: int) -> nn.Module:
    """Every layer also passes on what it was given, down to the picture itself."""
    first, inputs = (48 if config.features == "lowmem" else 64), 3
    stages = []
    for step in range(5):
        outputs = config.part((first << step) // 2)
        stages.append(PooledDown(inputs, outputs))
        inputs += outputs
    dense, flat = config.part(_DENSE[config.features]), code * _SIDE**2
    return sequence(
        *stages,
        nn.Flatten(),
        Dense(inputs * _SIDE**2, dense),
        Dropout(dense, 0.05),
        Dense(dense, flat),
        Dropout(flat, 0.05),
        Spread(code, _SIDE),
    )


def _light(config: DlightConfig, inputs: int, ratio: int) -> Decoder:
    """The target's: drawn larger, then four times twice the size."""
    face = sequence(*_mixed(config, inputs, (256, 128, 64, 32)), Picture(config.part(32), 3))
    return Decoder(face, _mask(config, inputs), Enlarged(ratio))


def _fast(config: DlightConfig, inputs: int, ratio: int) -> Decoder:
    """The source's without residual blocks."""
    wide = config.part(512)
    channels = (512, 256, 128, 64)
    face = sequence(*_mixed(config, wide, channels, summed=True), Picture(config.part(64), 3))
    return Decoder(face, _mask(config, wide), Upscale(inputs, wide, ratio=ratio))


def _fine(config: DlightConfig, inputs: int, ratio: int) -> Decoder:
    """The source's: residual blocks, fewer of them the larger the map."""
    wide, half, quarter, last = (config.part(channels) for channels in (512, 256, 128, 64))
    face = sequence(
        nn.LeakyReLU(RES_SLOPE),
        *_residuals(wide, (True, False, False)),
        _raw(wide, wide),
        nn.LeakyReLU(RES_SLOPE),
        *_residuals(wide, (True, False)),
        BatchNorm(wide),
        _raw(wide, half),
        nn.LeakyReLU(RES_SLOPE),
        *_residuals(half, (True,)),
        _raw(half, quarter),
        nn.LeakyReLU(RES_SLOPE),
        *_residuals(quarter, (False,)),
        BatchNorm(quarter),
        MixedUpscale(quarter, last, summed=False),
        Picture(last, 3),
    )
    mask = _mask(config, wide)
    if mask is not None:
        mask = sequence(nn.LeakyReLU(SLOPE), *mask)
    return Decoder(face, mask, _raw(inputs, wide, ratio))


def _mask(config: DlightConfig, inputs: int) -> nn.Sequential | None:
    if not config.learn_mask:
        return None
    return sequence(*_mixed(config, inputs, _MASK), Picture(config.part(_MASK[-1]), 1))


def _mixed(
    config: DlightConfig, inputs: int, channels: Sequence[int], *, summed: bool = False
) -> list[nn.Module]:
    steps = pairwise((inputs, *(config.part(each) for each in channels)))
    return [MixedUpscale(before, after, summed=summed) for before, after in steps]


def _raw(inputs: int, outputs: int, ratio: int = 2) -> MixedUpscale:
    return MixedUpscale(inputs, outputs, ratio=ratio, active=False, summed=False)


def _residuals(channels: int, biases: Sequence[bool]) -> list[nn.Module]:
    return [Residual(channels, bias=bias) for bias in biases]
