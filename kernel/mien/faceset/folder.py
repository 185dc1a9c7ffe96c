"""The faces of a place, in the order a person would count them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..arrays import Image
from ..errors import InputError
from .base import FOREIGN, FaceFile, FaceStore
from .files import PICTURES, read_face, read_file, read_record
from .order import name_key
from .pack import Pack
from .record import FaceRecord

T = TypeVar("T")

_PACKED = {"DeepFaceLab": "faceset.pak"}
"""Files that hold a whole faceset of another program."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredFace:
    """A face as it lies in a faceset; image (S, S, 3) BGR uint8 or uint16."""

    path: Path
    image: Image
    record: FaceRecord


class Folder:
    """A folder of pictures that carry our metadata: a `FaceStore`."""

    def __init__(self, folder: Path) -> None:
        """List the folder.  Raises InputError where it is missing or holds no JPEG or PNG."""
        self._folder = folder
        self.paths = pictures(folder)
        if self.paths:
            return
        for program, name in _PACKED.items():
            if (folder / name).is_file():
                raise InputError(
                    f"faceset '{folder}': holds a '{name}' of {program}; to read it: "
                    f"pip install {FOREIGN[program]}"
                )
        inside = [each for each in sorted(folder.iterdir()) if _holds_pictures(each)]
        if inside:
            raise InputError(
                f"faceset '{folder}': its pictures lie in folders within it; name one of them, "
                f"such as {inside[0]}, or bring them together: 'mien faces restore-names {folder}' "
                "after a sorting, else 'mien faces merge'"
            )
        raise InputError(
            f"faceset '{folder}': holds no JPEG or PNG picture; fill it with 'mien extract'"
        )

    def record(self, path: Path, /) -> FaceRecord:
        """What is known of a face."""
        return read_record(path)

    def read(self, path: Path, /) -> tuple[Image, FaceRecord]:
        """The crop and what is known of it."""
        return read_face(path)

    def file(self, path: Path, /) -> FaceFile:
        """The picture as it lies."""
        return read_file(path)


class Faceset:
    """The faces of a place.

    Pictures that are damaged or carry no metadata are skipped while iterating; `notes` then holds
    a sentence about each.
    """

    def __init__(self, folder: Path, store: FaceStore | None = None) -> None:
        """`store` reads files of another program; without one, `folder` holds pictures of ours, or
        is a pack of them.

        Raises InputError where the place is missing or holds no JPEG or PNG.
        """
        self.folder = folder
        self.store: FaceStore = store or (Pack(folder) if folder.is_file() else Folder(folder))
        self.notes: list[str] = []
        self._noted: set[str] = set()
        self.paths = tuple(self.store.paths)

    def __len__(self) -> int:
        """How many pictures there are, readable or not."""
        return len(self.paths)

    def __iter__(self) -> Iterator[StoredFace]:
        """Every readable face.  Raises InputError where not one is."""

        def read(path: Path) -> StoredFace:
            image, record = self.store.read(path)
            return StoredFace(path=path, image=image, record=record)

        return self._readable(read)

    def records(self) -> Iterator[tuple[Path, FaceRecord]]:
        """What is known of every face whose header can be read; reads no pixels."""
        return self._readable(lambda path: (path, self.store.record(path)))

    def files(self) -> Iterator[FaceFile]:
        """Every readable face as a file, its picture not decoded."""
        return self._readable(self.store.file)

    def _readable(self, read: Callable[[Path], T]) -> Iterator[T]:
        count, first = 0, ""
        for path in self.paths:
            try:
                item = read(path)
            except InputError as error:
                first = first or str(error)
                self._note(f"skipped {error}")
                continue
            count += 1
            yield item
        if count == 0:
            raise InputError(
                f"faceset '{self.folder}': none of its {len(self.paths)} pictures is a readable "
                f"face; the first: {first}"
            )

    def _note(self, sentence: str) -> None:
        if sentence not in self._noted:
            self._noted.add(sentence)
            self.notes.append(sentence)


def _holds_pictures(folder: Path) -> bool:
    try:
        return folder.is_dir() and bool(pictures(folder))
    except InputError:
        return False


def pictures(folder: Path) -> tuple[Path, ...]:
    """The JPEG and PNG files of a folder, `face_2` before `face_10`.

    Raises InputError where the folder is missing or cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            names = [
                entry.name
                for entry in entries
                # A hidden file is what an interrupted write left behind.
                if entry.name[0] != "."
                and os.path.splitext(entry.name)[1].lower() in PICTURES  # noqa: PTH122 - 100,000 names
                and entry.is_file()
            ]
    except FileNotFoundError as error:
        raise InputError(f"faceset '{folder}': there is no such folder") from error
    except OSError as error:
        raise InputError(f"faceset '{folder}': cannot be read ({error.strerror})") from error
    return tuple(folder / name for name in sorted(names, key=name_key))
