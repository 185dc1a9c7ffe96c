"""The faces of a clip as a list in a file: JSON, or CSV with a row for each face; both ways."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from ..atomic import reason, write_whole
from ..errors import InputError, NothingFoundError
from ..faceset.numbers import real, table
from ..types import Face
from ..workspace import KnownClip, KnownFrame

VERSION = 1
_MOST_BYTES = 1 << 31
_MOST_FACES = 10_000
_KEY = "mien_alignments"
_PLAIN = ("frame", "pts", "time_base", "name", "shot", "face", "track", "score")
_BOX = ("x0", "y0", "x1", "y1")
_POINTS = tuple(f"{axis}{number}" for number in range(68) for axis in "xy")
_COLUMNS = (*_PLAIN, *(f"box_{edge}" for edge in _BOX), *(f"point_{name}" for name in _POINTS))
_CLIP, _DIGITS = "clip", 16
"""Column that may be missing, and how much of the clip's fingerprint stands in it."""
_NO_LIST = (ValueError, TypeError, KeyError, RecursionError, ArithmeticError)

Listed: TypeAlias = dict[int, tuple[KnownFrame, dict[int, Face]]]
"""By the frame's number: the frame, and its faces by their place in it."""


def write_list(
    path: Path,
    clip: KnownClip,
    frames: Sequence[KnownFrame],
    faces: Mapping[int, Mapping[int, Face]],
) -> None:
    """Write frames and their faces as the name's ending says.  Raises OutputError."""
    json_ = kind_of(path) == "json"
    text = _to_json(clip, frames, faces) if json_ else _to_csv(clip, frames, faces)
    write_whole(path, text.encode())


def read_list(path: Path, clip: KnownClip) -> Listed:
    """What a file lists of a clip.

    Raises InputError where it is no such list, or of another clip; NothingFoundError where it is
    empty.
    """
    kind = kind_of(path)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path}: is larger than any list of faces")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise InputError(f"{path}: cannot be read ({why})") from error
    try:
        listed = _from_json(text, clip) if kind == "json" else _from_csv(text, clip)
    except _NO_LIST as error:
        raise InputError(f"{path}: {_said(error)}") from error
    if not listed:
        raise NothingFoundError(f"{path}: lists no frame")
    return listed


def kind_of(path: Path) -> Literal["json", "csv"]:
    """By the suffix.  Raises InputError for any other."""
    suffix = path.suffix.lower()
    if suffix == ".json":
        return "json"
    if suffix == ".csv":
        return "csv"
    raise InputError(f"{path}: name a file that ends in .json or .csv")


def _said(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


# --- JSON ---------------------------------------------------------------------------------------


def _to_json(
    clip: KnownClip, frames: Sequence[KnownFrame], faces: Mapping[int, Mapping[int, Face]]
) -> str:
    head = {_KEY: VERSION, "clip": clip.uri, "fingerprint": clip.fingerprint}
    lines = [json.dumps(_frame(frame, faces.get(frame.number, {}))) for frame in frames]
    body = ",\n".join(lines)
    return f'{json.dumps(head, ensure_ascii=False)[:-1]}, "frames": [\n{body}\n]}}\n'


def _frame(frame: KnownFrame, faces: Mapping[int, Face]) -> dict[str, Any]:
    return {
        "frame": frame.number,
        "pts": frame.pts,
        "time_base": str(frame.time_base),
        "name": frame.name,
        "shot": frame.shot,
        "faces": [
            {
                "face": position,
                "track": face.track,
                "score": face.score,
                "box": list(face.box),
                "points": None if face.landmarks is None else _short(face.landmarks),
            }
            for position, face in faces.items()
        ],
    }


def _short(points: Any) -> list[list[float]]:
    """Short decimals that give the same float32 back."""
    exact = points.astype(np.float32)
    for digits in range(3, 8):
        rounded: Any = np.round(exact.astype(np.float64), digits)
        if np.array_equal(rounded.astype(np.float32), exact):
            return rounded.tolist()  # type: ignore[no-any-return]
    return [[float(str(x)) for x in point] for point in exact]


def _from_json(text: str, clip: KnownClip) -> Listed:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"cannot be read as JSON ({error})") from error
    if not isinstance(value, dict) or _KEY not in value:
        raise ValueError("is no list of faces that mien wrote")
    if value[_KEY] != VERSION:
        raise ValueError(f"says version {value[_KEY]!r:.20}, this mien knows {VERSION}")
    if value.get("fingerprint") != clip.fingerprint:
        raise ValueError(f"is about another clip ({value.get('clip')!r:.80}), not {clip.uri}")
    frames = value["frames"]
    if not isinstance(frames, list):
        raise ValueError("'frames' must be a list")
    listed: Listed = {}
    for each in frames:
        if not isinstance(each, dict) or not isinstance(each.get("faces"), list):
            raise ValueError("a frame is no table with 'faces'")
        frame = _known(each)
        if frame.number in listed:
            raise ValueError(f"lists frame {frame.number} twice")
        faces: dict[int, Face] = {}
        for face in each["faces"]:
            _add(faces, frame.number, face["face"], _face(face, face["box"], face["points"]))
        listed[frame.number] = (frame, faces)
    return listed


