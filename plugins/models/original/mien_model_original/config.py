"""The shape of the net, and whether a saved model has it.  Light: a swap needs no torch for it."""

from __future__ import annotations

from dataclasses import dataclass

from mien.training.learning.people_options import share

from . import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class NetConfig:
    """All that the shapes of the weights depend on.

    size   of the faces, in pixels;  convs  channels of the encoder's convolutions
    dense  the bottleneck;  code  channels of what it is reshaped to, at a sixteenth of the size
    decoder  channels of the decoders' stages;  learn_mask  decoders for masks, too
    """

    size: int
    convs: tuple[int, ...]
    dense: int
    code: int
    decoder: tuple[int, ...]
    learn_mask: bool


def config_of(options: Options) -> NetConfig:
    """The net that the options ask for: the original's at width 1, or a share of its channels."""

    def part(channels: int) -> int:
        return share(channels, options.width)

    convs = tuple(part(channels) for channels in (128, 256, 512, 1024))
    return NetConfig(
        size=options.size,
        convs=convs[:3] if options.lowmem else convs,
        dense=part(512 if options.lowmem else 1024),
        code=part(1024),
        decoder=tuple(part(channels) for channels in (256, 128, 64)),
        learn_mask=options.learn_mask,
    )
