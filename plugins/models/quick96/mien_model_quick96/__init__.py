"""Quick96, DeepFaceLab's small model without settings: 96 pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mien.hooks import hookimpl
from mien.options import option
from mien.stages import Context, ModelProvider, SwapStage

from .dfl import DFL

if TYPE_CHECKING:
    from .trainer import Quick96Trainer


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """There is little to choose: that is what the model is for."""

    learning_rate: float = option(2e-4, "Step size of the optimizer", gt=0, le=0.1)
    parity: bool = option(
        False,
        "Step exactly as DeepFaceLab does, which learns from every third batch twice, the second "
        "time unwarped",
    )
    batch_size: int = option(8, "Faces swapped at once", ge=1, le=256)


def create(options: Options, context: Context, generation: Path) -> SwapStage:
    """The stage that gives target crops the source's face, from a saved generation."""
    from .stage import make_swap

    return make_swap(options, context, generation)


def train(options: Options, context: Context) -> Quick96Trainer:
    """A fresh model, ready to learn."""
    from .trainer import Quick96Trainer

    return Quick96Trainer(options, context)


@hookimpl
def mien_models() -> Iterator[ModelProvider]:
    """The one model of this plugin."""
    yield ModelProvider(
        name="quick96",
        summary="DeepFaceLab's small model: 96 pixels, nothing to choose",
        options=Options,
        create=create,
        train=train,
        dfl=DFL,
    )
