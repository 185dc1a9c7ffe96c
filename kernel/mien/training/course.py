"""The course of a training: its stages one after the other, each with its own options.

Without a plan there is one stage.
"""
# ruff: noqa: TID253  (imported only when a training begins)

from __future__ import annotations

import contextlib
import importlib.metadata
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ..atomic import reason
from ..errors import ConfigError, InputError, OutputError
from ..lock import one_at_a_time
from ..options import parse, plain
from ..stages import ColorTransferStage, Context, ModelProvider
from . import checkpoint
from .base import Trainer
from .data.kept import Facesets
from .data.recolour import no_transfer
from .engine import check_engine
from .loop import Session
from .options import TrainOptions
from .plan import PlanStage, read_plan
from .processes import Processes, joined
from .progress import Progress, TrainReport
from .show.heldout import Probes
from .standing import Standing

PRETRAINING: Mapping[str, Any] = {
    "warp": 0.0,
    "color": 0.0,
    "hsv_power": 0.0,
    "color_transfer": "",
    "flip_source": 0.5,
    "flip_target": 0.5,
    "uniform_yaw": True,
}
"""Options of the loop that hold while a net learns faces in general.  Source: DeepFaceLab."""


_KEPT = ("face_type", "reflect_padding")
"""Options of models, beside the shape of the net, that a training cannot change on its way."""


def train(
    provider: ModelProvider,
    options: Any,
    context: Context,
    *,
    source: Path,
    target: Path,
    folder: Path,
    train_options: TrainOptions,
    progress: Progress = lambda event: None,
    cancel: threading.Event | None = None,
    restore: int | None = None,
    transfer: Callable[[str], ColorTransferStage] = no_transfer,
    probes: Probes | None = None,
) -> TrainReport:
    """Teach a model two facesets, from scratch or from where its folder stands.

    options   the model's own;  source, target  faceset folders;  folder  the model's
    cancel    set it to stop after the iteration at hand; everything learned is saved
    restore   go back to this iteration first; what was saved later is set aside
    transfer  makes the colour transfer that `train.color_transfer` names
    probes    look at the swaps of faces that are held out
    Raises InputError where a faceset or the model folder cannot be used, or another training is
    at it; ConfigError where options contradict each other; OutputError where it cannot be saved;
    StageError where the model lost its way and does not find it again.
    """
    card = _check_card(folder, provider) if checkpoint.is_begun(folder) else None
    plan = read_plan(Path(train_options.plan)) if train_options.plan else (PlanStage(name=""),)
    _check_stages(plan, provider, options, context, train_options, transfer, card)
    device = torch.device(context.device)
    with (
        joined(device) as processes,
        _alone(folder, processes),
        _torch_settings(context, train_options),
    ):
        if restore is not None:
            checkpoint.restore(folder, restore)
        said: list[str] = []
        generation = checkpoint.take_up(folder, said.append, tidy=processes.leads)
        if generation is not None and checkpoint.read_card(folder) is None:
            said.append(
                f"model '{folder}': has no model.json; it is written anew with today's options"
            )
        if generation is not None and processes.leads:  # whoever keeps less has room at once
            checkpoint.thin_out(folder, train_options.keep, train_options.snapshots)
        standing = Standing.read(generation.facts) if generation else Standing()
        cancel, facesets = cancel or threading.Event(), Facesets()
        report: TrainReport | None = None
        while report is None or report.ended == "stage":
            stage = plan[min(standing.stage, len(plan) - 1)]
            model_options, stage_options = _stage_options(provider, options, train_options, stage)
            session = Session(
                provider=provider,
                options=model_options,
                context=context,
                train_options=stage_options,
                folder=folder,
                faces=_faces(stage_options, source, target),
                until=stage.until,
                last=standing.stage >= len(plan) - 1,
                standing=standing,
                processes=processes,
                progress=progress,
                transfer=transfer,
                probes=probes or Probes(),
                facesets=facesets,
            )
            session.open(said)
            said.clear()
            is_new = report is None and (generation is None or checkpoint.read_card(folder) is None)
            if processes.leads and is_new:  # nothing was learned with what a card may say already
                checkpoint.write_card(folder, _card(provider, options, session.trainer))
            before = report
            report = session.go(cancel, f"stage '{stage.name}'" if train_options.plan else "")
            report = _joined(before, report)
            if report.ended == "stage":
                standing.stage += 1
                standing.begun, standing.seconds = report.iteration, 0.0
        return report


