"""What the weights of each model depend on, and the sizes of its faces.  Light: needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Literal

from mien.errors import ConfigError
from mien.training.learning import people_options
from mien.training.learning.people_options import PeopleOptions

from . import options as given


@dataclass(frozen=True, slots=True, kw_only=True)
class NetConfig:
    """What all models have: whether there are decoders for masks."""

    learn_mask: bool

    @property
    def size(self) -> int:
        """Side of the face it makes, in pixels."""
        return 128

    @property
    def seen(self) -> int:
        """Side of the face it sees."""
        return self.size

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sides of all the faces it makes, small ones first."""
        return (self.size,)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledConfig(NetConfig):
    """Of nets that have a share of the original's channels."""

    width: float

    def part(self, channels: int) -> int:
        """That share of so many channels."""
        return people_options.share(channels, self.width)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallConfig(ScaledConfig):
    """Of `lightweight` and `iae`: 64 pixels."""

    @property
    def size(self) -> int:
        """64."""
        return 64


@dataclass(frozen=True, slots=True, kw_only=True)
class LowmemConfig(ScaledConfig):
    """Of `dfl-h128` and `villain`: 128 pixels."""

    lowmem: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DflSaeConfig(NetConfig):
    """Of `dfl-sae`."""

    input_size: int
    architecture: Literal["df", "liae"]
    autoencoder_dims: int
    encoder_dims: int
    decoder_dims: int
    multiscale_decoder: bool

    @property
    def size(self) -> int:
        """What it sees is what it makes."""
        return self.input_size

    @property
    def sizes(self) -> tuple[int, ...]:
        """A fourth, a half and the whole, or the whole alone."""
        whole = self.size
        return (whole // 4, whole // 2, whole) if self.multiscale_decoder else (whole,)

    @property
    def bottleneck(self) -> int:
        """Width of the bottleneck."""
        return self.autoencoder_dims or (512 if self.architecture == "df" else 256)


@dataclass(frozen=True, slots=True, kw_only=True)
class DlightConfig(ScaledConfig):
    """Of `dlight`."""

    features: Literal["lowmem", "fair", "best"]
    details: Literal["fast", "good"]
    output_size: int

    @property
    def size(self) -> int:
        """What it makes."""
        return self.output_size

    @property
    def seen(self) -> int:
        """Always 128."""
        return 128


@dataclass(frozen=True, slots=True, kw_only=True)
class UnbalancedConfig(ScaledConfig):
    """Of `unbalanced`."""

    input_size: int
    lowmem: bool
    nodes: int
    complexity_encoder: int
    complexity_decoder_a: int
    complexity_decoder_b: int

    @property
    def size(self) -> int:
        """What it sees is what it makes."""
        return self.input_size


@dataclass(frozen=True, slots=True, kw_only=True)
class RealfaceConfig(ScaledConfig):
    """Of `realface`.  Raises ConfigError where it would make less than it sees."""

    input_size: int
    output_size: int
    dense_nodes: int
    complexity_encoder: int
    complexity_decoder: int

    def __post_init__(self) -> None:
        if self.output_size < self.input_size:
            raise ConfigError(
                f"output_size {self.output_size}: must be at least input_size {self.input_size}"
            )

    @property
    def size(self) -> int:
        """What it makes."""
        return self.output_size

    @property
    def seen(self) -> int:
        """What it sees."""
        return self.input_size

    @property
    def start(self) -> tuple[int, int]:
        """Side of the map that decoders begin with, and how often it doubles to the output.

        Of 4 and 5 doublings the one whose map comes nearer to what the encoder gives.
        """
        ways = [(self.output_size // 2**often, often) for often in (4, 5)]
        return min(
            (way for way in ways if way[0] < 10), key=lambda way: abs(16 * way[0] - self.input_size)
        )


CONFIGS: Mapping[type[PeopleOptions], type[NetConfig]] = MappingProxyType(
    {
        given.LightweightOptions: SmallConfig,
        given.IaeOptions: SmallConfig,
        given.DflH128Options: LowmemConfig,
        given.DflSaeOptions: DflSaeConfig,
        given.DlightOptions: DlightConfig,
        given.VillainOptions: LowmemConfig,
        given.UnbalancedOptions: UnbalancedConfig,
        given.RealfaceOptions: RealfaceConfig,
    }
)


def config_of(options: PeopleOptions) -> NetConfig:
    """The net that the options ask for.  Raises ConfigError where there is none."""
    kind = CONFIGS[type(options)]
    return kind(**{field.name: getattr(options, field.name) for field in fields(kind)})
