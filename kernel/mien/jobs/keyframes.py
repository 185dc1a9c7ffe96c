"""The keyframes of a clip in a workspace: opened for changes, lent to a render."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..keyframes import KINDS, Book, Controls, Plan, TunedStage, write_text
from ..media.base import ClipInfo
from ..merging import MergeOptions, parse_mask
from ..merging.expressions import KERNEL_MASKS
from ..registry import Registry
from ..stages import Provider
from ..workspace import Workspace
from .run import Run


@contextmanager
def open_book(registry: Registry, uri: str, workspace: Path) -> Iterator[Book]:
    """The keyframes of a clip that a workspace knows, with the controls of the installed plugins.

    Raises InputError where the clip cannot be read or the workspace does not know it.
    """
    source = registry.hook.mien_open_source(uri=uri)
    if source is None:
        raise InputError(f"{uri}: no installed plugin can read this")
    info = source.info
    source.close()
    with Workspace(workspace, create=False) as store:
        yield make_book(store, info, controls_of(registry))


def controls_of(registry: Registry) -> Controls:
    """What can change over a clip: the table `[merge]`, and options of the installed plugins."""
    return Controls(entry.provider for kind in KINDS for entry in registry.entries(kind))


def make_book(store: Workspace, info: ClipInfo, controls: Controls) -> Book:
    """The keyframes of a clip in an open workspace."""
    clip = store.find_clip(info)
    frames = max([info.frames, *(frame + 1 for frame in store.known_frames(clip))])
    return Book(store, clip, title=Path(info.uri).name, frames=frames, controls=controls)


def constant_plan(run: Run) -> Plan:
    """The table `[merge]` for every face of every frame."""
    return Plan(
        run.config.section("merge", MergeOptions),
        origin=lambda name: run.config.origin(f"merge.{name}"),
    )


def plan_of(run: Run, store: Workspace, info: ClipInfo) -> Plan:
    """The table `[merge]` with the keyframes that a workspace holds for a clip."""
    book = make_book(store, info, controls_of(run.registry))
    timeline = book.read()
    constant = constant_plan(run)
    if timeline:
        run.events.note(f"keyframes: {len(timeline)} values from {book.path}")
    for track in book.stray(timeline):
        run.events.note(f"keyframes of track {track} touch nothing: the clip has no such track")
    return Plan(
        constant.base,
        timeline,
        shots=book.shots,
        origin=lambda name: run.config.origin(f"merge.{name}"),
    )


def follow(
    plan: Plan, provider: Provider, stage: Any, options: Any, make: Callable[[Any], Any]
) -> Any:
    """The stage, or one that follows the keyframes of its options where there are any.

    options  the stage's own;  make  a stage like it from other options
    """
    if f"{provider.kind}.{provider.name}" not in plan.tables:
        return stage
    return TunedStage(stage, provider, options, plan, make)


def say_what_is_idle(run: Run, plan: Plan, used: Sequence[Provider]) -> None:
    """A note about keyframes of plugins that do not take part."""
    idle = set(plan.tables) - {f"{each.kind}.{each.name}" for each in used}
    for table in sorted(idle):
        run.events.note(f"keyframes of {table} touch nothing: this run does not use it")


def masks_of(plan: Plan) -> tuple[str, ...]:
    """The maskers' names that any expression of a plan has, those of the new face as NAME.swap."""
    texts = plan.ever("mask")
    names = dict.fromkeys(name for text in texts for name in parse_mask(text).names)
    return tuple(name for name in names if name not in KERNEL_MASKS)


def versions_of(plan: Plan) -> dict[str, str]:
    """The hash of a plan's keyframes, for the run's file; nothing where there are none."""
    if not plan.timeline:
        return {}
    return {"keyframes": hashlib.sha256(write_text(plan.timeline).encode()).hexdigest()}
