"""`mien faces`: facesets sorted, thinned out and chosen from, by what is measured of faces."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..atomic import write_whole
from ..curation import (
    METHODS,
    Group,
    Order,
    Table,
    covering_faces,
    grouped,
    measure_faces,
    near_duplicates,
)
from ..curation.moving import (
    Move,
    apply,
    back,
    finish,
    into_groups,
    numbered,
    to_trash,
    trash_folder,
)
from ..curation.orders import ANGLES
from ..curation.table import COLUMNS
from ..errors import ConfigError, StoppedError
from ..faceset import Faceset, with_record
from ..options import nearest
from ..weights.store import default_cache
from .import_faces import told_apart
from .run import Run

_NAMED = 20
_DEGREES = ("yaw", "pitch", "roll")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chosen:
    """Faces of a set in an order, and those that are left out.

    kept, left  their paths;  scores  of the kept ones, where the order has a score
    groups      the kept ones in groups, where groups were asked for;  unread  could not be read
    """

    folder: Path
    kept: tuple[Path, ...]
    left: tuple[Path, ...]
    scores: tuple[float, ...] | None = None
    groups: tuple[tuple[Path, ...], ...] = ()
    unread: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What became of a choice: how many pictures were moved, how many of them into the trash."""

    folder: Path
    moved: int
    trashed: int
    trash: Path


def measured(run: Run, folder: Path, groups: Group) -> tuple[Faceset, Table]:
    """A faceset and its measurements; pictures that cannot be read are noted.

    Moves that were broken off are finished first.  Raises StoppedError after `run.cancel`.
    """
    if folder.is_dir() and finish(folder):
        run.events.note(f"{folder}: pictures were still on their way; they are in their places now")
    faceset = run.context.faceset(folder)
    run.events.start(f"measure {folder}", len(faceset), "faces")
    try:
        table = measure_faces(
            faceset,
            groups,
            elsewhere=default_cache(os.environ) / "faces",
            threads=run.context.threads,
            cancel=run.cancel,
            advance=run.events.advance,
        )
    finally:
        run.events.end()
        for note in faceset.notes[:_NAMED]:
            run.events.note(note)
        if len(faceset.notes) > _NAMED:
            run.events.note(f"{folder}: {len(faceset.notes) - _NAMED} more pictures were skipped")
    return faceset, table


def sort_faces(
    run: Run, folder: Path, *, by: str, target: int = 2000, reverse: bool = False, bins: int = 0
) -> Chosen:
    """The faces of a set in an order.

    by  one of `mien.curation.METHODS`;  target  how many faces the best-of orders keep, about
    bins  > 0: also cut the order into that many groups.  Raises ConfigError for an unknown order.
    """
    method = METHODS.get(by)
    if method is None:
        raise ConfigError(f"--by {by}: no such order{nearest(by, METHODS)}")
    faceset, table = measured(run, folder, method.groups | Group.RECORD)
    order = method.run(table, target)
    if reverse:
        order = Order(order.kept[::-1], order.left, order.scores)
    groups = grouped(by, order, table, bins) if bins else []
    scores = order.scores
    if scores is not None and by in ANGLES:
        scores = np.rad2deg(scores)
    return _chosen(faceset, table, order.kept, order.left, scores, groups)


def drop_duplicates(run: Run, folder: Path, *, bits: int) -> Chosen:
    """Of pictures that look the same the sharpest; how far they may differ is told in bits."""
    faceset, table = measured(run, folder, Group.PICTURE | Group.SHARP)
    repeats = near_duplicates(table["hash"], table["sharpness"], bits)
    return _chosen(faceset, table, np.flatnonzero(repeats < 0), np.flatnonzero(repeats >= 0))


def choose_best(run: Run, folder: Path, *, count: int) -> Chosen:
    """So many faces that together show most of the poses, expressions and lights of the set."""
    groups = Group.RECORD | Group.PICTURE | Group.SHARP
    faceset, table = measured(run, folder, groups)
    kept = covering_faces(table, count)
    left = np.setdiff1d(np.arange(len(table)), kept)
    return _chosen(faceset, table, kept, left)


