"""`mien mask`: what was drawn on faces, and the masks that are stored with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from ..atomic import write_changed, write_whole
from ..errors import ConfigError, InputError, NothingFoundError, StoppedError
from ..faceset import POLYGONS, FaceFile, FaceRecord, Faceset, Pack, encode_mask, with_record
from ..faceset.folder import Folder
from ..labels import FOLDER, Label, label_path, of_face, rasterise, with_polygons
from ..labels.files import label_bytes, move_label
from ..stages import MaskerProvider
from ..types import replace
from .import_faces import check_elsewhere, told_apart
from .run import Run
from .stored_masks import masked

T = TypeVar("T")
NAME = "label"
"""Under which the mask of a drawing is stored."""
_NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelStatus:
    """How far a faceset is labelled.

    includes, excludes  shapes of all faces;  masks  how many faces hold each stored mask
    lost  label files whose face is no longer there
    """

    faces: int
    labelled: int
    includes: int
    excludes: int
    masks: dict[str, int]
    lost: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Faces that were written, those that were as they should be, and those left out."""

    place: Path
    written: int
    kept: int
    left: int


def label_status(run: Run, faceset: Path) -> LabelStatus:
    """Count what is drawn and stored; decodes no picture."""
    faces = run.context.faceset(faceset)
    shapes: Counter[str] = Counter()
    masks: Counter[str] = Counter()
    labelled = count = 0

    def look(path: Path) -> tuple[Label | None, FaceRecord]:
        record = faces.store.record(path)
        return of_face(path, record), record

    with notes_said(run, faces):
        for _, (label, record) in each_face(run, faces, f"look at {faceset}", look):
            count += 1
            masks.update(record.masks.keys())
            if label is not None:
                labelled += 1
                shapes.update({"in": label.includes, "out": label.excludes})
    known = {label_path(path) for path in faces.paths}
    folders = {path.parent for path in known}
    lost = (path for folder in folders for path in folder.glob("*.json") if path not in known)
    return LabelStatus(
        faces=count,
        labelled=labelled,
        includes=shapes["in"],
        excludes=shapes["out"],
        masks=dict(sorted(masks.items())),
        lost=tuple(sorted(path for path in lost if path.name[0] != ".")),
    )


def fetch(run: Run, faceset: Path, folder: Path, *, name: str = NAME) -> Changed:
    """Copy the labelled faces into `folder`, each with its drawing and the mask that it makes.

    Raises NothingFoundError where no face is labelled, StoppedError after `run.cancel`.
    """
    faces = run.context.faceset(faceset)
    with notes_said(run, faces):
        return _into(faces, folder, _labelled(run, faces, name), "is labelled")


def apply(
    run: Run, faceset: Path, *, folder: Path | None = None, name: str = "", masker: str = ""
) -> Changed:
    """Store a mask with every face: that of its drawing, or what a masker finds.

    folder  where the faces are written, all of them; None changes the faceset itself
    name    of the mask; else `label`, or the masker's
    masker  the plugin to ask; none takes the drawings, and leaves faces without one as they are
    Raises ConfigError for faces of another program without `folder`.
    """
    faces = run.context.faceset(faceset)
    if folder is None:
        _check_ours(faces)
    if masker:
        provider = run.registry.get(MaskerProvider, masker)
        stage = run.make(provider)
        made = masked(_files(run, faces), stage, name or masker, faces.notes)
    else:
        made = _labelled(run, faces, name or NAME, all_of_them=folder is not None)
    with notes_said(run, faces):
        if folder is not None:
            return _into(faces, folder, made, "can be read")
        return _in_place(faces, made)


def remove(
    run: Run, faceset: Path, *, labels: bool = False, masks: Sequence[str] = ()
) -> tuple[Changed, Path | None]:
    """Take drawings or stored masks off the faces of a faceset of ours.

    What was drawn is moved into a folder of its own, which the second value names; importing that
    folder brings it back.
    """
    if not labels and not masks:
        raise ConfigError("say what shall be removed: --labels, --stored NAME, or both")
    faces = run.context.faceset(faceset)
    _check_ours(faces)
    stamp = datetime.now().astimezone().strftime("%Y-%m-%dT%H.%M.%S")
    kept, number = faces.folder / FOLDER / f"removed-{stamp}", 1
    while kept.exists():
        number += 1
        kept = kept.with_name(f"removed-{stamp}-{number}")
    moved = 0

    def without() -> Iterator[tuple[Path, FaceFile]]:
        nonlocal moved
        for path, face in _files(run, faces):
            record = face.record
            if labels and move_label(path, kept):
                moved += 1
            elif labels and (label := _label(faces, path, record)) is not None:
                write_whole(kept / f"{path.name}.json", label_bytes(path.name, label))
                moved += 1
            left = {key: png for key, png in record.masks.items() if key not in masks}
            drawn = labels and POLYGONS in record.extra
            if drawn or len(left) < len(record.masks):
                record = replace(with_polygons(record, None) if drawn else record, masks=left)
                yield path, replace(face, record=record)

    with notes_said(run, faces):
        done = _in_place(faces, without())
    return done, kept if moved else None


