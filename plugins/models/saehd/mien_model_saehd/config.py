"""What an SAEHD net is made by, and whether it can be made.  Light: options need no torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from mien.errors import ConfigError
from mien.nets.shape import FaceShape, Flags

from . import Options

Family = Literal["df", "liae"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetConfig:
    """All that the shapes of the weights depend on; names and defaults are DeepFaceLab's.

    resolution  side of the faces, a multiple of 16, of 32 with the flags d or t
    archi       `df` or `liae`, then perhaps `-` and letters of u, d, t, c
    ae_dims     width of the bottleneck
    e_dims, d_dims, d_mask_dims  channels of the encoder, of the decoder's face and its mask
    Raises ConfigError, with every problem, where no such net can be built.
    """

    resolution: int = 128
    archi: str = "liae-ud"
    ae_dims: int = 256
    e_dims: int = 64
    d_dims: int = 64
    d_mask_dims: int = 22

    def __post_init__(self) -> None:
        self.shape  # noqa: B018 - raises where no net has it

    @property
    def family(self) -> Family:
        """Two decoders (df), or two bottlenecks (liae)."""
        return parse_archi(self.archi)[0]

    @property
    def shape(self) -> FaceShape:
        """The sizes of encoder, inter and decoder."""
        return FaceShape(
            resolution=self.resolution,
            ae_dims=self.ae_dims,
            e_dims=self.e_dims,
            d_dims=self.d_dims,
            d_mask_dims=self.d_mask_dims,
            flags=parse_archi(self.archi)[1],
        )


def parse_archi(text: str) -> tuple[Family, Flags]:
    """Family and flags of an architecture's name.  Raises ConfigError where it is none."""
    found = re.fullmatch(r"(df|liae)(?:-([udtc]+))?", text.lower())
    if not found:
        raise ConfigError(
            f"archi '{text}': must be df or liae, then perhaps '-' and letters of u, d, t, c, "
            "such as liae-ud"
        )
    letters = found[2] or ""
    flags = Flags(
        normalize="u" in letters,
        subpixel="d" in letters,
        deep="t" in letters,
        cosine="c" in letters,
    )
    return ("df" if found[1] == "df" else "liae"), flags


def config_of(options: Options) -> NetConfig:
    """The net that the options ask for."""
    return NetConfig(
        resolution=options.resolution,
        archi=options.archi.lower(),
        ae_dims=options.ae_dims,
        e_dims=options.e_dims,
        d_dims=options.d_dims,
        d_mask_dims=options.d_mask_dims,
    )
