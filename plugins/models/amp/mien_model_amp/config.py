"""What an AMP net is made by, and whether it can be made.  Light: options need no torch."""

from __future__ import annotations

from dataclasses import dataclass

from mien.errors import ConfigError
from mien.nets.shape import FaceShape, Flags

from . import Options

FLAGS = Flags(normalize=True, subpixel=True, deep=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetConfig:
    """All that the shapes of the weights depend on; names and defaults are DeepFaceLab's.

    resolution  side of the faces, a multiple of 32
    ae_dims     width of the bottleneck;  inter_dims  channels of the code
    e_dims, d_dims, d_mask_dims  channels of the encoder, of the decoder's face and its mask
    Raises ConfigError where no such net can be built.
    """

    resolution: int = 224
    ae_dims: int = 256
    inter_dims: int = 1024
    e_dims: int = 64
    d_dims: int = 64
    d_mask_dims: int = 22

    def __post_init__(self) -> None:
        if self.inter_dims < 1:
            raise ConfigError(f"inter_dims {self.inter_dims}: must be at least 1")
        self.shape  # noqa: B018 - raises where no net has it

    @property
    def shape(self) -> FaceShape:
        """The sizes of encoder and decoder."""
        return FaceShape(
            resolution=self.resolution,
            ae_dims=self.ae_dims,
            e_dims=self.e_dims,
            d_dims=self.d_dims,
            d_mask_dims=self.d_mask_dims,
            flags=FLAGS,
        )


def config_of(options: Options) -> NetConfig:
    """The net that the options ask for."""
    return NetConfig(
        resolution=options.resolution,
        ae_dims=options.ae_dims,
        inter_dims=options.inter_dims,
        e_dims=options.e_dims,
        d_dims=options.d_dims,
        d_mask_dims=options.d_mask_dims,
    )
