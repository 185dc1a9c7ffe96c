"""What a user may set of each model: its net, which is fixed once training has begun."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mien.options import option
from mien.training.learning.people_options import PeopleOptions, ScaledOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class LightweightOptions(ScaledOptions):
    """Of `lightweight`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IaeOptions(ScaledOptions):
    """Of `iae`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DflH128Options(ScaledOptions):
    """Of `dfl-h128`."""

    lowmem: bool = option(False, "Half the channels behind the encoder's convolutions")


@dataclass(frozen=True, slots=True, kw_only=True)
class DflSaeOptions(PeopleOptions):
    """Of `dfl-sae`."""

    input_size: int = option(
        128, "Side of the face it sees and makes", unit="pixels", ge=64, le=256, multiple_of=16
    )
    architecture: Literal["df", "liae"] = option(
        "df", "df keeps the source's likeness, liae the target's light"
    )
    autoencoder_dims: int = option(
        0, "Width of the bottleneck; 0 for 512 (df) or 256 (liae)", ge=0, le=1024, multiple_of=32
    )
    encoder_dims: int = option(42, "A third of the encoder's first channels", ge=21, le=85)
    decoder_dims: int = option(21, "A third of the decoder's last channels, halved", ge=10, le=85)
    multiscale_decoder: bool = option(False, "Also learn the face at a half and a fourth of it")


@dataclass(frozen=True, slots=True, kw_only=True)
class DlightOptions(ScaledOptions):
    """Of `dlight`."""

    features: Literal["lowmem", "fair", "best"] = option(
        "best", "How much it notices: the width of the bottleneck"
    )
    details: Literal["fast", "good"] = option("good", "How finely it draws the source")
    output_size: int = option(
        256,
        "Side of the face it makes; it sees 128",
        unit="pixels",
        ge=128,
        le=384,
        multiple_of=128,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VillainOptions(ScaledOptions):
    """Of `villain`."""

    lowmem: bool = option(False, "Half the residual blocks and half the bottleneck")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnbalancedOptions(ScaledOptions):
    """Of `unbalanced`."""

    input_size: int = option(
        128, "Side of the face it sees and makes", unit="pixels", ge=64, le=512, multiple_of=64
    )
    lowmem: bool = option(
        False, "A smaller net; nodes and the three complexities have no meaning then"
    )
    nodes: int = option(1024, "Width of the bottleneck", ge=512, le=4096, multiple_of=64)
    complexity_encoder: int = option(
        128, "Channels of the encoder's first layer", ge=64, le=1024, multiple_of=16
    )
    complexity_decoder_a: int = option(
        384, "Channels of the target's decoder", ge=64, le=1024, multiple_of=16
    )
    complexity_decoder_b: int = option(
        512, "Channels of the source's decoder", ge=64, le=1024, multiple_of=16
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RealfaceOptions(ScaledOptions):
    """Of `realface`."""

    input_size: int = option(
        64, "Side of the face it sees", unit="pixels", ge=64, le=128, multiple_of=16
    )
    output_size: int = option(
        128,
        "Side of the face it makes, at least what it sees",
        unit="pixels",
        ge=64,
        le=256,
        multiple_of=32,
    )
    dense_nodes: int = option(
        1536, "Width of the source decoder's bottleneck", ge=768, le=2048, multiple_of=64
    )
    complexity_encoder: int = option(
        128, "Channels of the encoder's first layer", ge=96, le=160, multiple_of=4
    )
    complexity_decoder: int = option(
        512, "Channels of the source's decoder", ge=512, le=544, multiple_of=4
    )
