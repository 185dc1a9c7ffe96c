"""Where faces may lie: in pictures of ours, or in files of other programs that a plugin can read.

A plugin answers `mien_open_faceset` with a `FaceStore`, `mien_open_face_writer` with a
`FaceWriter`, and the hooks about alignments with `FrameFaces`; all else is done here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from ..arrays import Image
from ..types import Face
from .record import FaceRecord

POLYGONS = "polygons"
"""Key of `FaceRecord.extra` for what somebody drew: {"size": crop side in pixels, "shapes":
[{"label": "include" or "exclude", "points": [[x, y], ...]}, ...]}, later shapes over earlier ones.
"""

FOREIGN = {"DeepFaceLab": "mien-dfl", "faceswap": "mien-faceswap"}
"""Programs whose faces a distribution of ours can read, for errors that say what to install."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FaceFile:
    """A face as a file: the bytes of a JPEG or PNG without any metadata, and what is known.

    name  of the file, without suffix;  person  of whom it is, empty where nobody said
    """

    name: str
    data: bytes
    record: FaceRecord
    person: str = ""

    @property
    def suffix(self) -> str:
        """`.jpg` or `.png`, by what the bytes are."""
        return ".jpg" if self.data[:2] == b"\xff\xd8" else ".png"


class FaceStore(Protocol):
    """The faces of one place.  Many threads may read at once.

    Every method but `paths` raises InputError where this face cannot be read.
    """

    @property
    def paths(self) -> Sequence[Path]:
        """One for each face, in order; of a packed set, where its faces would lie unpacked."""
        ...

    def record(self, path: Path, /) -> FaceRecord:
        """What is known of a face, without decoding its picture."""
        ...

    def read(self, path: Path, /) -> tuple[Image, FaceRecord]:
        """The crop, (S, S, 3) BGR uint8 or uint16, and what is known of it."""
        ...

    def file(self, path: Path, /) -> FaceFile:
        """The picture as it lies, to be kept without being encoded once more."""
        ...


class FaceWriter(Protocol):
    """Writes faces as another program keeps them.  Use it as a context manager."""

    def add(self, face: FaceFile, /) -> bool:
        """Write one face; False where the same one was there already.

        Raises InputError where this face cannot be had in that form, OutputError where it cannot be
        written.
        """
        ...

    def __enter__(self) -> Self:
        """The writer."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        """Finish what was begun; where an error came, leave nothing half done."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What could not be carried over, a sentence each."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrameFaces:
    """One frame of another program's list of faces.

    name  of the frame's file, or what stands for it;  faces  in their order, in frame pixels
    """

    name: str
    faces: tuple[Face, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Alignments:
    """What another program knows of a clip's faces; `notes` says what was not carried over."""

    frames: tuple[FrameFaces, ...]
    notes: tuple[str, ...] = ()
