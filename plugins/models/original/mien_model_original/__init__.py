"""The first face-swap autoencoder: one encoder for both people, a decoder for each, 64 pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mien.hooks import hookimpl
from mien.options import option
from mien.stages import Context, ModelProvider, SwapStage
from mien.training.learning.people_options import ScaledOptions

if TYPE_CHECKING:
    from mien.training.learning.people import PeopleTrainer


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(ScaledOptions):
    """The net, which is fixed once training has begun; how it learns is not."""

    size: int = option(
        64, "Side of the face it makes", unit="pixels", ge=32, le=256, multiple_of=16
    )
    lowmem: bool = option(False, "Leave out the encoder's last layer and halve its bottleneck")


def create(options: Options, context: Context, generation: Path) -> SwapStage:
    """The stage that gives target crops the source's face, from a saved generation."""
    from .stage import make_swap

    return make_swap(options, context, generation)


def train(options: Options, context: Context) -> PeopleTrainer:
    """A fresh model, ready to learn."""
    from .trainer import make_trainer

    return make_trainer(options, context)


@hookimpl
def mien_models() -> Iterator[ModelProvider]:
    """The one model of this plugin."""
    yield ModelProvider(
        name="original",
        summary="The first face-swap autoencoder: small, quick to learn, 64 pixels",
        options=Options,
        create=create,
        train=train,
    )
