"""`meta.dat`: the metadata of a folder's faces, kept aside while their pictures are edited."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mien.atomic import write_whole
from mien.errors import InputError
from mien.faceset.foreign import read_bytes
from mien.weights.pickles import Limits, PickleError, UnsafePickleError, loads

from .pickled import dumps

NAME = "meta.dat"
_MOST_BYTES = 1 << 31
_LIMITS = Limits(depth=16)

Saved = Mapping[str, tuple[tuple[int, int, int], Mapping[str, Any]]]
"""By file name: the picture's shape (h, w, 3) in pixels when it was saved, and its metadata."""


def read_meta(path: Path) -> Saved:
    """What a `meta.dat` holds.  Raises InputError where it is damaged or refused."""
    where = f"'{path}'"
    data = read_bytes(path, where, "list of faces", _MOST_BYTES)
    try:
        saved = loads(data, limits=_LIMITS)
    except UnsafePickleError as error:
        raise InputError(f"{where}: is refused: it {error}") from error
    except PickleError as error:
        raise InputError(f"{where}: is damaged: {error}") from error
    if not isinstance(saved, dict) or not all(map(_is_entry, saved, saved.values())):
        raise InputError(f"{where}: is no list of saved metadata")
    return saved


def write_meta(path: Path, saved: Saved) -> None:
    """Write a `meta.dat`, whole or not at all.  Raises OutputError."""
    write_whole(path, dumps(dict(saved), 3))


def _is_entry(name: Any, value: Any) -> bool:
    if not isinstance(name, str) or not isinstance(value, tuple) or len(value) != 2:
        return False
    shape, info = value
    whole = isinstance(shape, tuple) and len(shape) == 3 and all(type(n) is int for n in shape)
    return whole and all(n > 0 for n in shape) and isinstance(info, dict)
