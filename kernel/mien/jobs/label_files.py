"""Drawings from other programs and for them, and a sheet of faces with what is drawn on them."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..arrays import Image, Mask
from ..atomic import write_whole
from ..errors import InputError, NothingFoundError
from ..faceset import Faceset, decode_mask
from ..labels import (
    Label,
    draw_label,
    from_labelme,
    of_face,
    rasterise,
    read_label,
    to_labelme,
    write_label,
)
from ..labels.files import label_bytes, read_json
from ..labels.labelme import EXCLUDING, INCLUDING, is_labelme
from .export_faces import export_faceset
from .labels import Changed, each_face, notes_said, refuse_pack, say
from .record import STATE
from .run import Run

Form = Literal["labels", "labelme", "dfl", "dfl-pak"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedLabels:
    """Drawings that were taken over, those that were there already (`same`, or `other` ones that
    stay), files that belong to no face here, and files that could not be read."""

    written: int
    same: int
    other: int
    unknown: int
    skipped: int


def import_labels(
    run: Run,
    faceset: Path,
    place: Path,
    *,
    include: Collection[str] = (),
    exclude: Collection[str] = (),
    replace_others: bool = False,
) -> ImportedLabels:
    """Take over what was drawn elsewhere on the faces of a faceset.

    place    a JSON file or a folder of them, of LabelMe's or ours; or a faceset of any program
             whose faces hold polygons.  A face is found by its file's name
    include, exclude  further labels of LabelMe's that mean so
    replace_others    a face's own drawing gives way; else it stays
    Raises NothingFoundError where nothing there is a drawing.
    """
    faces = run.context.faceset(faceset)
    refuse_pack(faces)
    names = _Names(faces.paths)
    words = ({*INCLUDING, *include} - {*exclude}, {*EXCLUDING, *exclude} - {*include})
    notes: list[str] = []
    counts: dict[str, int] = defaultdict(int)
    for name, read in _found(run, place):
        try:
            label = read(*words)
            if label is None:
                continue
            face = names.find(name)
            counts[_take(faces, face, label, replace_others) if face else "unknown"] += 1
        except (InputError, ValueError) as error:
            notes.append(f"skipped {error}")
            counts["skipped"] += 1
    say(run, notes)
    if not counts:
        raise NothingFoundError(f"{place}: holds nothing that was drawn on a face")
    kinds = ("written", "same", "other", "unknown", "skipped")
    return ImportedLabels(**{kind: counts[kind] for kind in kinds})


def _take(faces: Faceset, face: Path, label: Label, replace_others: bool) -> str:
    try:
        there = of_face(face, faces.store.record(face))
    except InputError:
        if not replace_others:
            raise
        there = None
    if there is not None and there.plain() == label.plain():
        return "same"
    if there is not None and not replace_others:
        return "other"
    write_label(face, label)
    return "written"


class _Names:
    """Finds a face by the name of its file, with or without suffix."""

    def __init__(self, paths: Collection[Path]) -> None:
        self._whole: dict[str, list[Path]] = defaultdict(list)
        self._stems: dict[str, list[Path]] = defaultdict(list)
        for path in paths:
            self._whole[path.name].append(path)
            self._stems[path.stem].append(path)

    def find(self, name: str) -> Path | None:
        """None where there is no such face.  Raises InputError where there are several."""
        found = self._whole.get(name) or self._stems.get(name) or []
        if len(found) > 1:
            raise InputError(f"'{name}': is the name of {len(found)} faces here")
        return found[0] if found else None


class _File:
    """A JSON file of ours or LabelMe's, read when it is asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, include: Collection[str], exclude: Collection[str]) -> Label | None:
        """The drawing.  Raises InputError."""
        try:
            value = read_json(self._path)
            if not is_labelme(value):
                return read_label(self._path)
            return from_labelme(value, include=include, exclude=exclude)
        except FileNotFoundError as error:
            raise InputError(f"label '{self._path}': there is no such file") from error
        except ValueError as error:
            raise InputError(f"label '{self._path}': {error}") from error


