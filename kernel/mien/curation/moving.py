"""Pictures of a faceset under new names and in new places: all of them, even after a power cut.

What is to move is written down first.  Then every picture goes to a name of its own, then to its
place; whoever finds the note later finishes the work.  A second note keeps the first name of every
picture, so that any sorting can be undone.  What was drawn on a picture goes where it goes.
Nothing is ever deleted or written over.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..atomic import reason, whole_file, write_whole
from ..errors import InputError, OutputError
from ..labels import FOLDER, companions
from .store import follow

_MOVES = ".mien-moves.json"
_NAMES = ".mien-names.json"
_STEP = ".mien-move-"


@dataclass(frozen=True, slots=True)
class Move:
    """A picture's place now and then, relative to the folder of the faceset, with `/`."""

    now: str
    then: str


def trash_folder(folder: Path) -> Path:
    """Where pictures go that are of no use: beside the faceset; it is never emptied."""
    if folder.name in ("", "..") or folder.is_symlink():
        folder = folder.resolve()  # `..` of a link leads beside the folder that it names
    return folder.with_name(f"{folder.name}_trash")


def _above(folder: Path) -> str:
    """The trash as places in the faceset call it."""
    return f"../{trash_folder(folder).name}/"


def numbered(paths: Sequence[Path], folder: Path) -> list[Move]:
    """Moves to 00000, 00001 and so on, each with its suffix."""
    return [
        Move(_inside(path, folder), f"{number:05d}{path.suffix}")
        for number, path in enumerate(paths)
    ]


def into_groups(groups: Sequence[Sequence[Path]], folder: Path, word: str) -> list[Move]:
    """Moves into folders WORD_000, WORD_001 and so on, numbered in order within each."""
    return [
        Move(_inside(path, folder), f"{word}_{number:03d}/{place:05d}{path.suffix}")
        for number, group in enumerate(groups)
        for place, path in enumerate(group)
    ]


def to_trash(paths: Iterable[Path], folder: Path) -> list[Move]:
    """Moves into the trash, each under a name that is free there."""
    trash = _above(folder)
    return [Move(_inside(path, folder), f"{trash}{path.name}") for path in paths]


def from_trash(paths: Iterable[Path], folder: Path) -> list[Move]:
    """Moves of pictures of the trash back into the faceset, each under its first name."""
    names, trash = original_names(folder), _above(folder)
    found = [f"{trash}{path.name}" for path in paths]
    return [Move(now, names.get(now, now.removeprefix(trash))) for now in found]


def back(folder: Path) -> list[Move]:
    """Moves that give every picture the first name that is known of it; the trash stays."""
    return [
        Move(now, first)
        for now, first in original_names(folder).items()
        if now != first and not now.startswith("../") and (folder / now).is_file()
    ]


def apply(folder: Path, moves: Sequence[Move]) -> dict[str, str]:
    """Move pictures of a faceset and what belongs to them; the place of each by its old one.

    A name that another picture has, and keeps, gets a number behind it.  Raises OutputError where
    the folder cannot be written; what was begun is finished by the next call, or `finish`.
    """
    finish(folder)
    places = {move.now.rpartition("/")[0] for move in moves}
    drawn = {place for place in places if holds_drawings(folder / place)}
    leaving = {each.now for move in moves for each in (move, *_belongings(folder, move, drawn))}
    taken: set[str] = set()
    free: list[Move] = []
    beside: list[Move] = []
    for move in moves:
        found, belongings = _free(folder, move, taken, leaving, drawn)
        taken |= {each.then.casefold() for each in (found, *belongings)}
        free.append(found)
        beside += belongings
    if not free:
        return {}
    names = original_names(folder)
    # What lies in the trash without a name of its own was called so in the faceset.
    firsts = [names.pop(move.now, move.now.removeprefix(_above(folder))) for move in free]
    for move, first in zip(free, firsts, strict=True):
        if move.then != first:
            names[move.then] = first
    try:
        _make_folders(folder, free)
        _write_note(folder, 1, [*free, *beside], names)
    except OutputError as error:
        raise OutputError(
            f"{folder}: pictures cannot be moved here ({error}); copy the set with "
            f"'mien faces merge {folder} -o NEW', and go on with NEW"
        ) from error
    finish(folder)
    return {move.now: move.then for move in free}


