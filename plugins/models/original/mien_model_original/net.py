"""The nets: a shared encoder, a decoder for each person.  # (N, 3, S, S) -> (N, 3, S, S), 0..1

Written from a description of faceswap's "Original" model.  Tensors are NCHW, and the pixel
shuffle takes torch's channel order; theirs is channels last and `files` translates.
"""

from __future__ import annotations

from mien.nets.fsnets import Branch, Decoder, Encoder, TwoDecoders

from .config import NetConfig


def make_net(config: NetConfig) -> TwoDecoders:
    """The net, with torch's own first weights."""
    code = (config.code, config.size // 16)
    encoder = Encoder(config.size, config.convs, config.dense, code, config.code // 2)
    return TwoDecoders(encoder, source=_decoder(config), target=_decoder(config))


def _decoder(config: NetConfig) -> Decoder:
    face, mask = (Branch(config.code // 2, config.decoder, outputs) for outputs in (3, 1))
    return Decoder(face, mask if config.learn_mask else None)
