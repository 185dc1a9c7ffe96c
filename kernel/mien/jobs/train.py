"""`mien train`: a model learns two people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..stages import ColorTransferProvider, ColorTransferStage, ModelProvider
from ..training.options import TrainOptions
from .figures import Figures
from .model import check_card_options
from .run import Run

if TYPE_CHECKING:
    from ..training.progress import TrainProgress, TrainReport


def train(
    run: Run, *, source: Path, target: Path, folder: Path, restore: int | None = None
) -> TrainReport:
    """Train the run's model on two facesets, from the start or from where `folder` stands.

    source  the person whose face is put in;  target  the person of the clip;  folder  the model
    restore  the iteration to go back to first
    A model that goes on keeps the options it was begun with, unless they are given anew.
    """
    from ..training import checkpoint, course
    from .probes import make_probes

    provider = run.provider(ModelProvider)
    options = run.config.section("train", TrainOptions)
    card = checkpoint.read_card(folder)
    begun_with = card.options if card is not None and card.plugin == provider.name else {}
    check_card_options(folder, provider, begun_with)

    figures = Figures(options.minutes)

    def hear(progress: TrainProgress) -> None:
        known = figures.hear(progress)
        if progress.event == "note":
            run.events.note(progress.text)
        else:
            run.events.advance(progress.iteration, known)

    def transfer(name: str) -> ColorTransferStage:
        stage: ColorTransferStage = run.make(run.registry.get(ColorTransferProvider, name))
        return stage

    run.events.start("train", 0 if options.minutes else options.iterations, "iterations")
    try:
        return course.train(
            provider,
            run.config.options(provider, begun_with),
            run.context,
            source=source,
            target=target,
            folder=folder,
            train_options=options,
            progress=hear,
            cancel=run.cancel,
            restore=restore,
            transfer=transfer,
            probes=make_probes(run, options),
        )
    finally:
        run.events.end()
