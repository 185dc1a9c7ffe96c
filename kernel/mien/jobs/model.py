"""Opens a trained model: folder → plugin, options, newest whole generation; or a finished file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import ConfigError, InputError, PluginError
from ..options import parse, plain
from ..registry import KNOWN_DISTS
from ..stages import ModelProvider, SwapStage
from ..training import checkpoint
from .run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredModel:
    """A model as it lies in its folder.

    options  those it was begun with, as an instance of the plugin's class, and what this run asks
             for besides
    """

    folder: Path
    card: checkpoint.ModelCard
    provider: ModelProvider
    options: Any
    generation: checkpoint.Generation


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenModel:
    """A model ready to swap, the hash that names its weights, and both in words.

    asked    options that this run gave besides those the model was begun with, as plain values
    options  all of them, as an instance of the plugin's class
    make     another stage of it, from other options
    """

    provider: ModelProvider
    stage: SwapStage
    iteration: int
    sha256: str
    words: str
    asked: Mapping[str, Any]
    options: Any
    make: Callable[[Any], SwapStage]


def open_model(run: Run, name: str) -> OpenModel:
    """The model in a folder, or in a finished file such as a DFM.

    Raises ConfigError where none is named, InputError where there is none, PluginError where its
    plugin is not installed.
    """
    if not name:
        raise ConfigError("no model was named; say which, as in: --model models/anna")
    if Path(name).is_file():
        return _open_file(run, Path(name))
    found = find_model(run, Path(name))

    def make(options: Any) -> SwapStage:
        return found.provider.create(options, run.context, found.generation.folder)

    sha256, iteration = found.generation.weights_sha256, found.generation.iteration
    return OpenModel(
        provider=found.provider,
        stage=make(found.options),
        iteration=iteration,
        sha256=sha256,
        words=f"iteration {iteration}, {sha256}",
        asked=_asked(run, found.provider, found.options),
        options=found.options,
        make=make,
    )


def find_model(run: Run, folder: Path) -> StoredModel:
    """What is stored in a model folder: its newest whole generation, with the options to use it.

    A run may ask for other values of what a model can still be told, such as how many faces to swap
    at once; the shape of its net and its face type are what they are.
    Raises InputError where the folder holds no model, PluginError where its plugin is not there.
    """
    card = checkpoint.read_card(folder)
    if card is None:
        raise InputError(
            f"{folder}: holds no model (no model.json); train one with: "
            f"mien train original --source FACES --target FACES -o {folder}"
        )
    generation = checkpoint.take_up(folder, run.events.note)
    if generation is None:
        raise InputError(f"{folder}: holds no whole generation yet; train it further")
    provider = run.registry.get(ModelProvider, card.plugin)
    begun = check_card_options(folder, provider, card.options)
    fixed = {"face_type", *generation.facts.get("net", ())}
    asked = run.config.options(provider, card.options)
    kept = {name: getattr(begun, name) for name in fixed if hasattr(begun, name)}
    for name, value in sorted(kept.items()):
        if getattr(asked, name) != value:
            run.events.note(f"model.{provider.name}.{name}: stays {value}, as the model was begun")
    return StoredModel(
        folder=folder,
        card=card,
        provider=provider,
        options=replace(asked, **kept),
        generation=generation,
    )


def check_card_options(folder: Path, provider: ModelProvider, begun: Mapping[str, Any]) -> Any:
    """The options that a model was begun with.  Raises ConfigError where its card was damaged."""
    path = folder / "model.json"
    try:
        return parse(provider.options, begun, where=lambda name: f"{path}: {name}")
    except ConfigError as error:
        advice = f"put back a copy of {path}, or correct these options in it"
        raise ConfigError([*error.problems, advice]) from error


def _open_file(run: Run, path: Path) -> OpenModel:
    """A finished file, by the plugin that knows its ending."""
    known = [entry.provider for entry in run.registry.entries("model")]
    able = [
        provider
        for provider in known
        if isinstance(provider, ModelProvider) and path.suffix.lower() in provider.files
    ]
    if not able:
        if path.suffix.lower() in (".dfm", ".onnx"):
            raise PluginError(
                f"{path}: no installed plugin runs finished models; it comes with: "
                f"pip install {KNOWN_DISTS['model.dfm']}"
            )
        raise InputError(
            f"{path}: is neither the folder of a model nor a file that a plugin can run "
            f"({', '.join(sorted(_endings(known))) or 'none is installed that runs files'})"
        )
    provider = able[0]
    options = run.config.options(provider)

    def make(wanted: Any) -> SwapStage:
        return provider.create(wanted, run.context, path)

    stage = make(options)
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return OpenModel(
        provider=provider,
        stage=stage,
        iteration=0,
        sha256=sha256,
        words=f"{path.name}, {sha256}",
        asked=_asked(run, provider, options),
        options=options,
        make=make,
    )


def _asked(run: Run, provider: ModelProvider, options: Any) -> dict[str, Any]:
    """The options that somebody gave for this run, with the values that hold."""
    given = plain(options).items()
    return {
        name: value
        for name, value in given
        if run.config.origin(f"model.{provider.name}.{name}") != "default"
    }


def _endings(providers: list[Any]) -> set[str]:
    return {ending for provider in providers for ending in getattr(provider, "files", ())}
