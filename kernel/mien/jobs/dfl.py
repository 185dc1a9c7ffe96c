"""`mien import dfl-model` and `mien export dfl-model`: DeepFaceLab's folders of models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, InputError, OutputError, PluginError, WeightsError
from ..options import parse, plain
from ..registry import KNOWN_DISTS, Entry
from ..stages import ModelProvider
from ..training import checkpoint
from .model import find_model
from .run import Run

if TYPE_CHECKING:
    from ..nets.dflfiles import ModelData

_FLIP = 0.4
"""Chance with which DeepFaceLab mirrors a face."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A model folder of ours that was made."""

    folder: Path
    plugin: str
    iteration: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedFolder:
    """A model's files as DeepFaceLab keeps them; `base` is how their names begin."""

    base: Path
    files: tuple[Path, ...]
    iteration: int


def import_folder(run: Run, *, place: Path, name: str | None, folder: Path) -> Imported:
    """Make a model of DeepFaceLab's a model folder of ours, with one generation.

    place  its folder of models;  name  which one, where there are several;  folder  of ours
    Raises InputError where there is no such model, or it is damaged; WeightsError where its weights
    are; PluginError where the plugin for its kind is not installed.
    """
    from ..nets.dflfiles import find_models

    if checkpoint.read_card(folder) is not None:
        raise OutputError(f"{folder}: holds a model already; name another folder")
    if not place.is_dir():
        raise InputError(f"{place}: is no folder; name DeepFaceLab's folder of models")
    models = [each for each in find_models(place) if name is None or each.name == name]
    if len(models) != 1:
        raise InputError(_which(place, name, [each.name for each in find_models(place)]))
    (model,) = models
    entry = _by_kind(run, model.kind)
    provider: Any = entry.provider
    data, options, notes = look_at(run, model.base, model.kind)
    if not data.iterations:
        raise InputError(f"{model.base}: has learned nothing yet, so there is nothing to import")
    trainer = provider.train(options, run.context)
    for note in _load(trainer, model.base, provider):
        run.events.note(note)
    for note in notes:
        run.events.note(note)
    card = checkpoint.ModelCard(
        plugin=provider.name,
        dist_version=entry.version,
        options=plain(options),
        face_type=trainer.spec.face_type.value,
        size=trainer.spec.size,
    )
    checkpoint.save(folder, trainer.state(), data.iterations)
    _write_history(folder, data.iterations, data.losses, provider.dfl.losses)
    checkpoint.write_card(folder, card)  # last: it makes the folder a model
    return Imported(folder=folder, plugin=provider.name, iteration=data.iterations)


