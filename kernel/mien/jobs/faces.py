"""`mien faces`: facesets sorted, thinned out and chosen from, by what is measured of faces."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..curation import (
    METHODS,
    Group,
    Table,
    by_person,
    covering_faces,
    grouped,
    likeness,
    measure_faces,
    near_duplicates,
)
from ..curation.best import COVERING
from ..curation.moving import (
    Move,
    apply,
    back,
    finish,
    from_trash,
    into_groups,
    numbered,
    to_trash,
    trash_folder,
)
from ..curation.orders import ANGLES
from ..curation.people import Identities
from ..curation.table import COLUMNS
from ..errors import ConfigError, InputError, NothingFoundError
from ..faceset import PICTURES, Faceset, pictures
from ..finding.options import FindOptions
from ..options import nearest
from ..weights.store import default_cache
from .embedding import identities_of_photographs, identity_of_picture, make_embedder
from .faces_copy import Written, copy_faces, tell_skipped
from .run import Run

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


def measured(
    run: Run, folder: Path, groups: Group, columns: Sequence[str] = ()
) -> tuple[Faceset, Table]:
    """A faceset and its measurements, all of some groups or these columns of them; pictures that
    cannot be read are noted.

    Moves that were broken off are finished first.  Raises StoppedError after `run.cancel`,
    PluginError where identities are asked for and no embedder is installed.
    """
    embedder = make_embedder(run) if groups & Group.IDENTITY else None
    if folder.is_dir() and finish(folder):
        run.events.note(f"{folder}: pictures were still on their way; they are in their places now")
    faceset = run.context.faceset(folder)
    run.events.start(f"measure {folder}", len(faceset), "faces")
    try:
        table = measure_faces(
            faceset,
            groups,
            columns=columns,
            embedder=embedder,
            elsewhere=default_cache(os.environ) / "faces",
            threads=run.context.threads,
            cancel=run.cancel,
            advance=run.events.advance,
        )
    finally:
        run.events.end()
        tell_skipped(run, [faceset])
    return faceset, table


def sort_faces(
    run: Run,
    folder: Path,
    *,
    by: str,
    target: int = 2000,
    reverse: bool = False,
    bins: int = 0,
    same: float | None = None,
) -> Chosen:
    """The faces of a set in an order.

    by  one of `mien.curation.METHODS`;  target  how many faces the best-of orders keep, about
    bins  > 0: also cut the order into that many groups
    same  cosine from which two faces are one person; None as `find.same_person` says
    Raises ConfigError for an unknown order.
    """
    method = METHODS.get(by)
    if method is None:
        raise ConfigError(f"--by {by}: no such order{nearest(by, METHODS)}")
    faceset, table = measured(run, folder, method.groups | Group.RECORD)
    order = by_person(table, _same(run, same)) if by == "identity" else method.run(table, target)
    if reverse:
        groups_back = tuple(group[::-1] for group in order.groups[::-1])
        order = replace(order, kept=order.kept[::-1], groups=groups_back)
    groups = grouped(by, order, table, bins) if bins else []
    scores = order.scores
    if scores is not None and by in ANGLES:
        scores = np.rad2deg(scores)
    return _chosen(faceset, table, order.kept, order.left, scores, groups)


def drop_duplicates(run: Run, folder: Path, *, bits: int) -> Chosen:
    """Of pictures that look the same the sharpest; how far they may differ is told in bits."""
    faceset, table = measured(run, folder, Group.PICTURE | Group.SHARP, ("hash", "sharpness"))
    repeats = near_duplicates(table["hash"], table["sharpness"], bits)
    return _chosen(faceset, table, np.flatnonzero(repeats < 0), np.flatnonzero(repeats >= 0))


def choose_best(run: Run, folder: Path, *, count: int) -> Chosen:
    """So many faces that together show most of the poses, expressions and lights of the set."""
    groups = Group.RECORD | Group.PICTURE | Group.SHARP
    faceset, table = measured(run, folder, groups, COVERING)
    kept = covering_faces(table, count)
    left = np.setdiff1d(np.arange(len(table)), kept)
    return _chosen(faceset, table, kept, left)


def filter_faces(
    run: Run,
    folder: Path,
    *,
    limits: Sequence[str] = (),
    like: Sequence[Path] = (),
    unlike: Sequence[Path] = (),
    same: float | None = None,
) -> Chosen:
    """The faces that keep to all limits, such as `yaw=-30..30` or `size=100..`.

    like, unlike  facesets, pictures or folders of the people who are wanted, and who are not
    same          cosine from which two faces are one person; None as `find.same_person` says
    Angles are in degrees.  What is not known of a face keeps to no limit.  With `like` the score is
    the cosine to the likest face of those people.  Raises ConfigError for a limit that cannot be
    understood, PluginError where people are named and no embedder is installed.
    """
    parsed = [_limit(words) for words in limits]
    groups = Group.IDENTITY if like or unlike else Group(0)
    for name, _, _ in parsed:
        groups |= COLUMNS[name].group
    wanted, unwanted = (_people(run, paths) for paths in (like, unlike))
    columns = [name for name, _, _ in parsed] + ["identity"] * bool(like or unlike)
    faceset, table = measured(run, folder, groups, columns)
    keeps = np.ones(len(table), np.bool_)
    for name, low, high in parsed:
        values = np.rad2deg(table[name]) if name in _DEGREES else table[name]
        inside = (values >= low) & (values <= high)
        run.events.note(_limit_says(name, values, inside))
        keeps &= inside
    scores = None
    if like:
        scores = likeness(table["identity"], wanted)
        keeps &= scores >= _same(run, same)
    if unlike:
        keeps &= likeness(table["identity"], unwanted) < _same(run, same)
    return _chosen(faceset, table, np.flatnonzero(keeps), np.flatnonzero(~keeps), scores)


def _limit_says(name: str, values: NDArray[np.float64], inside: NDArray[np.bool_]) -> str:
    """How many faces a limit keeps, and what there is to choose from."""
    known = values[np.isfinite(values)]
    ranges = f"here {known.min():.4g}..{known.max():.4g}" if len(known) else "not known of any here"
    return f"{name}: {np.count_nonzero(inside)} of {len(values)} faces lie there ({ranges})"


def _people(run: Run, places: Sequence[Path]) -> Identities:
    """The identities of all faces of facesets, of face pictures, and of photographs.  # (N, D)"""
    found = [np.zeros((0, 1), np.float32)]
    for place in places:
        if not place.exists():
            raise InputError(f"{place}: there is no such file or folder")
        if place.suffix.lower() in PICTURES:
            found.append(identity_of_picture(run, place))
            continue
        try:
            next(run.context.faceset(place).records())
        except InputError:
            found.append(identities_of_photographs(run, place))
            continue
        _, table = measured(run, place, Group.IDENTITY)
        found.append(np.asarray(table["identity"], np.float32))
    return np.concatenate(found[1:]) if len(found) > 1 else found[0]


