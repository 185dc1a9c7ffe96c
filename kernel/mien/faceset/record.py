"""What is known of a stored face, and its form as JSON."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np

from ..arrays import Matrix, Points
from ..errors import InputError
from ..types import FaceType

RECORD_VERSION = 1
_FAR = 1e9
_PLAIN = frozenset((int, float))
MAX_SIZE = 8192
"""Largest side of a crop in pixels; a damaged header must not make the reader take gigabytes."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FaceRecord:
    """The metadata of one face crop.

    clip, fingerprint  where the face was seen: address of the clip and SHA-256 of its samples
    frame_index, pts, time_base  which frame, and when;  face_index  which face of that frame
    face_type, size    what the crop shows, and its side in pixels
    matrix             (2, 3) float64, frame pixels to crop pixels
    landmarks          (68, 2) float32, crop pixels;  frame_landmarks  the same in frame pixels
    box                (x0, y0, x1, y1), frame pixels;  score  0..1;  track  -1 where unknown
    masks              by name: a PNG file of the 8-bit mask, covering the crop at any resolution
    pose               (pitch, yaw, roll) in radians, or None
    extra              anything else, as plain JSON values; kept on the way through
    """

    face_type: FaceType
    size: int
    matrix: Matrix
    landmarks: Points
    frame_landmarks: Points
    box: tuple[float, float, float, float]
    clip: str = ""
    fingerprint: str = ""
    frame_index: int = 0
    pts: int = 0
    time_base: Fraction = Fraction(1, 25)
    face_index: int = 0
    score: float = 1.0
    track: int = -1
    masks: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))
    pose: tuple[float, float, float] | None = None
    extra: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    version: int = RECORD_VERSION

    def __post_init__(self) -> None:
        for name, shape in (
            ("matrix", (2, 3)),
            ("landmarks", (68, 2)),
            ("frame_landmarks", (68, 2)),
        ):
            array = getattr(self, name)
            if array.shape != shape:
                raise ValueError(f"FaceRecord.{name} has shape {array.shape}, must be {shape}")
            array.setflags(write=False)
        if not 1 <= self.size <= MAX_SIZE:
            raise ValueError(f"FaceRecord.size is {self.size}, must be 1..{MAX_SIZE} pixels")

    def resized(self, size: int) -> FaceRecord:
        """The same face in a crop that was scaled to `size` pixels."""
        ratio = size / self.size
        middle = (ratio - 1) / 2  # pixel centres lie at whole numbers
        matrix = self.matrix * ratio
        matrix[:, 2] += middle
        points = (self.landmarks * ratio + middle).astype(np.float32)
        return replace(self, size=size, matrix=matrix, landmarks=points)


def to_json(record: FaceRecord) -> str:
    """The record as one line of JSON.  Raises ValueError where `extra` is no JSON or not finite."""
    values = {
        "version": record.version,
        "clip": record.clip,
        "fingerprint": record.fingerprint,
        "frame_index": record.frame_index,
        "pts": record.pts,
        "time_base": str(record.time_base),
        "face_index": record.face_index,
        "face_type": record.face_type.value,
        "size": record.size,
        "matrix": record.matrix.tolist(),
        "landmarks": _points_to_json(record.landmarks),
        "frame_landmarks": _points_to_json(record.frame_landmarks),
        "box": list(record.box),
        "score": record.score,
        "track": record.track,
        "masks": {name: base64.b64encode(png).decode() for name, png in record.masks.items()},
        "pose": None if record.pose is None else list(record.pose),
        "extra": dict(record.extra),
    }
    try:
        text = json.dumps(
            values,
            ensure_ascii=False,
            allow_nan=False,
            separators=(",", ":"),
            check_circular=bool(record.extra),  # a third of the time, and the rest is flat
        )
        text.encode()
    except UnicodeEncodeError:  # a name that is no Unicode can only be written as escapes
        return json.dumps(values, allow_nan=False, separators=(",", ":"))
    except TypeError as error:
        raise ValueError(f"FaceRecord.extra holds what JSON cannot: {error}") from error
    return text


