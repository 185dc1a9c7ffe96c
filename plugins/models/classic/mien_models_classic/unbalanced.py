"""`unbalanced`: decoders of different strength; the source's is the better one."""

from __future__ import annotations

from itertools import pairwise

from mien.nets.fsblocks import Dropout, Picture, Upscale, sequence
from mien.nets.fsnets import Branch, Decoder, Encoder, TwoDecoders, stage

from .config import UnbalancedConfig

_KERNEL = 5


def unbalanced(config: UnbalancedConfig) -> TwoDecoders:
    """The net."""
    part, lowmem = config.part, config.lowmem
    first = part(128 if lowmem else config.complexity_encoder)
    dense, code = part(512 if lowmem else config.nodes), part(384 if lowmem else 512)
    convs = [first * times for times in (1, 2, 4, 6, 8)]
    side = config.input_size // 16
    encoder = Encoder(config.input_size, convs, dense, (code, side), None, normed=2, init="normal")
    return TwoDecoders(encoder, source=_source(config, code), target=_target(config, code))


def _target(config: UnbalancedConfig, code: int) -> Decoder:
    """Upscales, some of whose channels drop out while it learns."""
    wide = config.part(320 if config.lowmem else config.complexity_decoder_a)
    channels = (wide, wide, wide // 2, wide // 4)
    first, second, *rest = (
        Upscale(before, after, kernel=_KERNEL, init="normal")
        for before, after in pairwise((code, *channels))
    )
    drop = 0.15 if config.lowmem else 0.25
    face = sequence(
        first, Dropout(wide, 0.25), second, Dropout(wide, drop), *rest, Picture(channels[-1], 3)
    )
    return Decoder(face, Branch(code, channels, 1) if config.learn_mask else None)


def _source(config: UnbalancedConfig, code: int) -> Decoder:
    """Residual blocks behind all upscales but the last; plain and narrower with `lowmem`."""
    wide = config.part(384 if config.lowmem else config.complexity_decoder_b)
    if config.lowmem:
        channels, blocks = (wide, wide // 2, wide // 4, wide // 8), (0, 0, 0, 0)
    else:
        channels, blocks = (wide, wide, wide // 2, wide // 4), (1, 1, 1, 0)
    face = sequence(
        *(
            part
            for (before, after), count in zip(pairwise((code, *channels)), blocks, strict=True)
            for part in stage(
                before,
                after,
                biases=(True,) * count,
                kernel=_KERNEL,
                init="normal",
                residual_init="normal",
            )
        ),
        Picture(channels[-1], 3),
    )
    return Decoder(face, Branch(code, channels, 1) if config.learn_mask else None)
