"""A faceset in one file: a ZIP archive of its pictures as they are, nothing compressed.

The pictures lie at the top, what belongs to them (drawings) in folders.  Any program opens such a
file; ours reads each face where it lies, so a pack serves wherever a folder of faces does.  Bytes
are copied, never parsed, and each file has its checksum.
"""

from __future__ import annotations

import contextlib
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from ..arrays import Image
from ..atomic import reason, whole_file
from ..errors import InputError, OutputError
from .base import POLYGONS, FaceFile
from .files import PICTURES, face_of, file_of, record_of
from .order import natural_key
from .record import FaceRecord

_LOCAL_HEAD = 30
_NAME_LENGTHS = 26
_MOST_FILE = 1 << 30
_LABELS = "labels"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class _Entry:
    """Where a file of the archive begins, its bytes and their checksum."""

    start: int
    size: int
    crc: int


class Pack:
    """The faces of a pack: a `FaceStore`."""

    def __init__(self, path: Path) -> None:
        """Read the list of files.  Raises InputError where it is damaged or holds no picture."""
        self._path = path
        self._where = f"faceset '{path}'"
        self._entries = dict(self._listed())
        faces = [name for name in self._entries if _is_picture(name)]
        if not faces:
            raise InputError(
                f"{self._where}: holds no JPEG or PNG picture at its top; "
                "make packs with 'mien faces pack'"
            )
        self.paths = tuple(sorted((path / name for name in faces), key=natural_key))

    @property
    def names(self) -> tuple[str, ...]:
        """Every file of the pack, with `/`."""
        return tuple(self._entries)

    def data(self, name: str) -> bytes:
        """A file as it was packed.  Raises InputError where it is damaged."""
        entry = self._entries[name]
        try:
            with self._path.open("rb") as stream:
                data = _read(stream, entry)
        except OSError as error:
            raise InputError(f"{self._where}: cannot be read ({reason(error)})") from error
        if len(data) != entry.size or zlib.crc32(data) != entry.crc:
            raise InputError(f"face '{self._path / name}': its bytes in the pack are damaged")
        return data

    def record(self, path: Path, /) -> FaceRecord:
        """What is known of a face."""
        return self._drawn(path, record_of(self.data(path.name), f"face '{path}'"))

    def read(self, path: Path, /) -> tuple[Image, FaceRecord]:
        """The crop and what is known of it."""
        image, record = face_of(self.data(path.name), f"face '{path}'")
        return image, self._drawn(path, record)

    def file(self, path: Path, /) -> FaceFile:
        """The picture as it lies."""
        face = file_of(self.data(path.name), path.stem, f"face '{path}'")
        return replace(face, record=self._drawn(path, face.record))

    def _drawn(self, path: Path, record: FaceRecord) -> FaceRecord:
        """The record with what was drawn on the face, which in a folder lies beside it.

        A damaged drawing becomes polygons that are none, for whoever asks for polygons.
        """
        name = f"{_LABELS}/{path.name}.json"
        if name not in self._entries:
            return record
        try:
            label = json.loads(self.data(name))
            drawn = {"size": label["size"], "shapes": label["shapes"]}
        except (ValueError, KeyError, TypeError, RecursionError, InputError):
            drawn = {}
        return replace(record, extra={**record.extra, POLYGONS: drawn})

    def _listed(self) -> Iterator[tuple[str, _Entry]]:
        try:
            with zipfile.ZipFile(self._path) as archive:
                for info in archive.infolist():
                    if not is_safe(info.filename) or info.is_dir():
                        continue
                    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
                        raise InputError(
                            f"{self._where}: '{info.filename}' is compressed or encrypted; unzip "
                            "it, and pack the folder with 'mien faces pack'"
                        )
                    if info.file_size > _MOST_FILE:
                        raise InputError(f"{self._where}: '{info.filename}' is no picture's size")
                    yield info.filename, _Entry(info.header_offset, info.file_size, info.CRC)
        except OSError as error:
            raise InputError(f"{self._where}: cannot be read ({reason(error)})") from error
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise InputError(f"{self._where}: is no whole faceset pack ({error})") from error


@contextlib.contextmanager
def write_pack(path: Path) -> Iterator[Callable[[str, bytes], None]]:
    """What is called with name and bytes of every file; the pack appears when the block ends well.

    Raises OutputError where the place will not take it; the function UnicodeEncodeError for a name
    that is no text.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as beside, zipfile.ZipFile(beside, "w") as archive:

            def add(name: str, data: bytes) -> None:
                info = zipfile.ZipInfo(name, _LONG_AGO)  # the same faces make the same bytes
                info.external_attr = 0o644 << 16
                archive.writestr(info, data)

            yield add
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({reason(error)})") from error


def is_safe(name: str) -> bool:
    """Whether a name of an archive lies within the folder that it is unpacked into."""
    parts = PurePosixPath(name).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts and not set("\\:\0") & set(name)


def _is_picture(name: str) -> bool:
    path = PurePosixPath(name)
    return len(path.parts) == 1 and path.suffix.lower() in PICTURES and name[0] != "."


def _read(stream: BinaryIO, entry: _Entry) -> bytes:
    stream.seek(entry.start + _NAME_LENGTHS)
    lengths = stream.read(4)
    name, extra = (int.from_bytes(lengths[at : at + 2], "little") for at in (0, 2))
    stream.seek(entry.start + _LOCAL_HEAD + name + extra)
    return stream.read(entry.size)
