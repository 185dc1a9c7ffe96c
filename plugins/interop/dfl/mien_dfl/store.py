"""DeepFaceLab's facesets as this program reads them: a folder of JPEG files, or one pack."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mien.arrays import Image
from mien.errors import InputError
from mien.faceset import (
    FaceFile,
    FaceRecord,
    FaceStore,
    check_whole,
    decode_picture,
    natural_key,
    read_face,
    read_file,
    read_header,
    read_record,
)

from . import metadat, pak
from .faces import NUMBERS, to_record
from .jpeg import Parts, take_apart

_LOOKED_AT = 8
_SUFFIXES = (".jpg", ".jpeg", ".png")
_MOST_FILE = 1 << 28


def open_store(path: Path) -> FaceStore | None:
    """The faces of a folder or pack; None where they are not DeepFaceLab's.

    Raises InputError where they are, and cannot be read.
    """
    if path.is_file():
        return Pack(path) if path.suffix.lower() == ".pak" else None
    packed = path / pak.NAME
    if packed.is_file():
        return Pack(packed)
    try:
        found = [each for each in path.iterdir() if each.suffix.lower() in _SUFFIXES]
    except OSError:
        return None
    listed = sorted((each for each in found if each.name[0] != "."), key=natural_key)
    saved = path / metadat.NAME
    if not listed or not (saved.is_file() or any(map(_is_face, listed[:_LOOKED_AT]))):
        return None
    return JpegFolder(listed, metadat.read_meta(saved) if saved.is_file() else {})


def _is_face(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return read_header(stream, "").foreign == "DeepFaceLab"
    except (OSError, ValueError, InputError):
        return False


class JpegFolder:
    """A folder of JPEG files; pictures of ours among them are read as such.

    A picture that lost its metadata, as happens in other programs, takes what `meta.dat` saved.
    """

    def __init__(self, paths: list[Path], saved: metadat.Saved) -> None:
        self.paths = tuple(paths)
        self._saved = saved

    def record(self, path: Path, /) -> FaceRecord:
        """What is known of a face."""
        taken = self._taken(path)
        return read_record(path) if taken is None else taken[1]

    def read(self, path: Path, /) -> tuple[Image, FaceRecord]:
        """The crop and what is known of it."""
        taken = self._taken(path)
        if taken is None:
            return read_face(path)
        picture, record = taken
        return decode_picture(picture, record.size, f"face '{path}'"), record

    def file(self, path: Path, /) -> FaceFile:
        """The picture as it lies, without the metadata."""
        taken = self._taken(path)
        if taken is None:
            return read_file(path)
        check_whole(taken[0], f"face '{path}'")
        return FaceFile(name=path.stem, data=taken[0], record=taken[1])

    def _taken(self, path: Path) -> tuple[bytes, FaceRecord] | None:
        """Picture and record; None where the picture is none of DeepFaceLab's."""
        if path.suffix.lower() == ".png":
            return None
        where = f"face '{path}'"
        parts = take_apart(_bytes(path, where), where)
        if parts.info is not None:
            return parts.picture, _record_of(parts, where)
        saved = self._saved.get(path.name)
        if saved is None:
            return None
        (height, width, _), info = saved
        record = to_record(info, width, height, where)
        if parts.width != parts.height:
            raise InputError(f"{where}: was saved square, is {parts.width}x{parts.height} now")
        return parts.picture, record.resized(parts.width)


class Pack:
    """One `faceset.pak`."""

    def __init__(self, path: Path) -> None:
        """Read the list.  Raises InputError where it is damaged, refused or empty."""
        self._path = path
        packed = pak.read_pack(path)
        if not packed:
            raise InputError(f"faceset '{path}': holds no face")
        self._packed: dict[Path, pak.Packed] = {}
        for each in packed:
            place = path.parent / each.person / each.name
            number = 1
            while place in self._packed:
                number += 1
                place = place.with_name(f"{Path(each.name).stem}-{number}{place.suffix}")
            self._packed[place] = each
        self.paths = tuple(self._packed)

    def record(self, path: Path, /) -> FaceRecord:
        """What is known of a face."""
        return self._taken(path)[1]

    def read(self, path: Path, /) -> tuple[Image, FaceRecord]:
        """The crop and what is known of it."""
        picture, record = self._taken(path)
        return decode_picture(picture, record.size, f"face '{path}'"), record

    def file(self, path: Path, /) -> FaceFile:
        """The picture as it lies, without the metadata."""
        picture, record = self._taken(path)
        check_whole(picture, f"face '{path}'")
        person = self._packed[path].person
        return FaceFile(name=path.stem, data=picture, record=record, person=person)

    def _taken(self, path: Path) -> tuple[bytes, FaceRecord]:
        where = f"face '{path}'"
        parts = take_apart(self._raw(path, where), where)
        if parts.info is None:
            # The file lost its metadata: the pack repeats the most of it.
            return parts.picture, _by_pack(self._packed[path].info, parts, where)
        return parts.picture, _record_of(parts, where)

    def _raw(self, path: Path, where: str) -> bytes:
        each = self._packed[path]
        try:
            with self._path.open("rb") as stream:
                stream.seek(each.start)
                return stream.read(each.size)
        except OSError as error:
            raise InputError(f"{where}: cannot be read ({error.strerror})") from error


def _record_of(parts: Parts, where: str) -> FaceRecord:
    assert parts.info is not None
    return to_record(parts.info, parts.width, parts.height, where, protocol=parts.protocol)


def _by_pack(table: Mapping[str, Any], parts: Parts, where: str) -> FaceRecord:
    kind = getattr(table.get("face_type"), "value", 2)
    info = {
        "face_type": next((name for name, value in NUMBERS.items() if value == kind), None),
        "landmarks": table.get("landmarks"),
        "source_filename": table.get("source_filename"),
        "seg_ie_polys": table.get("seg_ie_polys"),
        "xseg_mask": table.get("xseg_mask_compressed"),
        "eyebrows_expand_mod": table.get("eyebrows_expand_mod"),
    }
    known = {key: value for key, value in info.items() if value is not None}
    return to_record(known, parts.width, parts.height, where)


def _bytes(path: Path, where: str) -> bytes:
    try:
        with path.open("rb") as stream:
            if os.fstat(stream.fileno()).st_size > _MOST_FILE:
                raise InputError(f"{where}: is larger than any face")
            return stream.read()
    except (OSError, ValueError) as error:
        raise InputError(f"{where}: cannot be read ({error})") from error
