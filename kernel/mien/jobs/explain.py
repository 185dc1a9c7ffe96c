"""Where the value of every control comes from: `mien merge --explain`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..keyframes import ALL, Found, Plan
from ..options import plain
from ..training import checkpoint
from ..workspace import Workspace
from .keyframes import plan_of
from .run import Run

_KINDS = ("masker", "enhancer", "color", "blend")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """The value of every control for the faces of one track in one frame.

    track    ALL where the frame has no face with a track
    plugins  options of plugins that change over the clip
    """

    frame: int
    track: int
    values: tuple[Found, ...]
    plugins: tuple[Found, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Some frames, and what is the same in every frame: the plugins and their other options."""

    faces: tuple[Explained, ...]
    everywhere: tuple[Found, ...]


def explain(run: Run, workspace: Path, frames: Sequence[int]) -> Explanation:
    """Where the value of every control comes from, for every track of some frames.

    Raises ConfigError for a frame outside the clip.
    """
    with (
        run.source(run.config.job().input) as source,
        Workspace(workspace, create=False) as store,
    ):
        clip = store.find_clip(source.info)
        plan = plan_of(run, store, source.info)
        options = _options(run)
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
                Explained(
                    frame=frame,
                    track=track,
                    values=plan.explain(frame, track),
                    plugins=tuple(_of_plugins(plan, options, frame, track)),
                )
                for track in tracks
            ]
    moving = {entry.option for entry in plan.timeline}
    rest = [found for name, found in options.items() if name not in moving]
    return Explanation(faces=tuple(explained), everywhere=tuple(rest))


def _of_plugins(plan: Plan, options: Mapping[str, Found], frame: int, track: int) -> list[Found]:
    """The options of the run's plugins that some keyframe sets, as they are in a frame."""
    set_here = {
        f.name: f for table in plan.tables for f in plan.explain_plugin(table, frame, track)
    }
    moving = sorted({entry.option for entry in plan.timeline} & set(options))
    return [set_here.get(name, options[name]) for name in moving]


def _options(run: Run) -> dict[str, Found]:
    """The plugins of the run and all their options, as they are without keyframes."""
    found: dict[str, Found] = {}

    def add(name: str, value: Any, origin: str) -> None:
        found[name] = Found(name=name, value=value, origin=origin)

    model = _card(run)
    for kind in _KINDS:
        names = run.config.chosen(kind)
        add(f"{kind}.use", ", ".join(names) or "none", run.config.origin(f"{kind}.use"))
        for name in names:
            if name in run.registry.names(kind):
                provider = run.registry.entry(kind, name).provider
                for option, value in plain(run.config.options(provider)).items():
                    key = f"{kind}.{name}.{option}"
                    add(key, value, run.config.origin(key))
    if model and model.plugin in run.registry.names("model"):
        provider = run.registry.entry("model", model.plugin).provider
        options = plain(run.config.options(provider, model.options))
        for option in provider.keyed or ():
            key = f"model.{model.plugin}.{option}"
            origin = run.config.origin(key)
            begun = origin == "default" and option in model.options
            add(key, options[option], "the model, as it was begun" if begun else origin)
    return found


def _card(run: Run) -> checkpoint.ModelCard | None:
    folder = run.config.job().model_folder
    return checkpoint.read_card(Path(folder)) if folder and Path(folder).is_dir() else None
