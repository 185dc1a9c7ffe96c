"""`faceset.pak`: many face files in one, behind a pickle that repeats what they say.

All numbers are little-endian uint64: version 1, length B of the pickle, the pickle (a list of n
tables), n + 1 offsets, and the files one after the other.  Offset i < n counts from the first file;
the last one, as the original writes it, is the size of the whole pack.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from mien.errors import InputError
from mien.weights.pickles import Limits, PickleError, UnsafePickleError, loads

from .pickled import Member, dumps

NAME = "faceset.pak"
_VERSION = 1
_HEAD = struct.Struct("<QQ")
_MOST_CONFIG = 1 << 31
_MOST_FILE = 1 << 28
_LIMITS = Limits(depth=16)
_FACE_TYPE = ("facelib.FaceType", "FaceType")
_SAMPLE_TYPE = ("samplelib.Sample", "SampleType")
_FACE = Member(*_SAMPLE_TYPE, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A face of a pack: its name and person, where its file lies, and what the pack says of it."""

    name: str
    person: str
    start: int
    size: int
    info: Mapping[str, Any]


def read_pack(path: Path) -> list[Packed]:
    """What a pack holds, without its files.  Raises InputError where it is damaged or refused."""
    where = f"faceset '{path}'"
    try:
        with path.open("rb") as stream:
            whole = os.fstat(stream.fileno()).st_size
            return _read(stream, whole, where)
    except OSError as error:
        raise InputError(f"{where}: cannot be read ({error.strerror})") from error


def _read(stream: BinaryIO, whole: int, where: str) -> list[Packed]:
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        raise InputError(f"{where}: breaks off in its header")
    version, length = _HEAD.unpack(head)
    if version != _VERSION:
        raise InputError(f"{where}: is of version {version}, only {_VERSION} is known")
    if length > min(_MOST_CONFIG, whole - _HEAD.size):
        raise InputError(f"{where}: claims a list of {length} bytes in a file of {whole}")
    tables = _tables(stream.read(length), where)
    raw = stream.read(8 * (len(tables) + 1))
    if len(raw) < 8 * (len(tables) + 1):
        raise InputError(f"{where}: breaks off in its list of {len(tables)} files")
    begin = _HEAD.size + length + len(raw)
    starts = [begin + each for each in struct.unpack(f"<{len(tables)}Q", raw[:-8])]
    ends = [*starts, whole][1:]
    packed: list[Packed] = []
    for table, start, end in zip(tables, starts, ends, strict=True):
        if not begin <= start <= end <= whole or end - start > _MOST_FILE:
            raise InputError(f"{where}: face {len(packed)} lies at {start} to {end} of {whole}")
        person = table.get("person_name")
        packed.append(
            Packed(
                name=_file_name(table.get("filename"), where),
                person="" if person is None else _file_name(person, where),
                start=start,
                size=end - start,
                info=table,
            )
        )
    return packed


def _tables(payload: bytes, where: str) -> list[dict[str, Any]]:
    also = {
        _FACE_TYPE: lambda *values: _member(_FACE_TYPE, values),
        _SAMPLE_TYPE: lambda *values: _member(_SAMPLE_TYPE, values),
    }
    try:
        tables = loads(payload, also=also, limits=_LIMITS)
    except UnsafePickleError as error:
        raise InputError(f"{where}: is refused: its list {error}") from error
    except PickleError as error:
        raise InputError(f"{where}: its list is damaged: {error}") from error
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        raise InputError(f"{where}: its list is no list of faces")
    return tables


def _member(name: tuple[str, str], values: tuple[Any, ...]) -> Member:
    if len(values) != 1 or type(values[0]) is not int:
        raise ValueError(f"{'.'.join(name)} is made of {values!r:.40}")
    return Member(*name, values[0])


def _file_name(name: Any, where: str) -> str:
    """A name that stays in its folder.  Raises InputError."""
    plain = isinstance(name, str) and name not in ("", ".", "..") and len(name) <= 255
    if not plain or set(name) & set("/\\\0:") or any("\ud800" <= each <= "\udfff" for each in name):
        raise InputError(f"{where}: holds a file called {name!r:.60}")
    return str(name)


def write_pack(stream: BinaryIO, infos: Sequence[Mapping[str, Any]], lengths: Sequence[int]) -> int:
    """Write all that stands before the files; where the first of them goes.

    infos  as `entry` makes them;  lengths  bytes of each file
    """
    payload = dumps(list(infos), 4)
    begin = _HEAD.size + len(payload) + 8 * (len(lengths) + 1)
    starts, at = [], 0
    for length in lengths:
        starts.append(at)
        at += length
    stream.write(_HEAD.pack(_VERSION, len(payload)) + payload)
    stream.write(struct.pack(f"<{len(lengths) + 1}Q", *starts, begin + at))
    return begin


def entry(
    *, name: str, person: str | None, face_type: int, shape: tuple[int, int, int],
    landmarks: Any, polys: Any, mask: Any, brow: float, source: Any,
) -> dict[str, Any]:  # fmt: skip
    """What a pack says of a face, in the original's order."""
    return {
        "sample_type": _FACE,
        "filename": name,
        "face_type": Member(*_FACE_TYPE, face_type),
        "shape": shape,
        "landmarks": landmarks,
        "seg_ie_polys": polys,
        "xseg_mask": None,
        "xseg_mask_compressed": mask,
        "eyebrows_expand_mod": brow,
        "source_filename": source,
        "person_name": person,
    }