def _found(run: Run, place: Path) -> Iterator[tuple[str, Any]]:
    """(name of the face, what reads its drawing) of all that lies at a place."""
    if place.is_file() and place.suffix.lower() == ".json":
        yield place.stem, _File(place)
        return
    files = sorted(place.glob("*.json")) if place.is_dir() else []
    drawn = [path for path in files if path.name != STATE and path.name[0] != "."]
    if drawn:
        yield from ((path.stem, _File(path)) for path in drawn)
        return
    if not place.exists():
        raise InputError(f"{place}: there is no such file or folder")
    others = run.context.faceset(place)
    for path, record in others.records():
        yield path.name, lambda *words, path=path, record=record: of_face(path, record)
    say(run, others.notes)


def export_labels(run: Run, faceset: Path, folder: Path, *, form: Form) -> Changed:
    """Write the drawings of a faceset for other programs.

    form  `labels`: a JSON file of ours for each labelled face; `labelme`: one of LabelMe's, that
          names the picture where it lies; `dfl`, `dfl-pak`: all faces as DeepFaceLab keeps them
    Raises PluginError where no plugin knows the form, NothingFoundError where nothing is drawn.
    """
    if form in ("dfl", "dfl-pak"):
        done = export_faceset(run, faceset=faceset, folder=folder, form=form)
        return Changed(place=folder, written=done.written, kept=done.kept, left=done.skipped)
    faces = run.context.faceset(faceset)
    with notes_said(run, faces):
        return _to_json(run, faces, folder, form)


def _to_json(run: Run, faces: Faceset, folder: Path, form: str) -> Changed:
    written = 0

    def look(path: Path) -> Label | None:
        return of_face(path, faces.store.record(path))

    for path, label in each_face(run, faces, f"export {folder}", look):
        if label is None:
            continue
        written += 1
        if form == "labels":
            write_whole(folder / f"{path.name}.json", label_bytes(path.name, label))
            continue
        picture = Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
        text = json.dumps(to_labelme(label, picture), ensure_ascii=False, indent=1)
        write_whole(folder / f"{path.stem}.json", text.encode("utf-8", "surrogateescape"))
    if not written:
        raise NothingFoundError(f"faceset '{faces.folder}': no face is labelled")
    return Changed(place=folder, written=written, kept=0, left=len(faces) - written)


def label_sheet(
    run: Run, faceset: Path, path: Path, *, mask: str = "", count: int = 24, width: int = 240
) -> int:
    """Write a contact sheet of labelled faces, spread over the faceset; how many it shows.

    mask  shows the stored mask of this name instead of the drawing's, on the faces that hold it
    Raises NothingFoundError where no face has what shall be shown.
    """
    from ..media.contact import contact_sheet, save_picture

    faces = run.context.faceset(faceset)
    shown = [
        path
        for path, record in faces.records()
        if (mask in record.masks if mask else of_face(path, record) is not None)
    ]
    if not shown:
        what = f"holds a mask '{mask}'" if mask else "is labelled"
        raise NothingFoundError(f"faceset '{faceset}': no face {what}")
    count = min(count, len(shown))
    chosen = [shown[round(n * (len(shown) - 1) / max(count - 1, 1))] for n in range(count)]
    images = [_overlay(faces, face, mask) for face in chosen]
    save_picture(path, contact_sheet(images, [face.name for face in chosen], width=width))
    return count


def _overlay(faces: Faceset, face: Path, mask: str) -> Image:
    image, record = faces.store.read(face)
    label = of_face(face, record)
    seen: Mask | None = None
    if mask:
        seen = decode_mask(record.masks[mask], record.size)
    elif label is not None:
        seen = rasterise(label, record.size)
    return draw_label(image, label, seen)
