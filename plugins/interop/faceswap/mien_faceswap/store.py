"""A folder of faceswap's faces, as this program reads it."""

from __future__ import annotations

from pathlib import Path

from mien.errors import InputError
from mien.faceset import FaceRecord, FaceStore
from mien.faceset.foreign import ForeignStore, pictures_of, read_bytes

from .faces import to_record
from .png import take_apart
from .state import find_states, read_state


def open_store(path: Path) -> FaceStore | None:
    """The faces of a folder; None where they are not faceswap's.

    Raises InputError where the folder holds a model of faceswap's instead.
    """
    listed, theirs = pictures_of(path, "faceswap")
    if theirs:
        return PngFolder(listed)
    states = [] if listed else find_states(path)
    if states:
        state = read_state(states[0])
        raise InputError(
            f"{path}: holds faceswap's model '{state.name}' ({state.iterations} iterations), which "
            "cannot be taken over; name a folder of its faces or an alignments file"
        )
    return None


class PngFolder(ForeignStore):
    """A folder of PNG files."""

    def taken(self, path: Path) -> tuple[bytes, FaceRecord] | None:
        """Picture and record; None where the picture is none of faceswap's."""
        if path.suffix.lower() != ".png":
            return None
        where = f"face '{path}'"
        parts = take_apart(read_bytes(path, where), where)
        if parts.header is None:
            return None
        return parts.picture, to_record(parts.header, parts.width, parts.height, where)
