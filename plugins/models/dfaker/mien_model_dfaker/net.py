"""The nets: a shared encoder, a decoder for each person.  # (N, 3, S/2, S/2) -> (N, 3, S, S), 0..1

Written from a description of faceswap's "DFaker" model.
"""

from __future__ import annotations

from itertools import pairwise

from mien.nets.fsblocks import Picture, sequence
from mien.nets.fsnets import Branch, Decoder, Encoder, TwoDecoders, stage

from .config import NetConfig

_CODE_SIDE = 4


def make_net(config: NetConfig) -> TwoDecoders:
    """The net, with torch's own first weights."""
    encoder = Encoder(
        config.seen, config.convs, config.dense, (config.code, _CODE_SIDE), config.code // 2
    )
    return TwoDecoders(encoder, source=_decoder(config), target=_decoder(config))


def _decoder(config: NetConfig) -> Decoder:
    """A residual block behind every upscale but the last; none for masks."""
    channels = (config.code // 2, *config.decoder)
    steps = list(pairwise(channels))
    face = sequence(
        *(
            part
            for before, after in steps[:-1]
            for part in stage(before, after, biases=(True,), residual_init="normal")
        ),
        *stage(*steps[-1]),
        Picture(channels[-1], 3),
    )
    mask = Branch(channels[0], config.decoder, 1) if config.learn_mask else None
    return Decoder(face, mask)