def _labelled(
    run: Run, faces: Faceset, name: str, *, all_of_them: bool = False
) -> Iterator[tuple[Path, FaceFile]]:
    """The faces with a drawing, their mask and polygons stored; `all_of_them`: the others too."""
    black = 0
    for path, face in _files(run, faces):
        label = _label(faces, path, face.record)
        if label is not None and label.includes:
            yield path, replace(face, record=_with_label(face.record, label, name))
            continue
        black += label is not None
        if all_of_them:
            yield path, face
    if black:
        faces.notes.append(
            f"{faces.folder}: on {black} faces nothing is drawn that includes; no mask is made"
        )


def _label(faces: Faceset, path: Path, record: FaceRecord) -> Label | None:
    """What is drawn on a face; None where nothing is, or the file is damaged, which is noted."""
    try:
        return of_face(path, record)
    except InputError as error:
        faces.notes.append(f"skipped {error}")
        return None


def _with_label(record: FaceRecord, label: Label, name: str) -> FaceRecord:
    png = encode_mask(rasterise(label, record.size))
    return replace(with_polygons(record, label), masks={**record.masks, name: png})


def _files(run: Run, faces: Faceset) -> Iterator[tuple[Path, FaceFile]]:
    return each_face(run, faces, f"faces of {faces.folder}", faces.store.file)


def each_face(
    run: Run, faces: Faceset, label: str, read: Callable[[Path], T]
) -> Iterator[tuple[Path, T]]:
    """Every face that can be read, with progress; the others become notes of the faceset.

    Raises InputError where not one can be read, StoppedError after `run.cancel`.
    """
    count, first = 0, ""
    run.events.start(label, len(faces), "faces")
    try:
        for number, path in enumerate(faces.paths):
            if run.cancel.is_set():
                raise StoppedError(f"{faces.folder}: stopped after {number} faces; run it again")
            try:
                item = read(path)
            except InputError as error:
                first = first or str(error)
                faces.notes.append(f"skipped {error}")
            else:
                count += 1
                yield path, item
            run.events.advance(number + 1)
    finally:
        run.events.end()
    if not count:
        raise InputError(f"faceset '{faces.folder}': no face can be read; the first: {first}")


@contextmanager
def notes_said(run: Run, faces: Faceset) -> Iterator[None]:
    """What was noted of a faceset becomes notes of the run, at the end."""
    try:
        yield
    finally:
        say(run, faces.notes)


def say(run: Run, notes: Sequence[str]) -> None:
    """The first of many notes, and how many there are."""
    for note in notes[:_NAMED]:
        run.events.note(note)
    if len(notes) > _NAMED:
        run.events.note(f"{len(notes) - _NAMED} more of this kind")


def _in_place(faces: Faceset, made: Iterator[tuple[Path, FaceFile]]) -> Changed:
    written = kept = 0
    for path, face in made:
        if write_changed(path, with_record(face)):
            written += 1
        else:
            kept += 1
    left = len(faces) - written - kept
    return Changed(place=faces.folder, written=written, kept=kept, left=left)


def _into(
    faces: Faceset, folder: Path, made: Iterator[tuple[Path, FaceFile]], what: str
) -> Changed:
    check_elsewhere(folder, faces.folder)
    written = kept = 0
    for face in told_apart(face for _, face in made):
        path = folder / face.person / f"{face.name}{face.suffix}"
        if write_changed(path, with_record(face)):
            written += 1
        else:
            kept += 1
    if not written + kept:
        raise NothingFoundError(f"faceset '{faces.folder}': no face {what}")
    left = len(faces) - written - kept
    return Changed(place=folder, written=written, kept=kept, left=left)


def _check_ours(faces: Faceset) -> None:
    refuse_pack(faces)
    if not isinstance(faces.store, Folder):
        raise ConfigError(
            f"faceset '{faces.folder}': is another program's, which is never changed; "
            "say -o FOLDER to make one of ours, or import it first"
        )


def refuse_pack(faces: Faceset) -> None:
    """Raise ConfigError for a pack of ours: drawings lie beside faces, and it is never changed."""
    if isinstance(faces.store, Pack):
        raise ConfigError(
            f"faceset '{faces.folder}': is packed, and a pack is never changed; unpack it with "
            "'mien faces unpack'"
        )
