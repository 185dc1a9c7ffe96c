"""The stages that look at swaps while a model learns: an aligner and an embedder, where wanted."""

from __future__ import annotations

from typing import Any

from ..config import NONE
from ..errors import MienError
from ..stages import AlignerProvider, EmbedderProvider, Provider
from ..training.options_show import ShowOptions
from ..training.show.heldout import Probes
from .run import Run

AUTO = "auto"


def make_probes(run: Run, options: ShowOptions) -> Probes:
    """The stages that `held_out_aligner` and `held_out_embedder` name.

    `auto` is the run's own aligner and embedder, or the first embedder that is installed; where
    they cannot be had there are none.  Raises PluginError for a name that is not installed.
    """
    if not (options.held_out and options.held_out_every):
        return Probes()
    return Probes(
        aligner=_stage(run, AlignerProvider, options.held_out_aligner),
        embedder=_stage(run, EmbedderProvider, options.held_out_embedder),
    )


def _stage(run: Run, kind: type[Provider], name: str) -> Any:
    if name == NONE:
        return None
    if name != AUTO:
        return run.make(run.registry.get(kind, name))
    installed = run.registry.names(kind.kind)
    chosen = [*run.config.chosen(kind.kind), *(installed if kind is EmbedderProvider else ())]
    for each in chosen:
        if each in installed:
            try:
                return run.make(run.registry.get(kind, each))
            except MienError as error:
                run.events.note(f"held-out faces are measured without the {kind.kind}: {error}")
                break
    return None
