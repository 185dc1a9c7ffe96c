"""Opens a trained model for swapping: folder → plugin, options, newest whole generation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError, InputError
from ..options import parse
from ..stages import ModelProvider, SwapStage
from ..training import checkpoint
from .run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenModel:
    """A model ready to swap, and the hash that names its weights."""

    provider: ModelProvider
    stage: SwapStage
    iteration: int
    sha256: str


def open_model(run: Run, folder: str) -> OpenModel:
    """The model in `folder`.

    Raises ConfigError where none is named, InputError where the folder holds none, PluginError
    where its plugin is not installed.
    """
    if not folder:
        raise ConfigError("no model was named; say which, as in: --model models/anna")
    path = Path(folder)
    card = checkpoint.read_card(path)
    if card is None:
        raise InputError(
            f"{folder}: holds no model (no model.json); train one with: "
            f"mien train original --source FACES --target FACES -o {folder}"
        )
    generation = checkpoint.latest(path)
    if generation is None:
        raise InputError(f"{folder}: holds no whole generation yet; train it further")
    provider = run.registry.get(ModelProvider, card.plugin)
    options: Any = parse(
        provider.options, card.options, where=lambda name: f"{path / 'model.json'}: {name}"
    )
    stage = provider.create(options, run.context, generation.folder)
    return OpenModel(
        provider=provider,
        stage=stage,
        iteration=generation.iteration,
        sha256=generation.weights_sha256,
    )
