"""`mien faces`: facesets merged, resized, shown, and parted from their metadata and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..arrays import Matrix
from ..atomic import write_whole
from ..curation.moving import finish
from ..errors import ConfigError, InputError, StoppedError
from ..faceset import (
    POLYGONS,
    FaceFile,
    FaceRecord,
    Faceset,
    check_square,
    check_whole,
    decode_mask,
    encode_mask,
    pictures,
    read_header,
    with_record,
    write_face,
)
from ..faceset.container import without_text
from ..faceset.record import from_json, to_json
from ..geometry import compose, crop_matrix, invert, transform, warp
from ..media.contact import contact_sheet, save_picture
from ..types import FaceType
from .faces import sort_faces
from .import_faces import told_apart
from .run import Run

_CELL = 128
_TITLE = 18
_MOST_BYTES = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Faces that were written into a place, and pictures that were skipped."""

    place: Path
    written: int
    skipped: int


def merge_faces(run: Run, *, folders: Sequence[Path], output: Path) -> Written:
    """Put the faces of several sets into one; pictures stay as they were encoded.

    Of equal names the later gets a number behind it.  Packed sets are unpacked by this.
    """
    _check_new(output, folders)
    sets = [run.context.faceset(folder) for folder in folders]
    run.events.start(f"merge into {output}", sum(map(len, sets)), "faces")
    written = 0
    try:
        for face in told_apart(face for each in sets for face in each.files()):
            folder = output / face.person if face.person else output
            write_whole(folder / f"{face.name}{face.suffix}", with_record(face))
            written += 1
            run.events.advance(written)
            if run.cancel.is_set():
                raise StoppedError(f"{output}: stopped after {written} faces; run it again")
    finally:
        run.events.end()
    return Written(place=output, written=written, skipped=_noted(run, sets))


def resize_faces(
    run: Run, *, folder: Path, output: Path, size: int, face_type: FaceType | None = None
) -> Written:
    """Write the faces of a set at another size, or as another face type: metadata moves along.

    A larger face type shows black where the stored crop ends.  PNG stays PNG; JPEG is encoded once
    more, at quality 100.
    """
    _check_new(output, [folder])
    faceset = run.context.faceset(folder)
    run.events.start(f"resize into {output}", len(faceset), "faces")
    taken: set[Path] = set()
    try:
        for face in faceset:
            record, between = resized(face.record, size, face_type or face.record.face_type)
            image = warp(face.image, between, size, cubic=True)
            is_png = face.path.suffix.lower() == ".png" or image.dtype == np.uint16
            form: Literal["jpg", "png"] = "png" if is_png else "jpg"
            place = _free(output / _below(face.path, folder), form, taken)
            write_face(place.parent, place.name, image, record, format=form, quality=100)
            run.events.advance(len(taken))
            if run.cancel.is_set():
                raise StoppedError(f"{output}: stopped after {len(taken)} faces; run it again")
    finally:
        run.events.end()
    return Written(place=output, written=len(taken), skipped=_noted(run, [faceset]))


def resized(record: FaceRecord, size: int, face_type: FaceType) -> tuple[FaceRecord, Matrix]:
    """The record of a face in a crop of another size or type, and the old crop's way to the new.

    Raises InputError where the landmarks allow no crop.
    """
    matrix = record.matrix * (size / record.size)
    if face_type != record.face_type:
        try:
            matrix = crop_matrix(record.frame_landmarks, face_type, size)
        except ValueError as error:
            raise InputError(f"a face cannot be turned to {face_type.value}: {error}") from error
    between = compose(invert(record.matrix), matrix)
    masks = {}
    for name, png in record.masks.items():
        moved = warp(decode_mask(png, record.size), between, size)
        masks[name] = encode_mask(moved.reshape(size, size, 1))
    extra = dict(record.extra)
    if POLYGONS in extra:
        extra[POLYGONS] = _moved_polygons(extra[POLYGONS], record.size, between, size)
    changed = replace(
        record,
        size=size,
        face_type=face_type,
        matrix=matrix,
        landmarks=transform(between, record.landmarks).astype(np.float32),
        masks=masks,
        extra=extra,
    )
    return changed, between


