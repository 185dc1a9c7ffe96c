"""A folder of faces, in the order a person would count them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..arrays import Image
from ..errors import InputError
from .files import SUFFIXES, read_face, read_record
from .record import FaceRecord

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredFace:
    """A face as it lies in a faceset; image (S, S, 3) BGR uint8 or uint16."""

    path: Path
    image: Image
    record: FaceRecord


class Faceset:
    """The faces of a folder.

    Pictures that are damaged or carry no metadata are skipped while iterating; `notes` then holds
    a sentence about each.
    """

    def __init__(self, folder: Path) -> None:
        """List the folder.  Raises InputError where it is missing or holds no JPEG or PNG."""
        self.folder = folder
        self.notes: list[str] = []
        try:
            found = [p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES]
        except FileNotFoundError as error:
            raise InputError(f"faceset '{folder}': there is no such folder") from error
        except OSError as error:
            raise InputError(f"faceset '{folder}': cannot be read ({error.strerror})") from error
        # A hidden file is what an interrupted write left behind.
        self.paths = tuple(sorted((p for p in found if p.name[0] != "."), key=natural_key))
        if not self.paths:
            raise InputError(
                f"faceset '{folder}': holds no JPEG or PNG picture; fill it with 'mien extract'"
            )

    def __len__(self) -> int:
        """How many pictures there are, readable or not."""
        return len(self.paths)

    def __iter__(self) -> Iterator[StoredFace]:
        """Every readable face.  Raises InputError where not one is."""

        def read(path: Path) -> StoredFace:
            image, record = read_face(path)
            return StoredFace(path=path, image=image, record=record)

        return self._readable(read)

    def records(self) -> Iterator[tuple[Path, FaceRecord]]:
        """What is known of every face whose header can be read; reads no pixels."""
        return self._readable(lambda path: (path, read_record(path)))

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
        if sentence not in self.notes:
            self.notes.append(sentence)


def natural_key(path: Path) -> tuple[tuple[int, str], ...]:
    """Sorts `face_2` before `face_10`; names that differ only in case stay apart."""
    words = re.findall(r"\d+|\D+", path.name)
    return (*((int(w), "") if w.isdecimal() else (-1, w.lower()) for w in words), (-2, path.name))