def filter_faces(run: Run, folder: Path, *, limits: Sequence[str]) -> Chosen:
    """The faces that keep to all limits, such as `yaw=-30..30` or `size=100..`.

    Angles are in degrees.  What is not known of a face keeps to no limit.  Raises ConfigError for a
    limit that cannot be understood.
    """
    parsed = [_limit(words) for words in limits]
    groups = Group(0)
    for name, _, _ in parsed:
        groups |= COLUMNS[name].group
    faceset, table = measured(run, folder, groups or Group.RECORD)
    keeps = np.ones(len(table), np.bool_)
    for name, low, high in parsed:
        values = np.rad2deg(table[name]) if name in _DEGREES else table[name]
        keeps &= (values >= low) & (values <= high)
    return _chosen(faceset, table, np.flatnonzero(keeps), np.flatnonzero(~keeps))


def rename_sorted(run: Run, chosen: Chosen) -> Moved:
    """Call the kept faces 00000, 00001 and so on, and put the others into the trash."""
    return _move(chosen, numbered(chosen.kept, chosen.folder))


def move_into_groups(run: Run, chosen: Chosen, word: str) -> Moved:
    """Put the kept faces into a folder for each group, and the others into the trash."""
    return _move(chosen, into_groups(chosen.groups, chosen.folder, word))


def trash_left(run: Run, chosen: Chosen) -> Moved:
    """Put what was left out into the trash; the kept faces stay as they are."""
    return _move(chosen, [])


def copy_kept(run: Run, chosen: Chosen, output: Path) -> int:
    """Write the kept faces into another folder, their pictures as they were encoded; how many."""
    return write_files(run, run.context.faceset(chosen.folder), chosen.kept, output)


def write_files(run: Run, faceset: Faceset, paths: Iterable[Path], output: Path) -> int:
    """Write faces as a faceset of ours; those of equal names under several."""
    wanted = set(paths)
    part = Faceset(faceset.folder, faceset.store)
    part.paths = tuple(path for path in faceset.paths if path in wanted)
    count = 0
    for face in told_apart(part.files()):
        folder = output / face.person if face.person else output
        write_whole(folder / f"{face.name}{face.suffix}", with_record(face))
        count += 1
        if run.cancel.is_set():
            raise StoppedError(f"{output}: stopped after {count} faces; run it again")
    for note in part.notes[:_NAMED]:
        run.events.note(note)
    return count


def restore_names(run: Run, folder: Path) -> Moved:
    """Undo what sorting did: every picture gets the name back under which it first was there."""
    finish(folder)
    done = apply(folder, back(folder))
    return Moved(folder=folder, moved=len(done), trashed=0, trash=trash_folder(folder))


def _move(chosen: Chosen, moves: Sequence[Move]) -> Moved:
    gone = to_trash((*chosen.left, *chosen.unread), chosen.folder)
    done = apply(chosen.folder, [*moves, *gone])
    return Moved(
        folder=chosen.folder,
        moved=len(done) - len(gone),
        trashed=len(gone),
        trash=trash_folder(chosen.folder),
    )


def _chosen(
    faceset: Faceset,
    table: Table,
    kept: NDArray[np.int64],
    left: NDArray[np.int64],
    scores: NDArray[np.float64] | None = None,
    groups: Sequence[NDArray[np.int64]] = (),
) -> Chosen:
    known = set(table.paths)
    return Chosen(
        folder=faceset.folder,
        kept=tuple(table.paths[row] for row in kept),
        left=tuple(table.paths[row] for row in left),
        scores=None if scores is None else tuple(float(scores[row]) for row in kept),
        groups=tuple(tuple(table.paths[row] for row in group) for group in groups),
        unread=tuple(path for path in faceset.paths if path not in known and path.exists()),
    )


def _limit(words: str) -> tuple[str, float, float]:
    """`NAME=LOW..HIGH`, either of which may be missing."""
    name, equals, limits = words.partition("=")
    plain = tuple(each for each, column in COLUMNS.items() if not column.shape)
    if name not in plain:
        raise ConfigError(f"'{words}': no such measurement{nearest(name, plain)}")
    low, dots, high = limits.partition("..")
    try:
        if not equals or not dots:
            raise ValueError
        return name, float(low or -np.inf), float(high or np.inf)
    except ValueError:
        raise ConfigError(f"'{words}': write {name}=LOW..HIGH, such as {name}=0..1") from None