def from_json(text: str, where: str) -> FaceRecord:
    """The record in `text`; `where` names the file in errors.

    Keys that this version does not know go into `extra`.  Raises InputError where the text is no
    record, comes from a later version, or a value is missing or of the wrong kind.
    """
    try:
        values = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: its metadata is damaged ({error})") from error
    if not isinstance(values, dict):
        raise InputError(f"{where}: its metadata is a {type(values).__name__}, must be a table")
    version = values.get("version")
    if type(version) is not int or version < 1:
        raise InputError(f"{where}: its metadata says version {version!r}, must be 1 or more")
    if version > RECORD_VERSION:
        raise InputError(
            f"{where}: written by a later mien (metadata version {version}, this one knows "
            f"{RECORD_VERSION}); update mien to read it"
        )
    known: dict[str, Any] = {}
    for name, read in _READERS.items():
        if name in values:
            try:
                known[name] = read(values.pop(name))
            except (ValueError, TypeError, ZeroDivisionError, OverflowError) as error:
                raise InputError(f"{where}: metadata '{name}' is damaged ({error})") from error
    missing = [name for name in _REQUIRED if name not in known]
    if missing:
        raise InputError(f"{where}: its metadata lacks {', '.join(missing)}")
    known["extra"] = values | known.get("extra", {})
    return FaceRecord(**known)


def _points_to_json(points: Points) -> list[list[float]]:
    """Short decimals that give the same float32 back."""
    exact = points.astype(np.float32)
    wide = exact.astype(np.float64)
    for digits in range(4, 8):
        rounded = np.round(wide, digits)
        if (rounded.astype(np.float32) == exact).all():
            return rounded.tolist()  # type: ignore[no-any-return]
    return [[float(str(value)) for value in point] for point in exact]


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be text, is {value!r:.60}")
    return value


def _whole(value: Any) -> int:
    if type(value) is not int or abs(value) >= 1 << 63:
        raise ValueError(f"must be a whole number, is {value!r:.60}")
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError(f"must be a number, is {value!r:.60}")
    return float(value)


def _numbers(count: int) -> Callable[[Any], tuple[float, ...]]:
    def read(value: Any) -> tuple[float, ...]:
        if not isinstance(value, list) or len(value) != count:
            raise ValueError(f"must be a list of {count} numbers")
        return tuple(_number(item) for item in value)

    return read


def _table(rows: int, columns: int, dtype: Any) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if not isinstance(value, list) or len(value) != rows:
            raise ValueError(f"must be a list of {rows} rows")
        if any(type(item) is not list or len(item) != columns for item in value):
            raise ValueError(f"must be a list of rows of {columns} numbers")
        flat = [each for item in value for each in item]
        if not _PLAIN.issuperset(map(type, flat)):
            flat = [_number(each) for each in flat]  # says what is wrong
        table = np.array(flat, np.float64).reshape(rows, columns)
        if not np.abs(table).max() <= _FAR:
            raise ValueError("holds a number that no picture is large enough for")
        return table.astype(dtype)

    return read


def _masks(value: Any) -> dict[str, bytes]:
    if not isinstance(value, dict):
        raise ValueError("must be a table of masks")
    try:
        return {name: base64.b64decode(_text(item), validate=True) for name, item in value.items()}
    except binascii.Error as error:
        raise ValueError(f"a mask is no base64: {error}") from error


def _size(value: Any) -> int:
    size = _whole(value)
    if not 1 <= size <= MAX_SIZE:
        raise ValueError(f"must be 1..{MAX_SIZE} pixels, is {size}")
    return size


def _extra(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("must be a table")
    return value


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "version": _whole,
    "clip": _text,
    "fingerprint": _text,
    "frame_index": _whole,
    "pts": _whole,
    "time_base": lambda value: Fraction(_text(value)),
    "face_index": _whole,
    "face_type": lambda value: FaceType(_text(value)),
    "size": _size,
    "matrix": _table(2, 3, np.float64),
    "landmarks": _table(68, 2, np.float32),
    "frame_landmarks": _table(68, 2, np.float32),
    "box": _numbers(4),
    "score": _number,
    "track": _whole,
    "masks": _masks,
    "pose": lambda value: None if value is None else _numbers(3)(value),
    "extra": _extra,
}
_REQUIRED = ("face_type", "size", "matrix", "landmarks", "frame_landmarks", "box")
