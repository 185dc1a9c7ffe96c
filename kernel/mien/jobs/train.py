"""`mien train`: a model learns two people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..stages import ModelProvider
from ..training.options import TrainOptions
from .run import Run

if TYPE_CHECKING:
    from ..training.loop import TrainProgress, TrainReport


def train(run: Run, *, source: Path, target: Path, folder: Path) -> TrainReport:
    """Train the run's model on two facesets, from the start or from where `folder` stands.

    source  the person whose face is put in;  target  the person of the clip;  folder  the model
    A model that goes on keeps the options it was begun with, unless they are given anew.
    """
    from ..training import checkpoint, loop

    provider = run.provider(ModelProvider)
    options = run.config.section("train", TrainOptions)
    card = checkpoint.read_card(folder)
    begun_with = card.options if card is not None and card.plugin == provider.name else {}

    def hear(progress: TrainProgress) -> None:
        if progress.event == "step":
            facts = {**progress.losses}
            if options.minutes:
                facts["minutes left"] = max(0.0, options.minutes - progress.seconds / 60)
            run.events.advance(progress.iteration, facts)
        elif progress.event == "note":
            run.events.note(progress.text)

    run.events.start("train", 0 if options.minutes else options.iterations, "iterations")
    try:
        return loop.train(
            provider,
            run.config.options(provider, begun_with),
            run.context,
            source=source,
            target=target,
            folder=folder,
            train_options=options,
            progress=hear,
            cancel=run.cancel,
        )
    finally:
        run.events.end()
