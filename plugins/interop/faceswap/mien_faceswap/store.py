"""A folder of faceswap's faces, as this program reads it."""

from __future__ import annotations

import os
from pathlib import Path

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

from .faces import to_record
from .png import take_apart
from .state import find_states, read_state

_LOOKED_AT = 8
_SUFFIXES = (".jpg", ".jpeg", ".png")
_MOST_FILE = 1 << 28


def open_store(path: Path) -> FaceStore | None:
    """The faces of a folder; None where they are not faceswap's.

    Raises InputError where the folder holds a model of faceswap's instead.
    """
    try:
        found = [each for each in path.iterdir() if each.suffix.lower() in _SUFFIXES]
    except OSError:
        return None
    listed = sorted((each for each in found if each.name[0] != "."), key=natural_key)
    if any(map(_is_face, listed[:_LOOKED_AT])):
        return PngFolder(listed)
    states = [] if listed else find_states(path)
    if states:
        state = read_state(states[0])
        raise InputError(
            f"{path}: holds faceswap's model '{state.name}' ({state.iterations} iterations), which "
            "cannot be taken over; name a folder of its faces or an alignments file"
        )
    return None


def _is_face(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return read_header(stream, "").foreign == "faceswap"
    except (OSError, ValueError, InputError):
        return False


class PngFolder:
    """A folder of PNG files; pictures of ours among them are read as such."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = tuple(paths)

    def record(self, path: Path, /) -> FaceRecord:
        """What is known of a face."""
        taken = self._taken(path)
        return read_record(path) if taken is None else taken[1]

    def read(self, path: Path, /) -> tuple[Image, FaceRecord]:
        """The crop and what is known of it."""
        taken = self._taken(path)
        if taken is None:
            return read_face(path)
        return decode_picture(taken[0], taken[1].size, f"face '{path}'"), taken[1]

    def file(self, path: Path, /) -> FaceFile:
        """The picture as it lies, without the header."""
        taken = self._taken(path)
        if taken is None:
            return read_file(path)
        check_whole(taken[0], f"face '{path}'")
        return FaceFile(name=path.stem, data=taken[0], record=taken[1])

    def _taken(self, path: Path) -> tuple[bytes, FaceRecord] | None:
        """Picture and record; None where the picture is none of faceswap's."""
        if path.suffix.lower() != ".png":
            return None
        where = f"face '{path}'"
        try:
            with path.open("rb") as stream:
                if os.fstat(stream.fileno()).st_size > _MOST_FILE:
                    raise InputError(f"{where}: is larger than any face")
                data = stream.read()
        except (OSError, ValueError) as error:
            raise InputError(f"{where}: cannot be read ({error})") from error
        parts = take_apart(data, where)
        if parts.header is None:
            return None
        return parts.picture, to_record(parts.header, parts.width, parts.height, where)
