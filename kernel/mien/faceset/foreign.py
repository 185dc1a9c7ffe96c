"""What plugins for other programs' faces share: a folder of their files, and a writer of them.

A plugin says how one file is taken apart and put together; all else of a `FaceStore` and a
`FaceWriter` is done here.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from ..arrays import Image
from ..atomic import write_changed
from ..errors import InputError
from .base import FaceFile
from .container import check_whole, read_header
from .files import decode_picture, read_face, read_file, read_record
from .folder import pictures
from .record import FaceRecord

_LOOKED_AT = 8
_MOST_FILE = 1 << 28


class ForeignStore:
    """Faces of another program: a `FaceStore`.  Pictures of ours among them are read as such."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(paths)

    def taken(self, path: Path) -> tuple[bytes, FaceRecord] | None:
        """The picture without the program's metadata, and what that says; None where the file is
        none of the program's.  Raises InputError."""
        raise NotImplementedError

    def person(self, path: Path) -> str:
        """Of whom a face is; empty where nobody said."""
        return ""

    def record(self, path: Path, /) -> FaceRecord:
        """What is known of a face."""
        taken = self.taken(path)
        return read_record(path) if taken is None else taken[1]

    def read(self, path: Path, /) -> tuple[Image, FaceRecord]:
        """The crop and what is known of it."""
        taken = self.taken(path)
        if taken is None:
            return read_face(path)
        picture, record = taken
        return decode_picture(picture, record.size, f"face '{path}'"), record

    def file(self, path: Path, /) -> FaceFile:
        """The picture as it lies, without the metadata."""
        taken = self.taken(path)
        if taken is None:
            return read_file(path)
        check_whole(taken[0], f"face '{path}'")
        return FaceFile(name=path.stem, data=taken[0], record=taken[1], person=self.person(path))


class ForeignWriter:
    """Writes a file for each face, a person's in a folder of their own: a `FaceWriter`."""

    suffix = ".jpg"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def notes(self) -> list[str]:
        """What could not be carried over."""
        return []

    def encoded(self, face: FaceFile) -> bytes:
        """The face's file.  Raises InputError where it cannot be had in this form."""
        raise NotImplementedError

    def add(self, face: FaceFile, /) -> bool:
        """Write one face; False where the same file is there already.

        Raises InputError where it cannot be had in this form, OutputError where it cannot be
        written.
        """
        path = self.folder / face.person / f"{face.name}{self.suffix}"
        return write_changed(path, self.encoded(face))

    def close(self) -> None:
        """Finish what `add` began, once all faces were added."""

    def abandon(self) -> None:
        """Let go of what was not finished."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        try:
            if error is None:
                self.close()
        finally:
            self.abandon()


def pictures_of(folder: Path, program: str) -> tuple[list[Path], bool]:
    """The pictures of a folder, in order, and whether one of the first carries the program's
    metadata; none where the folder cannot be read."""
    try:
        listed = list(pictures(folder))
    except InputError:
        return [], False
    return listed, any(_program(path) == program for path in listed[:_LOOKED_AT])


def _program(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return read_header(stream, "").foreign
    except (OSError, ValueError, InputError):
        return ""


def read_bytes(path: Path, where: str, what: str = "face", most: int = _MOST_FILE) -> bytes:
    """A file of another program.

    what, most  what no file larger than so many bytes can be.  Raises InputError.
    """
    try:
        with path.open("rb") as stream:
            if os.fstat(stream.fileno()).st_size > most:
                raise InputError(f"{where}: is larger than any {what}")
            return stream.read()
    except OSError as error:
        raise InputError(f"{where}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise InputError(f"{where}: cannot be read ({error})") from error


def picture_of(face: FaceFile, where: str) -> Image:
    """The crop in 8 bits, (S, S, 3) BGR, as older programs know it.  Raises InputError."""
    image = decode_picture(face.data, face.record.size, where)
    return image if image.dtype == np.uint8 else (image >> 8).astype(np.uint8)