def finish(folder: Path) -> bool:
    """Finish moves that were begun and broken off; whether there were any."""
    note = folder / _MOVES
    try:
        stored = json.loads(note.read_text(encoding="utf-8"))
        moves = [Move(str(now), str(then)) for now, then in stored["moves"]]
        step, names = int(stored["step"]), dict(stored["names"])
    except FileNotFoundError:
        return False
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"{note}: cannot be understood ({error}); moved pictures lie beside it as '{_STEP}…'"
        ) from error
    if not all(_is_safe(place, folder) for move in moves for place in (move.now, move.then)):
        raise InputError(f"{note}: names places outside of the faceset; remove it")
    try:
        if step == 1:
            for number, move in enumerate(moves):
                _rename(folder / move.now, folder / f"{_STEP}{number:06d}")
            _write_note(folder, 2, moves, names)
        for number, move in enumerate(moves):
            between = folder / f"{_STEP}{number:06d}"
            if between.exists():
                target = folder / _numbered_free(folder, move.then)
                target.parent.mkdir(parents=True, exist_ok=True)
                _rename(between, target)
        write_whole(folder / _NAMES, json.dumps(names).encode())
        follow(folder, {move.now: move.then for move in moves})
        note.unlink()
    except OSError as error:
        raise OutputError(f"{folder}: pictures cannot be moved ({reason(error)})") from error
    left = {(folder / move.now).parent for move in moves} - {folder}
    for parent in sorted(left, key=lambda each: -len(each.parts)):
        with contextlib.suppress(OSError):
            parent.rmdir()  # only where it is empty
    return True


def original_names(folder: Path) -> dict[str, str]:
    """The first name of every picture that was moved, by its name now."""
    try:
        stored: Any = json.loads((folder / _NAMES).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(stored, Mapping):
        return {}
    return {
        str(now): str(first)
        for now, first in stored.items()
        if _is_safe(str(now), folder) and _is_safe(str(first))
    }


def _make_folders(folder: Path, moves: Sequence[Move]) -> None:
    """The folders that pictures go to; raises OutputError before any has left its place."""
    for place in {(folder / move.then).parent for move in moves}:
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{place}: cannot be made ({reason(error)})") from error
        if not os.access(place, os.W_OK):
            raise OutputError(f"{place}: cannot be written (read-only)")


def _rename(now: Path, then: Path) -> None:
    try:
        now.rename(then)
    except FileNotFoundError:
        pass  # it was moved before the break, or has gone
    except OSError as error:
        if error.errno != errno.EXDEV:  # the faceset is a disk of its own, its trash is not
            raise
        with whole_file(then) as beside:
            shutil.copy2(now, beside)
        now.unlink()


def _write_note(folder: Path, step: int, moves: Sequence[Move], names: Mapping[str, str]) -> None:
    stored = {"step": step, "moves": [(move.now, move.then) for move in moves], "names": names}
    write_whole(folder / _MOVES, json.dumps(stored).encode())


def _inside(path: Path, folder: Path) -> str:
    if not path.is_relative_to(folder) or not path.exists():
        raise OutputError(
            f"{path}: does not lie in the folder {folder} by itself, so it cannot be moved; if the "
            "set is packed, unpack the set first; if it has just changed, run this again"
        )
    return path.relative_to(folder).as_posix()


def holds_drawings(folder: Path) -> bool:
    """Whether anything in a folder may belong to its pictures: to ask for each takes far longer."""
    try:
        with os.scandir(folder) as entries:
            return any(
                entry.name == FOLDER or (entry.name.endswith(".json") and entry.name[0] != ".")
                for entry in entries
            )
    except OSError:
        return False


def _belongings(folder: Path, move: Move, drawn: Collection[str]) -> list[Move]:
    """The moves of the files that belong to a picture; `drawn` are the places that have some."""
    if move.now.rpartition("/")[0] not in drawn:
        return []
    pairs = companions(folder / move.now, folder / move.then)
    return [
        Move(now.relative_to(folder).as_posix(), then.relative_to(folder).as_posix())
        for now, then in pairs
    ]


def _free(
    folder: Path, move: Move, taken: set[str], leaving: set[str], drawn: Collection[str]
) -> tuple[Move, list[Move]]:
    """The move, and those of its belongings, to a name that none that stays has, and none of
    `taken`."""
    number = 1
    while True:
        found = Move(move.now, _with_number(move.then, number))
        belongings = _belongings(folder, found, drawn)
        places = [each.then for each in (found, *belongings)]
        if not any(
            place.casefold() in taken or (place not in leaving and (folder / place).exists())
            for place in places
        ):
            return found, belongings
        number += 1


def _numbered_free(folder: Path, then: str) -> str:
    """The name, or one with a number where something has appeared there meanwhile."""
    number = 1
    while (folder / _with_number(then, number)).exists():
        number += 1
    return _with_number(then, number)


def _with_number(then: str, number: int) -> str:
    if number == 1:
        return then
    path = PurePosixPath(then)
    return (path.parent / f"{path.stem[:60]}-{number}{path.suffix}").as_posix()


def _is_safe(place: str, folder: Path | None = None) -> bool:
    """Whether a place lies in the faceset, or in its trash."""
    parts = PurePosixPath(place).parts
    if folder is not None and parts[:2] == ("..", trash_folder(folder).name):
        parts = parts[2:]
    return bool(parts) and not place.startswith("/") and ".." not in parts and "\\" not in place
