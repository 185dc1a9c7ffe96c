"""DFaker: the first autoencoder with residual decoders that make twice the size it sees."""

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

    output_size: int = option(
        128,
        "Side of the face it makes; it sees half of that",
        unit="pixels",
        ge=128,
        le=256,
        multiple_of=128,
    )


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
        name="dfaker",
        summary="Sees 64 pixels and makes 128, or twice that; residual decoders",
        options=Options,
        create=create,
        train=train,
    )