def _stage_options(
    provider: ModelProvider, options: Any, train_options: TrainOptions, stage: PlanStage
) -> tuple[Any, TrainOptions]:
    """The model's options and the loop's that hold in a stage.  Raises ConfigError."""
    in_stage = _with(train_options, stage.train, f"plan: {stage.name}: train")
    of_model = _with(options, stage.model, f"plan: {stage.name}: model")
    if in_stage.pretrain:
        of_model = _with(of_model, provider.pretraining, "pretraining")
        in_stage = replace(in_stage, **PRETRAINING)
    return of_model, in_stage


def _check_stages(
    plan: Sequence[PlanStage],
    provider: ModelProvider,
    options: Any,
    context: Context,
    train_options: TrainOptions,
    transfer: Callable[[str], ColorTransferStage],
    card: checkpoint.ModelCard | None,
) -> None:
    """Find out now whether a stage cannot be, not after days of the ones before it.

    Raises ConfigError, PluginError or InputError.
    """
    for number, stage in enumerate(plan):
        of_model, in_stage = _stage_options(provider, options, train_options, stage)
        _check_kept(card, of_model, f"model.{provider.name}.")
        check_engine(torch.device(context.device), in_stage)
        if number and in_stage.color_transfer:
            transfer(in_stage.color_transfer)
        if number and in_stage.pretrain:
            context.faceset(Path(in_stage.pretrain))
        if number and stage.model:
            try:
                provider.train(of_model, context)
            except ConfigError as error:
                raise ConfigError(f"plan: {stage.name}: model: {error}") from error


def _joined(before: TrainReport | None, last: TrainReport) -> TrainReport:
    if before is None:
        return last
    return replace(
        last,
        steps=before.steps + last.steps,
        seconds=before.seconds + last.seconds,
        notes=(*before.notes, *last.notes),
    )


def _faces(options: TrainOptions, source: Path, target: Path) -> tuple[Path, Path]:
    if options.pretrain:
        return Path(options.pretrain), Path(options.pretrain)
    return source, target


def _with(options: Any, changes: Mapping[str, Any], where: str) -> Any:
    """The options with some changed.  Raises ConfigError where one is unknown or out of range."""
    if not changes:
        return options
    try:
        return parse(type(options), {**plain(options), **changes})
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _check_kept(card: checkpoint.ModelCard | None, options: Any, where: str) -> None:
    """Raise ConfigError where the options ask for another kind of faces than a model has learned.

    The shape of its net is compared with its weights; these leave no trace in them.
    """
    if card is None:
        return
    begun, now = card.options, plain(options)
    other = [
        f"{where}{name}: stays {begun[name]}, as the model was begun, and {now[name]} is asked "
        "for; leave it out, or train into another folder"
        for name in _KEPT
        if name in begun and begun[name] != now.get(name)
    ]
    if other:
        raise ConfigError(other)


def _check_card(folder: Path, provider: ModelProvider) -> checkpoint.ModelCard | None:
    """What the folder holds.  Raises InputError where it belongs to another plugin."""
    card = checkpoint.read_card(folder)
    if card is not None and card.plugin != provider.name:
        raise InputError(
            f"model '{folder}': was made by '{card.plugin}', not by '{provider.name}'; "
            "train with that plugin, or into another folder"
        )
    return card


def _card(provider: ModelProvider, options: Any, trainer: Trainer) -> checkpoint.ModelCard:
    dist = type(options).__module__.partition(".")[0].replace("_", "-")
    try:
        version = importlib.metadata.version(dist)
    except importlib.metadata.PackageNotFoundError:
        version = "unknown"
    return checkpoint.ModelCard(
        plugin=provider.name,
        dist_version=version,
        options=plain(options),
        face_type=trainer.spec.face_type.value,
        size=trainer.spec.size,
    )


@contextlib.contextmanager
def _alone(folder: Path, processes: Processes) -> Iterator[None]:
    """Keep other trainings out of the folder."""
    if not processes.leads:
        yield
        return
    held = contextlib.ExitStack()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held.enter_context(one_at_a_time(folder / "training.lock", wait=False))
    except FileExistsError as error:
        raise OutputError(f"model '{folder}': is a file; name a folder") from error
    except BlockingIOError as error:
        raise InputError(
            f"model '{folder}': another training is at it; wait for its end, or take another folder"
        ) from error
    except OSError as error:
        raise OutputError(f"model '{folder}': cannot be written ({reason(error)})") from error
    with held:
        yield


@contextlib.contextmanager
def _torch_settings(context: Context, options: TrainOptions) -> Iterator[None]:
    """Threads and determinism for this run, put back afterwards: torch keeps them per process."""
    threads = torch.get_num_threads()
    strict = torch.are_deterministic_algorithms_enabled()
    try:
        torch.set_num_threads(max(1, context.threads))
        if options.deterministic:
            torch.use_deterministic_algorithms(True)
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)
