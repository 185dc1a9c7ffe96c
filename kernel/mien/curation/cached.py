"""The pass over a faceset, and what it leaves beside it so that nothing is decoded twice."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..atomic import write_whole
from ..errors import InputError, OutputError, StoppedError
from ..faceset import Faceset
from .measure import measure, origin
from .table import COLUMNS, Group, Table, columns_of

_VERSION = 1
_AT_ONCE = 64
CACHE_NAME = ".mien-measures.npz"

Key = tuple[str, int, int]
"""Name within the faceset, bytes, and time of the last change: a picture that was measured."""


class Measures:
    """What is known of pictures, by their key; kept in a file beside them."""

    def __init__(self) -> None:
        self.rows: dict[Key, int] = {}
        self.done: NDArray[np.uint8] = np.zeros(0, np.uint8)
        self.origins: list[str] = []
        self.columns: dict[str, NDArray[Any]] = {}

    @classmethod
    def load(cls, path: Path) -> Measures:
        """What the file holds; nothing where there is none, or it is damaged or of another age."""
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                return cls._read(stored)
        except (OSError, ValueError, KeyError, TypeError, EOFError, MemoryError):
            return cls()
        except zipfile.BadZipFile:
            return cls()

    @classmethod
    def _read(cls, stored: Mapping[str, NDArray[Any]]) -> Measures:
        facts = json.loads(bytes(stored["facts"]).decode())
        made = cls()
        if facts["version"] != _VERSION:
            return made
        made.origins = [str(name) for name in facts["origins"]]
        made.rows = {(str(a), int(b), int(c)): row for row, (a, b, c) in enumerate(facts["keys"])}
        made.done = stored["done"]
        count = len(made.rows)
        if made.done.shape != (count,) or len(made.origins) != count:
            raise ValueError("rows are missing")
        for name, column in COLUMNS.items():
            if name not in stored:
                if (made.done & column.group).any():
                    raise ValueError(f"column {name} is missing")
                continue
            values = stored[name]
            if values.shape != (count, *column.shape) or values.dtype != column.dtype:
                raise ValueError(f"column {name} is of another shape")
            made.columns[name] = values
        return made

    def save(self, path: Path) -> None:
        """Write the file, whole.  Raises OutputError where the place will not take it."""
        facts = {"version": _VERSION, "keys": list(self.rows), "origins": self.origins}
        buffer = io.BytesIO()
        packed = np.frombuffer(json.dumps(facts).encode(), np.uint8)
        np.savez(buffer, facts=packed, done=self.done, **self.columns)  # type: ignore[arg-type]
        write_whole(path, buffer.getvalue())

    def lacking(self, key: Key, groups: Group) -> Group:
        """The groups that were not measured of a picture."""
        row = self.rows.get(key)
        return groups if row is None else Group(int(groups) & ~int(self.done[row]))

    def take(self, keys: Sequence[Key], groups: Group) -> tuple[list[str], dict[str, Any]]:
        """Origins and columns of pictures that were all measured."""
        rows = np.array([self.rows[key] for key in keys], np.int64)
        return (
            [self.origins[row] for row in rows],
            {name: self.columns[name][rows] for name in columns_of(groups)},
        )

    def put(self, entries: Sequence[tuple[Key, Group, str, Mapping[str, Any]]]) -> None:
        """Add what was measured of some pictures."""
        if not entries:
            return
        for key, _, name, _ in entries:
            if key not in self.rows:
                self.rows[key] = len(self.rows)
                self.origins.append(name)
        count = len(self.rows)
        self.done = _grown(self.done, count, (), np.uint8)
        for group in Group:
            if not any(each[1] & group for each in entries):
                continue
            for name in columns_of(group):
                column = COLUMNS[name]
                old = self.columns.get(name, np.zeros((0, *column.shape), column.dtype))
                self.columns[name] = _grown(old, count, column.shape, column.dtype)
        for name, values in self.columns.items():
            self.columns[name] = _grown(values, count, COLUMNS[name].shape, COLUMNS[name].dtype)
        for key, groups, _, found in entries:
            row = self.rows[key]
            self.done[row] |= int(groups)
            for name, value in found.items():
                self.columns[name][row] = value

    def only(self, keys: Sequence[Key]) -> Measures:
        """Without the pictures that are no longer there."""
        kept = [key for key in keys if key in self.rows]
        rows = np.array([self.rows[key] for key in kept], np.int64)
        made = Measures()
        made.rows = {key: row for row, key in enumerate(kept)}
        made.origins = [self.origins[row] for row in rows]
        made.done = self.done[rows] if len(rows) else made.done
        made.columns = {name: values[rows] for name, values in self.columns.items() if len(rows)}
        return made

    def rename(self, names: Mapping[str, str]) -> None:
        """Follow pictures to their new names."""
        self.rows = {
            (names.get(name, name), size, time): row
            for (name, size, time), row in self.rows.items()
        }


def measure_faces(
    faceset: Faceset,
    groups: Group,
    *,
    elsewhere: Path | None = None,
    threads: int = 1,
    cancel: threading.Event | None = None,
    advance: Callable[[int], None] = lambda done: None,
) -> Table:
    """Measure every face of a set that can be read; `faceset.notes` tells of the others.

    elsewhere  a folder for what was measured where the set's own cannot be written
    Pictures known from an earlier pass are neither read nor decoded.  Raises InputError where not
    one can be read, StoppedError after `cancel`: what was measured by then is kept.
    """
    places = [cache_path(faceset.folder)]
    if elsewhere is not None:
        places.append(elsewhere / f"{_address(faceset.folder)}.npz")
    place = next((path for path in places if path.is_file()), places[0])
    known = Measures.load(place)
    keys = dict(zip(faceset.paths, _keys(faceset), strict=True))
    missing = [
        (path, key, lacking)
        for path, key in keys.items()
        if key is not None and (lacking := known.lacking(key, groups))
    ]
    readable = {path for path, key in keys.items() if key is not None}
    entries: list[tuple[Key, Group, str, Mapping[str, Any]]] = []
    passed = _passed(faceset, missing, threads, cancel)
    try:
        for number, ((path, key, _), answer) in enumerate(zip(missing, passed, strict=True), 1):
            if isinstance(answer, str):
                faceset.notes.append(answer)
                readable.discard(path)
            else:
                entries.append((key, *answer))
            advance(len(faceset) - len(missing) + number)
    finally:
        known.put(entries)
        if missing:
            _save(known.only([key for key in keys.values() if key]), places)
    paths = tuple(path for path in faceset.paths if path in readable)
    if not paths:
        said = faceset.notes[0] if faceset.notes else "no picture is left"
        raise InputError(f"faceset '{faceset.folder}': holds no readable face; the first: {said}")
    origins, values = known.take([found for path in paths if (found := keys[path])], groups)
    return Table(paths, tuple(origins), values)


def follow(folder: Path, names: Mapping[str, str]) -> None:
    """Let what was measured follow pictures of a folder to their new names."""
    place = cache_path(folder)
    known = Measures.load(place)
    if known.rows:
        known.rename(names)
        _save(known, [place])


def cache_path(folder: Path) -> Path:
    """Where the measurements of a faceset lie: in its folder, or beside the file that holds it."""
    if folder.is_file():
        return folder.with_name(f".{folder.name}{CACHE_NAME}")
    return folder / CACHE_NAME


def _save(known: Measures, places: Sequence[Path]) -> None:
    for place in places:
        try:
            known.save(place)
        except OutputError:  # read-only: it costs a second pass, nothing else
            continue
        return


def _passed(
    faceset: Faceset,
    missing: Sequence[tuple[Path, Key, Group]],
    threads: int,
    cancel: threading.Event | None,
) -> Iterator[tuple[Group, str, dict[str, Any]] | str]:
    """The measurements of each, or a sentence about why there are none."""

    def one(item: tuple[Path, Key, Group]) -> tuple[Group, str, dict[str, Any]] | str:
        path, _, groups = item
        try:
            if groups == Group.RECORD:
                record = faceset.store.record(path)
                return groups, origin(record), measure(None, record, groups)
            image, record = faceset.store.read(path)
            return groups, origin(record), measure(image, record, groups)
        except InputError as error:
            return f"skipped {error}"

    with ThreadPoolExecutor(max(1, threads)) as pool:
        for start in range(0, len(missing), _AT_ONCE):
            if cancel is not None and cancel.is_set():
                raise StoppedError(
                    f"{faceset.folder}: stopped after {start} of {len(missing)} faces; run it again"
                )
            yield from pool.map(one, missing[start : start + _AT_ONCE])


def _keys(faceset: Faceset) -> Iterator[Key | None]:
    """The key of every picture; None, with a note, for one that has gone."""
    for path in faceset.paths:
        name = path.name
        if path.is_relative_to(faceset.folder):
            name = path.relative_to(faceset.folder).as_posix()
        for place in (path, faceset.folder / "faceset.pak", faceset.folder):
            try:
                facts = place.stat()
            except OSError:
                continue
            if place != faceset.folder or faceset.folder.is_file():
                yield name, facts.st_size, facts.st_mtime_ns
                break
        else:
            faceset.notes.append(f"skipped face '{path}': it is no longer there")
            yield None


def _grown(values: NDArray[Any], count: int, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    if len(values) >= count:
        return values
    made = np.zeros((count, *shape), dtype)
    made[: len(values)] = values
    return made


def _address(folder: Path) -> str:
    import hashlib

    return hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:24]
