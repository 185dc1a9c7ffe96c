"""`mien faces`: facesets merged, resized, shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..arrays import Matrix
from ..atomic import write_whole
from ..curation import draw_record
from ..errors import InputError, StoppedError
from ..faceset import (
    POLYGONS,
    FaceRecord,
    decode_mask,
    encode_mask,
    write_face,
)
from ..geometry import compose, crop_matrix, invert, transform, warp
from ..labels import of_face
from ..media.contact import contact_sheet, encode_picture, save_picture
from ..types import FaceType
from .faces import sort_faces
from .faces_copy import Written, check_new, copy_faces, tell_skipped, with_label
from .run import Run

_CELL = 128
_TITLE = 18
_MOST_BYTES = 1 << 30


def merge_faces(run: Run, *, folders: Sequence[Path], output: Path) -> Written:
    """Put the faces of several sets into one; pictures stay as they were encoded.

    Of equal names the later gets a number behind it.  Packed sets are unpacked by this.
    """
    sets = [run.context.faceset(folder) for folder in folders]
    return copy_faces(run, [(each, each.paths) for each in sets], output)


def resize_faces(
    run: Run, *, folder: Path, output: Path, size: int, face_type: FaceType | None = None
) -> Written:
    """Write the faces of a set at another size, or as another face type: metadata moves along.

    A larger face type shows black where the stored crop ends.  PNG stays PNG; JPEG is encoded once
    more, at quality 100.
    """
    check_new(output, folder)
    faceset = run.context.faceset(folder)
    run.events.start(f"resize into {output}", len(faceset), "faces")
    taken: set[Path] = set()
    try:
        for face in faceset:
            try:
                drawn = with_label(face.path, face.record)
                record, between = resized(drawn, size, face_type or drawn.face_type)
            except InputError as error:
                faceset.notes.append(f"skipped face '{face.path}': {error}")
                continue
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
    return Written(place=output, written=len(taken), skipped=tell_skipped(run, [faceset]))


def resized(record: FaceRecord, size: int, face_type: FaceType) -> tuple[FaceRecord, Matrix]:
    """The record of a face in a crop of another size or type, and the old crop's way to the new.

    Raises InputError where the landmarks allow no crop.
    """
    matrix, masks = record.matrix * (size / record.size), dict(record.masks)
    if face_type != record.face_type:
        try:
            matrix = crop_matrix(record.frame_landmarks, face_type, size)
        except ValueError as error:
            raise InputError(f"it cannot be turned to {face_type.value}: {error}") from error
    try:
        between = compose(invert(record.matrix), matrix)
    except ValueError as error:
        raise InputError(f"its matrix leads nowhere: {error}") from error
    if face_type != record.face_type:  # else they cover the crop as before, at any resolution
        for name, png in masks.items():
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


def overlay_faces(
    run: Run, *, folder: Path, output: Path, size: int, face_type: FaceType
) -> Written:
    """Write every face with all that is known of it drawn on it, as JPEG.

    size  side of the pictures in pixels;  face_type  whose crop is outlined
    """
    check_new(output, folder)
    faceset = run.context.faceset(folder)
    run.events.start(f"draw into {output}", len(faceset), "faces")
    taken: set[Path] = set()
    try:
        for face in faceset:
            try:
                label = of_face(face.path, face.record)
                drawn = draw_record(face.image, face.record, size, face_type, label)
            except InputError as error:
                faceset.notes.append(f"skipped face '{face.path}': {error}")
                continue
            place = _free(output / _below(face.path, folder), "jpg", taken)
            write_whole(Path(f"{place}.jpg"), encode_picture(".jpg", drawn) or b"")
            run.events.advance(len(taken))
            if run.cancel.is_set():
                raise StoppedError(f"{output}: stopped after {len(taken)} faces; run it again")
    finally:
        run.events.end()
        skipped = tell_skipped(run, [faceset])
    return Written(place=output, written=len(taken), skipped=skipped)


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
