"""The keyframes of a clip in a workspace: opened for changes, lent to a render, explained."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError, InputError
from ..keyframes import ALL, Book, Found, Plan, write_text
from ..media.base import ClipInfo
from ..merging import MergeOptions, parse_mask
from ..merging.expressions import KERNEL_MASKS
from ..options import plain
from ..registry import Registry
from ..workspace import Workspace
from .run import Run

PLUGIN_KINDS = ("masker", "enhancer", "color", "blend")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """The value of every control for the faces of one track in one frame.

    track  ALL where the frame has no face with a track
    """

    frame: int
    track: int
    values: tuple[Found, ...]


@contextmanager
def open_book(registry: Registry, uri: str, workspace: Path) -> Iterator[Book]:
    """The keyframes of a clip that a workspace knows.

    Raises InputError where the clip cannot be read or the workspace does not know it.
    """
    source = registry.hook.mien_open_source(uri=uri)
    if source is None:
        raise InputError(f"{uri}: no installed plugin can read this")
    info = source.info
    source.close()
    with Workspace(workspace, create=False) as store:
        yield make_book(store, info)


def make_book(store: Workspace, info: ClipInfo) -> Book:
    """The keyframes of a clip in an open workspace."""
    clip = store.find_clip(info)
    frames = max([info.frames, *(frame + 1 for frame in store.known_frames(clip))])
    return Book(store, clip, title=Path(info.uri).name, frames=frames)


def constant_plan(run: Run) -> Plan:
    """The table `[merge]` for every face of every frame."""
    return Plan(
        run.config.section("merge", MergeOptions),
        origin=lambda name: run.config.origin(f"merge.{name}"),
    )


def plan_of(run: Run, store: Workspace, info: ClipInfo) -> Plan:
    """The table `[merge]` with the keyframes that a workspace holds for a clip."""
    book = make_book(store, info)
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


def explain(run: Run, workspace: Path, frames: Sequence[int]) -> list[Explained]:
    """Where the value of every control comes from, for every track of some frames.

    Raises ConfigError for a frame outside the clip.
    """
    with (
        run.source(run.config.job().input) as source,
        Workspace(workspace, create=False) as store,
    ):
        clip = store.find_clip(source.info)
        plan = plan_of(run, store, source.info)
        known = store.known_frames(clip)
        explained = []
        for frame in frames:
            if frame not in known:
                last = max(known, default=-1)
                raise ConfigError(
                    f"--explain {frame}: the workspace knows the frames 0..{last} of this clip"
                )
            tracks = sorted({face.track for face in store.faces(clip, frame)} - {ALL}) or [ALL]
            explained += [
                Explained(frame=frame, track=track, values=plan.explain(frame, track))
                for track in tracks
            ]
    return explained


def explain_plugins(run: Run) -> list[Found]:
    """The plugins of the run and their options, which are the same in every frame."""
    found = []
    for kind in PLUGIN_KINDS:
        names = run.config.chosen(kind)
        key = f"{kind}.use"
        value = ", ".join(names) or "none"
        found.append(Found(name=key, value=value, origin=run.config.origin(key)))
        for name in names:
            if name not in run.registry.names(kind):
                continue
            options: Any = run.config.options(run.registry.entry(kind, name).provider)
            for option, each in plain(options).items():
                key = f"{kind}.{name}.{option}"
                found.append(Found(name=key, value=each, origin=run.config.origin(key)))
    return found
