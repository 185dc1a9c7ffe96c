"""What was measured of pictures, kept in a file beside them so that nothing is decoded twice."""

from __future__ import annotations

import json
import shutil
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..atomic import whole_file
from .table import COLUMNS, Group

_VERSION = 1
NAME = ".mien-measures.npz"

_FACTS = "facts.npy"
_COPIED = 1 << 20
_DAMAGED = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    MemoryError,
    RecursionError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a file raises that was broken off, or that another program wrote."""

Key = tuple[str, int, int]
"""Name within the faceset, bytes, and time of the last change: a picture that was measured."""


class Measures:
    """What is known of pictures, by their key.

    rows   place of each picture in `done`, `origins` and every column
    done   the groups that were measured of each;  embedder  of whom the identities are
    """

    def __init__(self) -> None:
        self.rows: dict[Key, int] = {}
        self.done: NDArray[np.uint8] = np.zeros(0, np.uint8)
        self.origins: list[str] = []
        self.columns: dict[str, NDArray[Any]] = {}
        self.embedder = ""

    @classmethod
    def load(cls, path: Path, columns: Sequence[str] = tuple(COLUMNS)) -> Measures:
        """What the file holds, of these columns; nothing where it is damaged or of another age."""
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                return cls._read(stored, columns)
        except _DAMAGED:
            return cls()

    @classmethod
    def _read(cls, stored: Mapping[str, NDArray[Any]], columns: Sequence[str]) -> Measures:
        facts = json.loads(bytes(stored["facts"]).decode())
        made = cls()
        if facts["version"] != _VERSION:
            return made
        made.embedder = str(facts.get("embedder", ""))
        made.origins = [str(name) for name in facts["origins"]]
        made.rows = {(str(a), int(b), int(c)): row for row, (a, b, c) in enumerate(facts["keys"])}
        made.done = stored["done"]
        count = len(made.rows)
        if made.done.shape != (count,) or len(made.origins) != count:
            raise ValueError("rows are missing")
        for name in columns:
            column = COLUMNS[name]
            if name not in stored:
                if (made.done & column.group).any():
                    raise ValueError(f"column {name} is missing")
                continue
            values = stored[name]
            if not _fits(values.shape, (count, *column.shape)) or values.dtype != column.dtype:
                raise ValueError(f"column {name} is of another shape")
            made.columns[name] = values
        return made

    def save(self, path: Path) -> None:
        """Write the file, whole.  Raises OSError where the place will not take it."""
        facts = {
            "version": _VERSION,
            "keys": list(self.rows),
            "origins": self.origins,
            "embedder": self.embedder,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as beside:
            np.savez(beside, facts=_packed(facts), done=self.done, **self.columns)  # type: ignore[arg-type]

    def lacking(self, key: Key, groups: Group) -> Group:
        """The groups that were not measured of a picture."""
        row = self.rows.get(key)
        return groups if row is None else Group(int(groups) & ~int(self.done[row]))

    def embedded_by(self, embedder: str) -> None:
        """Forget the identities that another embedder made: its vectors mean something else."""
        if self.embedder != embedder:
            self.embedder = embedder
            self.done = self.done & ~np.uint8(Group.IDENTITY)
            self.columns.pop("identity", None)

    def make_room(self, keys: Sequence[Key]) -> None:
        """Rows for pictures that are about to be measured, so that no column grows again."""
        for key in keys:
            if key not in self.rows:
                self.rows[key] = len(self.rows)
                self.origins.append("")
        self.done = _grown(self.done, len(self.rows))
        self.columns = {name: _grown(each, len(self.rows)) for name, each in self.columns.items()}

    def put(self, key: Key, groups: Group, origin: str, found: Mapping[str, Any]) -> None:
        """Enter what was measured of a picture that has a row."""
        row = self.rows[key]
        self.done[row] |= int(groups)
        self.origins[row] = origin
        for name, value in found.items():
            if name not in self.columns:
                shape = (len(self.rows), *np.shape(value))
                self.columns[name] = np.zeros(shape, COLUMNS[name].dtype)
            self.columns[name][row] = value

    def take(self, keys: Sequence[Key], columns: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
        """Origins and columns of pictures that were all measured."""
        rows = [self.rows[key] for key in keys]
        unknown = np.zeros((len(self.rows), 1), np.float32)  # an embedder that was never asked
        return (
            [self.origins[row] for row in rows],
            {name: _some(self.columns.get(name, unknown), rows) for name in columns},
        )

    def only(self, keys: Sequence[Key]) -> Measures:
        """Without pictures that are no longer there, or of which nothing could be measured."""
        kept = [key for key in keys if key in self.rows and self.done[self.rows[key]]]
        rows = [self.rows[key] for key in kept]
        made = Measures()
        made.embedder = self.embedder
        made.rows = {key: row for row, key in enumerate(kept)}
        made.origins = [self.origins[row] for row in rows]
        made.done = _some(self.done, rows)
        made.columns = {name: _some(values, rows) for name, values in self.columns.items()}
        return made


def follow(folder: Path, names: Mapping[str, str]) -> None:
    """Let what was measured follow pictures of a folder to their new names.

    The columns are copied as they lie: those of a large set fill gigabytes.
    """
    place = cache_path(folder)
    try:
        with zipfile.ZipFile(place) as old, whole_file(place) as beside:
            with old.open(_FACTS) as stream:
                facts = json.loads(bytes(np.lib.format.read_array(stream)).decode())
            facts["keys"] = [(names.get(name, name), *rest) for name, *rest in facts["keys"]]
            with zipfile.ZipFile(beside, "w") as new:
                with new.open(_FACTS, "w") as stream:
                    np.lib.format.write_array(stream, _packed(facts), allow_pickle=False)
                for info in old.infolist():
                    if info.filename != _FACTS:
                        with (
                            old.open(info) as there,
                            new.open(info.filename, "w", force_zip64=True) as here,
                        ):
                            shutil.copyfileobj(there, here, _COPIED)
    except _DAMAGED:
        pass  # the next pass measures again


def _packed(facts: Mapping[str, Any]) -> NDArray[np.uint8]:
    return np.frombuffer(json.dumps(facts).encode(), np.uint8)


def cache_path(folder: Path) -> Path:
    """Where the measurements of a faceset lie: in its folder, or beside the file that holds it."""
    if folder.is_file():
        return folder.with_name(f".{folder.name}{NAME}")
    return folder / NAME


def save_somewhere(known: Measures, places: Sequence[Path]) -> None:
    """Write to the first of the places that takes it; where none does, the next pass is longer."""
    for place in places:
        try:
            known.save(place)
        except OSError:
            continue
        return


def _some(values: NDArray[Any], rows: Sequence[int]) -> NDArray[Any]:
    """Rows of a column; all of them are not copied: a large set's histograms fill gigabytes."""
    if len(rows) == len(values) and all(row == place for place, row in enumerate(rows)):
        return values
    found: NDArray[Any] = values[np.asarray(rows, np.int64)]
    return found


def _grown(values: NDArray[Any], count: int) -> NDArray[Any]:
    if len(values) >= count:
        return values
    made = np.zeros((count, *values.shape[1:]), values.dtype)
    made[: len(values)] = values
    return made


def _fits(shape: Sequence[int], wanted: Sequence[int | None]) -> bool:
    return len(shape) == len(wanted) and all(
        other in (each, None) for each, other in zip(shape, wanted, strict=True)
    )
