"""What is watched: a model, its people, and the faces of theirs that are shown and measured."""
# ruff: noqa: TID253  (only the training loop imports this module)

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ...arrays import Image
from ...options import plain
from ...stages import Context
from ...types import CropSpec
from ..base import TrainBatch
from ..data.dataset import CHANNELS, FaceCache
from ..data.supply import Demand, Supply, load_both
from ..options_show import ShowOptions
from .chosen import Chosen, choose_faces
from .heldout import Probes
from .sheets import TIMELAPSE_FACES, Viewer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Person:
    """One person's faces, and what was chosen of them."""

    faces: FaceCache
    chosen: Chosen


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """One training to be watched.

    name, folder  of the model;  spec  its crops;  source, target  the people
    viewer     shows their faces to the model
    elsewhere  a viewer of two other facesets, and how many faces each has
    pick       `count` of `total` rows at random, from `total`, `count` and an iteration
    settings   for the statistics;  probes  what looks at swaps
    """

    name: str
    folder: Path
    spec: CropSpec
    source: Person
    target: Person
    viewer: Viewer
    elsewhere: Callable[[Path, Path], tuple[Viewer, int, int]]
    pick: Callable[[int, int, int], list[int]]
    settings: Mapping[str, Any]
    probes: Probes


def make_scene(
    *,
    name: str,
    folder: Path,
    supply: Supply,
    demand: Demand,
    options: ShowOptions,
    context: Context,
    show: Callable[[TrainBatch], Mapping[str, list[Image]]],
    settings: Mapping[str, Any],
    probes: Probes,
    say: Callable[[str], None],
    keep: bool = True,
) -> Scene:
    """The scene of a training; takes the faces that are held out from `supply`.

    show  a batch to the columns of the model's preview;  say  hears sentences for the user
    keep  the choice in the model's folder
    Raises ConfigError where more faces are to be held out than learned from.
    """
    people = dict[str, Person]()
    sides = {"source": supply.source, "target": supply.target}
    for cache in sides.values():
        names = [path.name for path in cache.paths]
        chosen, note = choose_faces(folder, cache.folder, names, options, keep=keep)
        people[str(cache.folder)] = Person(faces=cache, chosen=chosen)
        if note:
            say(note)
    source, target = (people[str(cache.folder)] for cache in sides.values())
    supply.leave_out("source", source.chosen.held_out)
    supply.leave_out("target", target.chosen.held_out)

    def elsewhere(one: Path, other: Path) -> tuple[Viewer, int, int]:
        needed = TIMELAPSE_FACES * CHANNELS * demand.spec.size**2
        bare = replace(options, color_transfer="", warp=0.0, memory=-(-needed // 1_000_000))
        both = load_both(one, other, demand.spec, bare, context)
        watched = Supply(*both, demand, bare, context)
        return Viewer(watched.plain, show, demand.batch_size), len(both[0]), len(both[1])

    def pick(total: int, count: int, iteration: int) -> list[int]:
        rows: list[int] = context.rng("train", "preview", iteration).permutation(total).tolist()
        return sorted(rows[:count])

    return Scene(
        name=name,
        folder=folder,
        spec=demand.spec,
        source=source,
        target=target,
        viewer=Viewer(supply.plain, show, demand.batch_size),
        elsewhere=elsewhere,
        pick=pick,
        settings=settings,
        probes=probes,
    )


def settings_of(train: Any, model: Any, batch_size: int, device: torch.device) -> dict[str, Any]:
    """What a session was told beyond the defaults of `[train]` and of the model."""
    given = {"train": train, "model": model}
    return {
        "batch_size": batch_size,
        "device": str(device),
        **{name: _changed(options) for name, options in given.items()},
    }


def uncompiled() -> contextlib.AbstractContextManager[Any]:
    """While this lasts, torch runs the nets as they are written.

    Faces on sheets are not as many as in a batch: everything would be compiled anew for them.
    """
    if "torch._dynamo" not in sys.modules:  # nothing is compiled, and importing it takes seconds
        return contextlib.nullcontext()
    eager: contextlib.AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
    return eager


def _changed(options: Any) -> dict[str, Any]:
    default = plain(type(options)())
    return {name: value for name, value in plain(options).items() if value != default[name]}
