"""Eight of faceswap's models: one trainer, one swap, a net each."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mien.hooks import hookimpl
from mien.stages import Context, ModelProvider, SwapStage
from mien.training.learning.people_options import PeopleOptions

from . import options as given

if TYPE_CHECKING:
    from mien.training.learning.people import PeopleTrainer

MODELS: tuple[tuple[str, type[PeopleOptions], str], ...] = (
    ("lightweight", given.LightweightOptions, "64 pixels for small machines"),
    ("iae", given.IaeOptions, "64 pixels; one decoder, and codes with a half for both people"),
    ("dfl-h128", given.DflH128Options, "128 pixels; the original's way at twice the size"),
    ("dfl-sae", given.DflSaeOptions, "64 to 256 pixels; df and liae, residual decoders"),
    ("dlight", given.DlightOptions, "Sees 128 pixels, makes up to 384; quick, one direction"),
    ("villain", given.VillainOptions, "128 pixels; many residual blocks, much memory"),
    ("unbalanced", given.UnbalancedOptions, "64 to 512 pixels; a better decoder for the source"),
    ("realface", given.RealfaceOptions, "Sees 64 to 128 pixels, makes up to 256; residual blocks"),
)
"""Name, options and one line of each."""


def create(name: str, options: PeopleOptions, context: Context, generation: Path) -> SwapStage:
    """The stage that gives target crops the source's face, from a saved generation."""
    from .stage import make_swap

    return make_swap(name, options, context, generation)


def train(name: str, options: PeopleOptions, context: Context) -> PeopleTrainer:
    """A fresh model, ready to learn."""
    from .trainer import make_trainer

    return make_trainer(name, options, context)


@hookimpl
def mien_models() -> Iterator[ModelProvider]:
    """All eight."""
    for name, options, summary in MODELS:
        yield ModelProvider(
            name=name,
            summary=summary,
            options=options,
            create=partial(create, name),
            train=partial(train, name),
        )
