"""The shape of the net.  Light: a swap needs no torch for it."""

from __future__ import annotations

from dataclasses import dataclass

from mien.training.learning.people_options import share

from . import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class NetConfig:
    """All that the shapes of the weights depend on.

    size   of the faces that it makes, in pixels; it sees half of that
    convs  channels of the encoder's convolutions;  dense  the bottleneck
    code   channels of what it is spread to, 4x4 pixels
    decoder  channels of the decoders' stages;  learn_mask  decoders for masks, too
    """

    size: int
    convs: tuple[int, ...]
    dense: int
    code: int
    decoder: tuple[int, ...]
    learn_mask: bool

    @property
    def seen(self) -> int:
        """Side of the faces that it sees."""
        return self.size // 2


def config_of(options: Options) -> NetConfig:
    """The net that the options ask for: the original's at width 1, or a share of its channels."""

    def part(channels: int) -> int:
        return share(channels, options.width)

    stages = (512, 256, 128, 64) if options.output_size == 128 else (1024, 512, 256, 128, 64)
    return NetConfig(
        size=options.output_size,
        convs=tuple(part(channels) for channels in (128, 256, 512, 1024)),
        dense=part(1024),
        code=part(1024),
        decoder=tuple(part(channels) for channels in stages),
        learn_mask=options.learn_mask,
    )
