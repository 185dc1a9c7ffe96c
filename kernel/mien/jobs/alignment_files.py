"""What a workspace knows of a clip as JSON or CSV, and back; and from facesets, and into them."""

from __future__ import annotations

import csv
import io
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..atomic import reason, write_whole
from ..errors import InputError, NothingFoundError, StoppedError
from ..extraction import ExtractOptions, StoreStep
from ..faceset.numbers import real, table
from ..runner import Step
from ..runner import run as run_steps
from ..types import Face
from ..workspace import KnownClip, KnownFrame, WorkspaceEditor
from .alignments import back_up, chosen, opened
from .extract import prefix_of
from .record import make_folder
from .run import Run, frame_number
from .swap import RecallStep

VERSION = 1
_MOST_BYTES = 1 << 31
_KEY = "mien_alignments"
_PLAIN = ("frame", "pts", "time_base", "name", "shot", "face", "track", "score")
_BOX = ("x0", "y0", "x1", "y1")
_POINTS = tuple(f"{axis}{number}" for number in range(68) for axis in "xy")
_COLUMNS = (*_PLAIN, *(f"box_{edge}" for edge in _BOX), *(f"point_{name}" for name in _POINTS))
_NO_LIST = (ValueError, TypeError, KeyError, RecursionError, ArithmeticError)
Listed = dict[int, tuple[KnownFrame, dict[int, Face]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """Frames whose faces are now as the file or faceset says, faces in them, faces new here."""

    frames: int
    faces: int
    new: int
    backup: Path


def export_file(run: Run, workspace: Path, path: Path, *, uri: str = "") -> tuple[int, int]:
    """Write all frames and faces of a clip as `path` says, `.json` or `.csv`; how many of each."""
    kind = kind_of(path)
    with opened(workspace) as store:
        clip = chosen(run, store, uri)
        frames = store.frames(clip.id)
        faces: dict[int, dict[int, Face]] = defaultdict(dict)
        for (frame, position), face in store.listed(clip.id):
            faces[frame][position] = face
    text = _to_json(clip, frames, faces) if kind == "json" else _to_csv(frames, faces)
    write_whole(path, text.encode())
    return len(frames), sum(map(len, faces.values()))


def import_file(run: Run, workspace: Path, path: Path, *, uri: str = "") -> Entered:
    """Make the faces of the frames that a file lists those that it lists; other frames stay.

    A face keeps the masks and the identity that it had.  Raises InputError where the file is no
    such list, or of another clip.
    """
    kind = kind_of(path)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path}: is larger than any list of faces")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise InputError(f"{path}: cannot be read ({why})") from error
    with opened(workspace) as store:
        clip = chosen(run, store, uri)
        try:
            listed = _from_json(text, clip) if kind == "json" else _from_csv(text)
        except _NO_LIST as error:
            raise InputError(f"{path}: {_said(error)}") from error
        if not listed:
            raise NothingFoundError(f"{path}: lists no frame")
        return _enter(store, clip, listed)


def from_faces(run: Run, workspace: Path, faceset: Path, *, uri: str = "") -> Entered:
    """Make the faces of every frame that a faceset shows those of its pictures.

    Raises InputError where no picture is of the clip.
    """
    faces = run.context.faceset(faceset)
    listed: Listed = {}
    others = 0
    with opened(workspace) as store:
        clip = chosen(run, store, uri)
        known = {frame.number: frame for frame in store.frames(clip.id)}
        for path, record in faces.records():
            if record.fingerprint != clip.fingerprint:
                others += 1
                continue
            fresh = KnownFrame(
                number=record.frame_index, pts=record.pts, time_base=record.time_base
            )
            frame = known.get(record.frame_index, fresh)
            _, there = listed.setdefault(frame.number, (frame, {}))
            if record.face_index in there:
                run.events.note(f"{path}: is the same face as another picture")
                continue
            there[record.face_index] = Face(
                box=record.box,
                score=record.score,
                landmarks=record.frame_landmarks,
                track=record.track,
            )
        for note in faces.notes[:20]:
            run.events.note(note)
        if others:
            run.events.note(f"{faceset}: {others} of its faces are of other clips")
        if not listed:
            raise InputError(f"faceset '{faceset}': holds no face of {clip.uri}")
        return _enter(store, clip, listed)


def _enter(store: WorkspaceEditor, clip: KnownClip, listed: Listed) -> Entered:
    saved = back_up(store)
    new = store.put_faces(clip.id, list(listed.values()))
    count = sum(len(faces) for _, faces in listed.values())
    return Entered(frames=len(listed), faces=count, new=new, backup=saved)


def extract_again(run: Run, workspace: Path, faceset: Path, *, uri: str) -> int:
    """Take the faces that a workspace knows out of a clip once more; how many.

    Crops follow the points as they are now.  Raises NothingFoundError where there is no face,
    StoppedError after `run.cancel`.
    """
    options = run.config.section("extract", ExtractOptions)
    with run.source(uri) as source:
        with opened(workspace) as store:
            clip = store.find_clip(source.info)
            if not store.count_faces(clip):
                raise NothingFoundError(f"{workspace}: holds no face of {uri}")
        make_folder(faceset)
        store_step = StoreStep(faceset, prefix_of(source.info.uri), source.info, options)
        steps = [
            Step(name="recall", stage=RecallStep(workspace, clip)),
            Step(name="store", stage=store_step),
        ]
        stop = options.stop or None
        total = len(range(options.start, stop or source.info.frames, options.every))
        run.events.start("extract", max(total, 0), "frames")
        try:
            report = run_steps(
                source.frames(options.start, stop, options.every),
                steps,
                lambda packet: None,
                index_of=frame_number,
                size_of=lambda item: item.nbytes,
                cancel=run.cancel,
                on_item=run.events.advance,
            )
        finally:
            run.events.end()
    if report.stopped:
        raise StoppedError(f"{faceset}: stopped after {report.items} frames; run it again")
    return store_step.written


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
    value = json.loads(text)
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
        name=str(value.get("name") or ""),
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
    if place in faces:
        raise ValueError(f"lists face {place} of frame {frame} twice")
    faces[place] = face


def _whole(value: Any, name: str, least: int | None = None) -> int:
    if type(value) is not int or abs(value) >= 1 << 62 or (least is not None and value < least):
        raise ValueError(f"'{name}' is {value!r:.40}, which is no such number")
    return value


def _time(value: Any) -> Fraction:
    base = Fraction(value) if isinstance(value, str) and len(value) < 40 else Fraction(0)
    if base <= 0 or max(base.numerator, base.denominator) >= 1 << 62:
        raise ValueError(f"'time_base' is {value!r:.40}, must be seconds such as 1/25")
    return base


# --- CSV ----------------------------------------------------------------------------------------


def _to_csv(frames: Iterable[KnownFrame], faces: Mapping[int, Mapping[int, Face]]) -> str:
    """A row for each face; a frame without any has one whose `face` is empty."""
    stream = io.StringIO()
    out = csv.writer(stream, lineterminator="\n")
    out.writerow(_COLUMNS)
    for frame in frames:
        head = (frame.number, frame.pts, str(frame.time_base), frame.name, frame.shot)
        there = faces.get(frame.number, {})
        if not there:
            out.writerow(head)
        for position, face in there.items():
            points = [] if face.landmarks is None else _short(face.landmarks)
            out.writerow((*head, position, face.track, face.score, *face.box, *chain(*points)))
    return stream.getvalue()


def _from_csv(text: str) -> Listed:
    rows = csv.DictReader(io.StringIO(text, newline=""))
    missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise ValueError(f"lacks the columns {', '.join(missing[:5])}")
    listed: Listed = {}
    try:
        for row in rows:
            _row(row, listed)
    except (csv.Error, ValueError) as error:
        raise ValueError(f"line {rows.line_num}: {error}") from error
    return listed


def _row(row: Mapping[str, str], listed: Listed) -> None:
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


def _integer(row: Mapping[str, str], name: str) -> int:
    text = row[name] or ""
    if not text.removeprefix("-").isdecimal() or len(text) > 20:
        raise ValueError(f"'{name}' is {text!r:.40}, must be a whole number")
    return int(text)


def _float(row: Mapping[str, str], name: str) -> float:
    try:
        number = float(row[name] or "")
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"'{name}' is {row[name]!r:.40}, must be a number")
    return number
