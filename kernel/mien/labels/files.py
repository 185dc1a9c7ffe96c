"""Where drawings lie: a JSON file for each face, in the folder `labels` beside the pictures.

    faces/anna/clip_000012_0.jpg
    faces/anna/labels/clip_000012_0.jpg.json

    {"version": 1, "face": "clip_000012_0.jpg", "size": 256,
     "shapes": [{"label": "include", "points": [[31.5, 40], [220, 42], [128, 250]]}]}

A face without such a file has the polygons of its own metadata, if there are any: those that came
from another program.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..atomic import reason, write_whole
from ..errors import InputError, OutputError
from ..faceset import POLYGONS, FaceRecord
from ..types import replace
from .shapes import Label, label_of

FOLDER = "labels"
VERSION = 1
_MOST_BYTES = 1 << 26


def label_path(face: Path) -> Path:
    """The file that holds what was drawn on the face in the picture `face`."""
    return face.parent / FOLDER / f"{face.name}.json"


def of_face(face: Path, record: FaceRecord) -> Label | None:
    """What was drawn on a face, by its file or by its metadata; None where nothing was.

    A file without shapes says that the metadata's shall not count.  Raises InputError where one of
    them is damaged.
    """
    path = label_path(face)
    try:
        label = read_label(path)
        return label if label.shapes else None
    except FileNotFoundError:
        pass
    drawn = record.extra.get(POLYGONS)
    if drawn is None:
        return None
    try:
        label = label_of(drawn, least=0)
    except ValueError as error:
        raise InputError(f"face '{face}': its polygons are damaged: {error}") from error
    return label if label.shapes else None


def companions(face: Path, becomes: Path) -> list[tuple[Path, Path]]:
    """The files that belong to a picture: where each lies, and where it belongs once the picture
    `face` is called `becomes`.  Nothing is moved here.

    They are its drawing, and what LabelMe wrote beside it.
    """
    pairs = (
        (label_path(face), label_path(becomes)),
        (face.with_suffix(".json"), becomes.with_suffix(".json")),
    )
    return [(now, then) for now, then in pairs if now.is_file()]


def read_label(path: Path) -> Label:
    """The drawing in a file of ours.

    Raises FileNotFoundError where there is none, InputError where it cannot be read.
    """
    value = read_json(path)
    version = value.get("version") if isinstance(value, dict) else None
    if type(version) is int and version > VERSION:
        raise InputError(
            f"label '{path}': written by a later mien (version {version}, this one knows "
            f"{VERSION}); update mien to read it"
        )
    try:
        return label_of(value)
    except ValueError as error:
        raise InputError(f"label '{path}': {error}") from error


def read_json(path: Path) -> Any:
    """A JSON file.  Raises FileNotFoundError, and InputError where it is none."""
    try:
        with path.open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise InputError(f"'{path}': is larger than {_MOST_BYTES >> 20} MB; no drawing is")
        return json.loads(data.decode("utf-8-sig"))
    except FileNotFoundError:
        raise
    except NotADirectoryError as error:  # the faces lie in a pack, and nothing beside them
        raise FileNotFoundError(path) from error
    except OSError as error:
        raise InputError(f"'{path}': cannot be read ({reason(error)})") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"'{path}': cannot be read as JSON ({error})") from error


def write_label(face: Path, label: Label) -> Path:
    """Write what was drawn on the face in the picture `face`.  Raises OutputError."""
    path = label_path(face)
    write_whole(path, label_bytes(face.name, label))
    return path


def label_bytes(name: str, label: Label) -> bytes:
    """The file of a drawing on the face `name`."""
    value = {"version": VERSION, "face": name, **label.plain()}
    return (json.dumps(value, ensure_ascii=False) + "\n").encode("utf-8", "surrogateescape")


def move_label(face: Path, folder: Path) -> bool:
    """Move a face's file into a folder, damaged or not; False where there is none.

    Raises OutputError.
    """
    path = label_path(face)
    try:
        if not path.is_file():
            return False
        folder.mkdir(parents=True, exist_ok=True)
        path.replace(folder / path.name)
    except OSError as error:
        raise OutputError(f"'{path}': cannot be moved into {folder} ({reason(error)})") from error
    return True


def remove_label(face: Path) -> bool:
    """Delete a face's file; False where there is none.  Raises OutputError."""
    path = label_path(face)
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise OutputError(f"'{path}': cannot be deleted ({reason(error)})") from error
    return True


def with_polygons(record: FaceRecord, label: Label | None) -> FaceRecord:
    """The record with this drawing in it, where other programs' writers look for it."""
    extra = {key: value for key, value in record.extra.items() if key != POLYGONS}
    if label is not None:
        extra[POLYGONS] = label.plain()
    return replace(record, extra=extra)