def look_at(run: Run, base: Path, kind: str) -> tuple[ModelData, Any, list[str]]:
    """What a model remembers, its options as our plugin's, and what is told to a training here.

    Raises InputError where its file is damaged or holds options that cannot be used.
    """
    from ..nets.dflfiles import DATA, read_data

    provider: Any = _by_kind(run, kind).provider
    data = read_data(base.with_name(base.name + DATA))
    try:
        options = parse(provider.options, provider.dfl.ours(data.options))
        notes = list(_left_over(kind, data.options))
    except (ConfigError, ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{base}{DATA}: its options cannot be used: {error}") from error
    return data, options, notes


def export_folder(run: Run, *, folder: Path, place: Path, name: str) -> ExportedFolder:
    """Write the newest generation of a model as files of DeepFaceLab's.

    place  its folder of models;  name  what the model is called there
    Raises InputError where DeepFaceLab has no such kind of model, OutputError where it has one of
    this name there already, or cannot be written.
    """
    from ..export.dflmodels import save_files
    from ..nets.dflfiles import DATA, ModelData, write_data

    found = find_model(run, folder)
    provider = found.provider
    if provider.dfl is None:
        kinds = ", ".join(sorted(each.dfl.name for each in _kinds(run) if each.dfl))
        raise InputError(
            f"{folder}: DeepFaceLab has no model like '{provider.name}'; it has: {kinds}"
        )
    if not name or set(name) & set('/\\:*?"<>|'):
        raise ConfigError(f"--name {name}: must be a name that files can begin with")
    other = [
        f"{key} is {getattr(found.options, key)}, must be {value}"
        for key, value in provider.dfl.fixed.items()
        if getattr(found.options, key) != value
    ]
    if other:
        raise InputError(
            f"{folder}: is no {provider.dfl.name} that DeepFaceLab could use: {'; '.join(other)}"
        )
    base = place / provider.dfl.base(name)
    data = base.with_name(base.name + DATA)
    if data.exists():
        raise OutputError(f"{data}: is there already; choose another --name or folder")
    trainer = provider.train(found.options, run.context)
    trainer.load(found.generation.state())
    written = save_files(trainer.learners, base, provider.dfl)
    # Last, as it makes the model: DeepFaceLab looks for this file.
    content = ModelData(
        iterations=found.generation.iteration,
        options=provider.dfl.theirs(found.options),
        losses=_read_history(folder, found.generation.iteration, provider.dfl.losses),
    )
    written.append(write_data(data, content))
    return ExportedFolder(base=base, files=tuple(written), iteration=found.generation.iteration)


def _load(trainer: Any, base: Path, provider: ModelProvider) -> list[str]:
    from ..export.dflmodels import load_files

    assert provider.dfl is not None
    try:
        return load_files(trainer.learners, base, provider.dfl)
    except WeightsError as error:
        raise WeightsError(f"{error}; nothing was imported") from error


def _kinds(run: Run) -> Iterator[ModelProvider]:
    for entry in run.registry.entries("model"):
        if isinstance(entry.provider, ModelProvider) and entry.provider.dfl is not None:
            yield entry.provider


def _by_kind(run: Run, kind: str) -> Entry:
    for provider in _kinds(run):
        if provider.dfl is not None and provider.dfl.name == kind:
            return run.registry.entry("model", provider.name)
    raise PluginError(
        f"no installed plugin knows DeepFaceLab's '{kind}'; it comes with: "
        f"pip install {KNOWN_DISTS[f'model.{kind.lower()}']}"
    )


def _which(place: Path, name: str | None, names: list[str]) -> str:
    shown = ", ".join(f"'{each}'" for each in names)
    if not names:
        return f"{place}: holds no model of DeepFaceLab's (no file that ends in _data.dat)"
    if name is None:
        return f"{place}: holds {len(names)} models; say which, as in --name {names[0]}: {shown}"
    if name in names:
        return f"{place}: holds '{name}' of several kinds; put the one you mean into a folder alone"
    return f"{place}: holds no model '{name}'; it holds: {shown}"


def training_flags(kind: str, options: Mapping[str, Any]) -> str:
    """Flags of `mien train` that show a model its faces as DeepFaceLab showed them.

    kind     its name of the model;  options  as it keeps them
    What it asks for at every start belongs to a training here, not to the model.
    """
    if kind == "XSeg":  # it varies pictures by itself
        return f"--batch-size {max(1, int(options.get('batch_size', 4)) // 2)}"
    zoom = 0.05 if kind == "Quick96" else 0.15
    flags = f"--batch-size {options.get('batch_size', 4)} --color 0 --zoom {zoom}"
    flags += " --warp-kind dfl" if options.get("random_warp", True) else " --warp 0"
    for side, theirs in (("source", "random_src_flip"), ("target", "random_dst_flip")):
        usual = side == "target" and kind != "Quick96"
        mirrored = options.get(theirs, usual)
        flags += f" --flip-{side} {_FLIP if mirrored else 0}"
    if options.get("uniform_yaw"):
        flags += " --uniform-yaw"
    if options.get("random_hsv_power"):
        flags += f" --hsv-power {float(options['random_hsv_power']):g}"
    if options.get("target_iter"):
        flags += f" --iterations {options['target_iter']}"
    if options.get("autobackup_hour"):
        flags += f" --snapshot-hours {options['autobackup_hour']}"
    return flags + ("" if options.get("models_opt_on_gpu", True) else " --offload")


def _left_over(kind: str, options: Mapping[str, Any]) -> Iterator[str]:
    """What the model was told that is told to a training here."""
    yield f"to go on as DeepFaceLab did: mien train … {training_flags(kind, options)}"
    transfer = options.get("ct_mode", "none")
    if transfer not in ("none", None, ""):
        yield f"its source took the target's colours by '{transfer}': see --color-transfer"
    if options.get("pretrain"):
        yield "it was learning faces in general: go on so with --pretrain FACES"


def _write_history(folder: Path, last: int, losses: Any, names: Sequence[str]) -> None:
    """Its losses as lines of ours; it keeps those since its iteration was last set to 0."""
    from ..training.show.history import History

    history = History(folder / "history.jsonl", last)
    kept = losses.ndim == 2 and losses.shape[1] == len(names)
    rows = losses[-last:].tolist() if kept else []
    for number, row in enumerate(rows, start=last - len(rows) + 1):
        history.add(number, dict(zip(names, row, strict=True)), 0.0)
    history.flush()


def _read_history(folder: Path, last: int, names: Sequence[str]) -> Any:
    """(iterations, losses): those that DeepFaceLab keeps, as far as the history knows them."""
    import numpy as np

    from ..training.show.history import read_history

    path = folder / "history.jsonl"
    lines = read_history(path) if path.exists() else iter(())
    rows = [
        [line["losses"][name] for name in names]
        for line in lines
        if line["iteration"] <= last and all(name in line["losses"] for name in names)
    ]
    return np.array(rows, np.float64).reshape(-1, len(names))