def _known(value: Mapping[str, Any]) -> KnownFrame:
    return KnownFrame(
        number=_whole(value["frame"], "frame", 0),
        pts=_whole(value["pts"], "pts"),
        time_base=_time(value["time_base"]),
        name=_name(value.get("name")),
        shot=_whole(value.get("shot", -1), "shot", -1),
    )


def _face(value: Mapping[str, Any], box: Any, points: Any) -> Face:
    if not isinstance(box, Sequence) or len(box) != 4:
        raise ValueError("'box' must be four numbers")
    x0, y0, x1, y1 = (real(edge, "box") for edge in box)
    marks = None if points is None else table(points, "points", 68, 2).astype(np.float32)
    return Face(
        box=(x0, y0, x1, y1),
        score=real(value.get("score", 1.0), "score"),
        landmarks=marks,
        track=_whole(value.get("track", -1), "track", -1),
    )


def _add(faces: dict[int, Face], frame: int, position: Any, face: Face) -> None:
    place = _whole(position, "face", 0)
    if place >= _MOST_FACES:
        raise ValueError(f"'face' is {place}, no frame has as many")
    if place in faces:
        raise ValueError(f"lists face {place} of frame {frame} twice")
    faces[place] = face


def _whole(value: Any, name: str, least: int | None = None) -> int:
    if type(value) is not int or abs(value) >= 1 << 62 or (least is not None and value < least):
        raise ValueError(f"'{name}' is {value!r:.40}, which is no such number")
    return value


def _name(value: Any) -> str:
    name = value or ""
    # JSON may hold halves of characters, which no database can be given.
    if not isinstance(name, str) or any("\ud800" <= letter <= "\udfff" for letter in name):
        raise ValueError(f"'name' is {value!a:.40}, which is no name of a picture")
    return name


def _time(value: Any) -> Fraction:
    try:
        base = Fraction(value) if isinstance(value, str) and len(value) < 40 else Fraction(0)
    except (ValueError, ZeroDivisionError):
        base = Fraction(0)
    if base <= 0 or max(base.numerator, base.denominator) >= 1 << 62:
        raise ValueError(f"'time_base' is {value!r:.40}, must be seconds such as 1/25")
    return base


# --- CSV ----------------------------------------------------------------------------------------


def _to_csv(
    clip: KnownClip, frames: Iterable[KnownFrame], faces: Mapping[int, Mapping[int, Face]]
) -> str:
    """A row for each face; a frame without any has one whose `face` is empty."""
    stream = io.StringIO()
    out = csv.writer(stream, lineterminator="\n")
    out.writerow((_CLIP, *_COLUMNS))
    for frame in frames:
        time = (frame.number, frame.pts, str(frame.time_base))
        head = (clip.fingerprint[:_DIGITS], *time, frame.name, frame.shot)
        there = faces.get(frame.number, {})
        if not there:
            out.writerow(head)
        for position, face in there.items():
            points = [] if face.landmarks is None else _short(face.landmarks)
            out.writerow((*head, position, face.track, face.score, *face.box, *chain(*points)))
    return stream.getvalue()


def _from_csv(text: str, clip: KnownClip) -> Listed:
    rows = csv.DictReader(io.StringIO(text, newline=""))
    missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise ValueError(f"lacks the columns {', '.join(missing[:5])}")
    listed: Listed = {}
    try:
        for row in rows:
            if row.get(_CLIP) and row[_CLIP] != clip.fingerprint[:_DIGITS]:
                raise ValueError(f"is about another clip than {clip.uri}")
            _row(row, listed)
    except (csv.Error, ValueError) as error:
        raise ValueError(f"line {rows.line_num}: {error}") from error
    return listed


def _row(row: Mapping[str, str | None], listed: Listed) -> None:
    numbers = {name: _integer(row, name) for name in ("frame", "pts", "shot")}
    base = {"time_base": row["time_base"], "name": row["name"]}
    frame = _known(numbers | base)
    _, faces = listed.setdefault(frame.number, (frame, {}))
    if not row["face"]:
        return
    value = {"score": _float(row, "score"), "track": _integer(row, "track")}
    box = [_float(row, f"box_{edge}") for edge in _BOX]
    points = None
    if row["point_x0"]:
        flat = [_float(row, f"point_{name}") for name in _POINTS]
        points = [list(pair) for pair in zip(flat[::2], flat[1::2], strict=True)]
    _add(faces, frame.number, _integer(row, "face"), _face(value, box, points))


def _integer(row: Mapping[str, str | None], name: str) -> int:
    text = _cell(row, name)
    if not text.removeprefix("-").isdecimal() or len(text) > 20:
        raise ValueError(f"'{name}' is {text!r:.40}, must be a whole number")
    return int(text)


def _float(row: Mapping[str, str | None], name: str) -> float:
    text = _cell(row, name)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"'{name}' is {text!r:.40}, must be a number")
    return number


def _cell(row: Mapping[str, str | None], name: str) -> str:
    text = row[name]
    if text is None:
        raise ValueError(f"breaks off before '{name}'")
    return text