def sheet_faces(run: Run, *, folder: Path, by: str, path: Path, count: int) -> int:
    """A contact sheet of faces spread evenly over an order of the set; how many it shows."""
    chosen = sort_faces(run, folder, by=by)
    places = np.unique(np.linspace(0, len(chosen.kept) - 1, count).round().astype(int))
    if not chosen.kept:
        raise InputError(f"{folder}: no face is left to be shown")
    store = run.context.faceset(folder).store
    images, titles = [], []
    for place in places.tolist():
        try:
            image, _ = store.read(chosen.kept[place])
        except InputError as error:
            run.events.note(f"skipped {error}")
            continue
        images.append(image)
        words = chosen.kept[place].stem
        if chosen.scores is not None:
            words = f"{place}: {chosen.scores[place]:.4g}"
        titles.append(words[-_TITLE:])
    save_picture(path, contact_sheet(images, titles, columns=10, width=_CELL))
    return len(images)


def save_metadata(run: Run, *, folder: Path, path: Path) -> int:
    """Write what is known of every face into one JSON file, by the picture's name; how many."""
    faceset = run.context.faceset(folder)
    records = {file.name: json.loads(to_json(record)) for file, record in faceset.records()}
    text = json.dumps({"mien-metadata": 1, "faces": records}, ensure_ascii=False)
    write_whole(path, text.encode())
    _noted(run, [faceset])
    return len(records)


def restore_metadata(run: Run, *, folder: Path, path: Path) -> Written:
    """Put saved metadata back into pictures that another program wrote anew, and lost it.

    A picture of another size is left so; its landmarks and matrix are scaled along.  Pictures that
    the file does not know are left alone.
    """
    finish(folder)
    saved = _read_saved(path)
    written = skipped = 0
    for picture in pictures(folder):
        stored = saved.get(picture.name)
        where = f"face '{picture}'"
        if stored is None:
            continue
        try:
            record = from_json(json.dumps(stored), where)
            data = picture.read_bytes()
            head = read_header(BytesIO(data), where)
            check_whole(data, where)
            check_square(head.width, head.height, where)
            if head.width != record.size:
                record, _ = resized(record, head.width, record.face_type)
            face = FaceFile(name=picture.stem, data=without_text(data), record=record)
        except (InputError, OSError) as error:
            run.events.note(f"skipped {error}")
            skipped += 1
            continue
        write_whole(picture, with_record(face))
        written += 1
    return Written(place=folder, written=written, skipped=skipped)


def _read_saved(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError("it is larger than any metadata can be")
        stored = json.loads(path.read_text(encoding="utf-8"))
        faces = stored["faces"]
        if not isinstance(faces, dict):
            raise ValueError("its 'faces' is no table")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: holds no saved metadata ({error})") from error
    return faces


def _moved_polygons(drawn: Any, size: int, between: Matrix, new: int) -> Any:
    """Polygons in the pixels of the new crop; what is no polygon stays as it was."""
    try:
        ratio = size / float(drawn["size"])
        shapes = [
            shape | {"points": _through(np.asarray(shape["points"], np.float64), ratio, between)}
            for shape in drawn["shapes"]
        ]
    except (TypeError, KeyError, ValueError, ZeroDivisionError):
        return drawn
    return drawn | {"size": new, "shapes": shapes}


def _through(points: NDArray[np.float64], ratio: float, between: Matrix) -> list[list[float]]:
    moved = transform(between, points.reshape(-1, 2) * ratio)
    found: list[list[float]] = np.round(moved, 4).tolist()
    return found


def _below(path: Path, folder: Path) -> Path:
    """Where a face lies within its set, without suffix: people of a packed set have folders."""
    inside = path.relative_to(folder) if path.is_relative_to(folder) else Path(path.name)
    return inside.with_name(path.stem)


def _free(place: Path, form: str, taken: set[Path]) -> Path:
    """The place, or one with a number where this run wrote there: `a.jpg` and `a.jpeg`."""
    found, number = place, 1
    while Path(f"{found}.{form}".casefold()) in taken:
        number += 1
        found = place.with_name(f"{place.name}-{number}")
    taken.add(Path(f"{found}.{form}".casefold()))
    return found


def _check_new(output: Path, folders: Sequence[Path]) -> None:
    if any(output.resolve() == folder.resolve() for folder in folders):
        raise ConfigError(f"-o {output}: is the faceset that is read; name another folder")


def _noted(run: Run, sets: Sequence[Faceset]) -> int:
    """Pass on what could not be read; how many pictures that were."""
    notes = [note for each in sets for note in each.notes]
    for note in notes[:20]:
        run.events.note(note)
    if len(notes) > 20:
        run.events.note(f"{len(notes) - 20} more pictures were skipped")
    return len(notes)