def _same(run: Run, given: float | None) -> float:
    return run.config.section("find", FindOptions).same_person if given is None else given


def rename_sorted(run: Run, chosen: Chosen) -> Moved:
    """Call the kept faces 00000, 00001 and so on, and put the others into the trash."""
    return _move(chosen, numbered(chosen.kept, chosen.folder))


def move_into_groups(run: Run, chosen: Chosen, word: str) -> Moved:
    """Put the kept faces into a folder for each group, and the others into the trash."""
    return _move(chosen, into_groups(chosen.groups, chosen.folder, word))


def trash_left(run: Run, chosen: Chosen) -> Moved:
    """Put what was left out into the trash; the kept faces stay as they are.

    Raises NothingFoundError where no face is kept: a whole set is no choice.
    """
    if not chosen.kept:
        raise NothingFoundError(f"{chosen.folder}: no face would be kept; nothing was moved")
    return _move(chosen, [])


def copy_kept(run: Run, chosen: Chosen, output: Path) -> Written:
    """Write the kept faces into another folder, their pictures as they were encoded."""
    return copy_faces(run, [(run.context.faceset(chosen.folder), chosen.kept)], output)


def restore_names(run: Run, folder: Path) -> Moved:
    """Undo what sorting did: every picture gets the name back under which it first was there."""
    finish(folder)
    done = apply(folder, back(folder))
    return Moved(folder=folder, moved=len(done), trashed=0, trash=trash_folder(folder))


def restore_trash(run: Run, folder: Path, names: Sequence[str] = ()) -> Moved:
    """Bring pictures back from the trash of a set, these or all, under their first names.

    Raises InputError where one is not there.
    """
    if folder.is_dir():
        finish(folder)
    trash = trash_folder(folder)
    there = {path.name: path for path in pictures(trash)} if trash.is_dir() else {}
    if not folder.is_dir() or not there:
        raise InputError(f"{folder}: is a faceset without a trash; {trash} holds no picture")
    wrong = [name for name in names if name not in there]
    if wrong:
        raise InputError(f"{trash}: holds no {', '.join(repr(name) for name in wrong[:5])}")
    done = apply(folder, from_trash([there[name] for name in names or there], folder))
    return Moved(folder=folder, moved=len(done), trashed=0, trash=trash)


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
