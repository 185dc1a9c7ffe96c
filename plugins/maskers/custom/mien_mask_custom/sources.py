"""Where masks come from: which frames have one, and the mask of a frame."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from mien.arrays import Image, as_float
from mien.errors import InputError
from mien.media.files import PICTURES, counter
from mien.media.plugin import open_source
from mien.types import Frame
from numpy.typing import NDArray

from .polygons import Drawing, draw, read_drawings

Channel = Literal["auto", "grey", "alpha"]
Floats = NDArray[np.float32]
_LAST_NUMBER = re.compile(r"(\d+)\D*$")
_BGR_TO_GREY = np.array([0.114, 0.587, 0.299], np.float32)


class Masks(Protocol):
    """Masks by the number of their frame."""

    @property
    def numbers(self) -> Sequence[int] | None:
        """The numbers that have a mask, ascending; None where one mask serves all."""
        ...

    def read(self, number: int) -> Floats:
        """The mask (H, W, 1) of a number that has one, 0..1."""
        ...

    def close(self) -> None:
        """Give files back."""
        ...


class Still:
    """One mask for all frames."""

    numbers: Sequence[int] | None = None

    def __init__(self, mask: Floats) -> None:
        self._mask = mask

    def read(self, number: int) -> Floats:
        """The mask."""
        return self._mask

    def close(self) -> None:
        """Nothing is held."""


class Files:
    """A picture or a JSON file for each number."""

    def __init__(self, paths: Mapping[int, Path], channel: Channel, label: str) -> None:
        self.numbers: Sequence[int] | None = sorted(paths)
        self._paths, self._channel, self._label = paths, channel, label

    def read(self, number: int) -> Floats:
        """The mask of a file."""
        return read_mask(self._paths[number], self._channel, self._label)

    def close(self) -> None:
        """Nothing is held."""


class Drawings:
    """Polygons of many frames in one file."""

    def __init__(self, drawings: Mapping[int, Drawing]) -> None:
        self.numbers: Sequence[int] | None = sorted(drawings)
        self._drawings = drawings

    def read(self, number: int) -> Floats:
        """The polygons of a number, drawn."""
        return draw(self._drawings[number])

    def close(self) -> None:
        """Nothing is held."""


class Clip:
    """The brightness of a clip, numbered from `first`; quick where it is asked in order."""

    def __init__(self, path: Path, first: int) -> None:
        self._source, self._first = open_source(path), first
        info = self._source.info
        count = info.frames if info.exact else sum(1 for _ in self._source.frames())
        self.numbers: Sequence[int] | None = range(first, first + count)
        self._frames: Iterator[Frame] = iter(())
        self._next = -1

    def read(self, number: int) -> Floats:
        """The mask of a frame."""
        index = number - self._first
        if index != self._next:
            self._frames = self._source.frames(start=index)
        frame = next(self._frames, None)
        if frame is None:
            raise InputError(f"the clip of masks ends before frame {index}")
        self._next = index + 1
        return to_mask(frame.image, "grey")

    def close(self) -> None:
        """Close the clip."""
        self._source.close()


def open_masks(source: Path, first: int, channel: Channel, label: str) -> Masks:
    """The masks of a folder, pattern, picture, clip or JSON file.

    Raises InputError where nothing is there, or two files claim one number.
    """
    pattern = counter(source.name)
    if pattern is not None and not source.exists():
        found = [path for path in _listed(source.parent) if pattern.fullmatch(path.name)]
        numbers = [int(pattern.fullmatch(path.name)["number"]) for path in found]  # type: ignore[index]
        return Files(_numbered(numbers, found, source), channel, label)
    if source.is_dir():
        found = [path for path in _listed(source) if path.suffix.lower() in (*PICTURES, ".json")]
        return Files(
            _numbered([_last_number(path) for path in found], found, source), channel, label
        )
    if not source.exists():
        raise InputError(f"{source}: there is no such folder or file, and it is no %04d pattern")
    if source.suffix.lower() == ".json":
        drawings = read_drawings(source, label)
        return Still(draw(drawings)) if isinstance(drawings, Drawing) else Drawings(drawings)
    if source.suffix.lower() in PICTURES:
        return Still(read_mask(source, channel, label))
    return Clip(source, first)


def nearest(numbers: Sequence[int], number: int) -> int:
    """The number next to `number`; of two as near, the earlier."""
    place = bisect.bisect_left(numbers, number)
    around = numbers[max(0, place - 1) : place + 1]
    return min(around, key=lambda each: (abs(each - number), each))


def read_mask(path: Path, channel: Channel, label: str) -> Floats:
    """The mask (H, W, 1) of a picture or of a JSON file of one frame."""
    if path.suffix.lower() == ".json":
        drawing = read_drawings(path, label)
        if not isinstance(drawing, Drawing):
            raise InputError(f"{path}: holds many frames; name the file itself as source")
        return draw(drawing)
    import cv2

    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) else None
    except (OSError, cv2.error) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    if image is None or image.dtype not in (np.uint8, np.uint16, np.float32):
        raise InputError(f"{path}: not a picture of 8 or 16 bit or floating point")
    if channel == "alpha" and (image.ndim == 2 or image.shape[2] != 4):
        raise InputError(f'{path}: has no alpha channel; set channel = "grey"')
    return to_mask(image, channel)


def to_mask(image: Image, channel: Channel) -> Floats:
    """The mask (H, W, 1) in a picture: (H, W), or (H, W, 3) BGR, or (H, W, 4) BGRA."""
    unit = as_float(image).reshape(*image.shape[:2], -1)
    if unit.shape[2] == 4 and channel != "grey":
        unit = unit[..., 3:]
    elif unit.shape[2] > 1:
        unit = (unit[..., :3] @ _BGR_TO_GREY)[..., None]
    return np.clip(np.nan_to_num(unit), 0, 1)


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}") from error


def _last_number(path: Path) -> int:
    found = _LAST_NUMBER.search(path.stem)
    if found is None:
        raise InputError(
            f"{path}: its name holds no number, so it cannot be told for which frame it is; "
            "name a single picture as source to use it for all frames"
        )
    return int(found[1])


def _numbered(numbers: Sequence[int], paths: Sequence[Path], source: Path) -> dict[int, Path]:
    if not paths:
        raise InputError(f"{source}: holds no picture or JSON file")
    result: dict[int, Path] = {}
    for number, path in zip(numbers, paths, strict=True):
        if number in result:
            raise InputError(f"{path} and {result[number].name} are both for frame {number}")
        result[number] = path
    return result
