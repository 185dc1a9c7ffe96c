"""`.fsa` files: alignments as a pickle of plain data, compressed with zlib.

Versions 2.0 to 2.4 are read and handed on as the tree that 2.4 keeps; 2.4 is written.  Where a
version kept NumPy's arrays, they are read as data: no class of the file is ever looked up.
"""

from __future__ import annotations

import pickle
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from mien.atomic import write_whole
from mien.errors import InputError
from mien.faceset.foreign import read_bytes
from mien.weights.pickles import Limits, PickleError, UnsafePickleError, loads

VERSION = 2.4
_OLDEST = 2.0
_LIMITS = Limits(depth=16)
_MOST_FILE = 1 << 30
# What packs better than this is a trap: real files shrink to a half or a third.
_MOST_RATIO = 200
_ROOM = 1 << 20
_FIRST: tuple[str, ...] = ("x", "y", "w", "h", "landmarks_xy", "mask")
_RENAMED = {"landmarksXY": "landmarks_xy"}


def read_fsa(path: Path) -> dict[str, Any]:
    """The tree of an `.fsa` file, as version 2.4 keeps it.

    Raises InputError where the file is damaged, refused, or of a version that is not known.
    """
    where = f"alignments '{path}'"
    packed = read_bytes(path, where, "list of faces", _MOST_FILE)
    try:
        tree = loads(_inflate(packed, where), limits=_LIMITS)
    except UnsafePickleError as error:
        raise InputError(f"{where}: is refused: it {error}") from error
    except PickleError as error:
        raise InputError(f"{where}: is damaged: {error}") from error
    return _modern(tree, where)


def write_fsa(path: Path, tree: dict[str, Any]) -> None:
    """Write a tree of version 2.4, whole or not at all.  Raises OutputError."""
    write_whole(path, zlib.compress(pickle.dumps(tree, 4)))


def _inflate(packed: bytes, where: str) -> bytes:
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(packed, len(packed) * _MOST_RATIO + _ROOM)
    except zlib.error as error:
        raise InputError(f"{where}: is damaged: {error}") from error
    if inflater.unconsumed_tail:
        raise InputError(f"{where}: is refused: it unpacks to more than any list of faces")
    if not inflater.eof:
        raise InputError(f"{where}: breaks off")
    return data


def _modern(tree: Any, where: str) -> dict[str, Any]:
    if not isinstance(tree, dict) or not isinstance(tree.get("__meta__"), dict):
        raise InputError(f"{where}: is older than version {_OLDEST}, or no list of faces")
    version, frames = tree["__meta__"].get("version"), tree.get("__data__")
    if not isinstance(version, int | float) or not _OLDEST <= version < 3:
        raise InputError(
            f"{where}: is of version {version!r:.20}; known are {_OLDEST} to {VERSION}"
        )
    if not isinstance(frames, dict):
        raise InputError(f"{where}: holds no frames")
    made = {
        str(name): _frame(value, f"{where}: frame '{name!s:.200}'")
        for name, value in frames.items()
    }
    return {"__meta__": {"version": VERSION}, "__data__": made}


def _frame(value: Any, where: str) -> dict[str, Any]:
    table = {"faces": value} if isinstance(value, list) else value
    if not isinstance(table, dict) or not isinstance(table.get("faces"), list):
        raise InputError(f"{where}: holds no list of faces")
    faces = [_face(each, where) for each in table["faces"]]
    return {**table, "faces": faces, "video_meta": table.get("video_meta") or {}}


def _face(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{where}: holds a face that is no table")
    face = {_RENAMED.get(key, _word(key)): _plain(each) for key, each in value.items()}
    masks = face.get("mask") or {}
    if not isinstance(masks, dict) or not all(isinstance(each, dict) for each in masks.values()):
        raise InputError(f"{where}: holds masks that are no tables")
    face["mask"] = {
        name: {_word(key): _plain(each) for key, each in mask.items()}
        | {"stored_centering": mask.get("stored_centering", "face")}
        for name, mask in masks.items()
    }
    ordered: dict[str, Any] = {key: face[key] for key in _FIRST if key in face}
    ordered["identity"] = face.get("identity") or {}
    ordered["thumb"] = face.get("thumb")
    return ordered | {key: each for key, each in face.items() if key not in ordered}


def _word(key: Any) -> str:
    """The key as Python keeps names in a program: one of each, which a pickle refers to again."""
    return sys.intern(str(key))


def _plain(value: Any) -> Any:
    """Lists in place of arrays, as 2.4 keeps them."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else value
