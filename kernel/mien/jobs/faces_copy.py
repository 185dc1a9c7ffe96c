"""`mien faces`: faces copied from set to set, and into packs and out of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ..atomic import reason, write_new
from ..curation.moving import finish, holds_drawings
from ..errors import ConfigError, InputError, StoppedError
from ..faceset import FaceFile, FaceRecord, Faceset, Pack, with_record, write_pack
from ..faceset.folder import Folder
from ..labels import companions, label_path, of_face, with_polygons
from ..types import replace
from .import_faces import told_apart
from .run import Run

_AT_ONCE = 64
_WRITERS = 4
_NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Faces that were written into a place, and pictures that were skipped."""

    place: Path
    written: int
    skipped: int


def copy_faces(run: Run, picked: Sequence[tuple[Faceset, Sequence[Path]]], output: Path) -> Written:
    """Write faces of some sets into one of ours, their pictures as they were encoded.

    Of equal names the later gets a number behind it; what was drawn on a face goes into its
    metadata.  Raises StoppedError after `run.cancel`, OutputError where another file has a face's
    name.
    """
    for faceset, _ in picked:
        check_new(output, faceset.folder)
    run.events.start(f"write {output}", sum(len(paths) for _, paths in picked), "faces")
    written = 0
    try:
        faces = (face for faceset, paths in picked for face in drawn_files(faceset, paths))
        for face in told_apart(faces):
            folder = output / face.person if face.person else output
            write_new(folder / f"{face.name}{face.suffix}", with_record(face))
            written += 1
            run.events.advance(written)
            if run.cancel.is_set():
                raise StoppedError(f"{output}: stopped after {written} faces; run it again")
    finally:
        run.events.end()
    skipped = tell_skipped(run, [faceset for faceset, _ in picked])
    return Written(place=output, written=written, skipped=skipped)


def pack_faces(run: Run, *, folder: Path, path: Path) -> Written:
    """Put a set into one file: pictures of ours byte by byte, with what was drawn on them.

    Raises StoppedError after `run.cancel`: no pack is left then.
    """
    if path.resolve() == folder.resolve() or path.is_dir():
        raise ConfigError(f"-o {path}: is a folder; name the file to write, such as {folder}.zip")
    if folder.is_dir():
        finish(folder)
    faceset = run.context.faceset(folder)
    run.events.start(f"pack {folder}", len(faceset), "faces")
    written = 0
    try:
        with write_pack(path) as add:
            for name, data in _packed(faceset):
                try:
                    add(name, data)
                except UnicodeEncodeError:
                    faceset.notes.append(f"skipped {name!r}: its name is no text; rename it")
                    continue
                written += "/" not in name
                run.events.advance(written)
                if run.cancel.is_set():
                    raise StoppedError(f"{path}: stopped after {written} faces; no pack was left")
    finally:
        run.events.end()
        skipped = tell_skipped(run, [faceset])
    return Written(place=path, written=written, skipped=skipped)


def unpack_faces(run: Run, *, path: Path, output: Path) -> Written:
    """Write all files of a pack into a folder; what lies there already and is the same, stays.

    Raises OutputError where another file has a picture's name.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such pack; 'mien faces pack' makes one")
    pack = Pack(path)
    names = pack.names
    run.events.start(f"unpack {path}", len(names), "files")
    notes: list[str] = []
    done = 0

    def write(name: str) -> bool:
        try:
            data = pack.data(name)
        except InputError as error:
            notes.append(f"skipped {error}")
            return False
        write_new(output / name, data)
        return "/" not in name

    try:
        with ThreadPoolExecutor(_WRITERS) as pool:
            for start in range(0, len(names), _AT_ONCE):
                done += sum(pool.map(write, names[start : start + _AT_ONCE]))
                run.events.advance(min(start + _AT_ONCE, len(names)))
                if run.cancel.is_set():
                    raise StoppedError(f"{output}: stopped after {done} faces; run it again")
    finally:
        run.events.end()
        skipped = tell_notes(run, notes)
    return Written(place=output, written=done, skipped=skipped)


def drawn_files(faceset: Faceset, paths: Sequence[Path]) -> Iterator[FaceFile]:
    """Faces as files, with what was drawn beside them; what cannot be read becomes a note."""
    for path in paths:
        try:
            face = faceset.store.file(path)
            yield replace(face, record=with_label(path, face.record))
        except InputError as error:
            faceset.notes.append(f"skipped {error}")


def with_label(path: Path, record: FaceRecord) -> FaceRecord:
    """The record with what was drawn in the file beside the face.  Raises InputError."""
    if not label_path(path).is_file():
        return record
    return with_polygons(record, of_face(path, record))


def check_new(output: Path, folder: Path) -> None:
    """Raise ConfigError where what is written would be what is read."""
    if output.resolve() == folder.resolve():
        raise ConfigError(f"-o {output}: is the faceset that is read; name another folder")


def tell_skipped(run: Run, sets: Sequence[Faceset]) -> int:
    """Pass on what could not be read; how many pictures that were."""
    return tell_notes(run, [note for each in sets for note in each.notes])


def tell_notes(run: Run, notes: Sequence[str]) -> int:
    """Pass on the first of the sentences about skipped pictures; how many there are."""
    for note in notes[:_NAMED]:
        run.events.note(note)
    if len(notes) > _NAMED:
        run.events.note(f"{len(notes) - _NAMED} more pictures were skipped")
    return len(notes)


def _packed(faceset: Faceset) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of all that goes into a pack."""
    if not isinstance(faceset.store, Folder):
        for face in told_apart(drawn_files(faceset, faceset.paths)):
            yield f"{face.name}{face.suffix}", with_record(face)
        return
    drawn = holds_drawings(faceset.folder)
    for path in faceset.paths:
        try:
            yield path.name, path.read_bytes()
            for beside, _ in companions(path, path) if drawn else ():
                yield beside.relative_to(faceset.folder).as_posix(), beside.read_bytes()
        except OSError as error:
            faceset.notes.append(f"skipped face '{path}': cannot be read ({reason(error)})")
