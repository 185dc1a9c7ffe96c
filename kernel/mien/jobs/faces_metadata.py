"""`mien faces`: what is known of faces, parted from their pictures and put back into them.

The file is JSON with a line for each face, so that neither side holds all of a large set at once:

    {"mien-metadata": 1, "faces": {
    "clip_000012_0.jpg": {"version": 1, ...},
    "clip_000013_0.jpg": {"version": 1, ...}
    }}
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from ..atomic import reason, whole_file, write_whole
from ..curation.moving import finish
from ..errors import InputError, OutputError, StoppedError
from ..faceset import (
    FaceFile,
    Faceset,
    check_square,
    check_whole,
    pictures,
    read_header,
    with_record,
)
from ..faceset.container import without_text
from ..faceset.record import from_json, to_json
from .faces_copy import Written, tell_notes, tell_skipped
from .faces_files import resized
from .run import Run

_FIRST = '{"mien-metadata": 1, "faces": {'
_LAST = "}}"
_LONGEST = 1 << 26


def save_metadata(run: Run, *, folder: Path, path: Path) -> Written:
    """Write what is known of every face into one file, by the picture's name."""
    faceset = run.context.faceset(folder)
    run.events.start(f"save {path}", len(faceset), "faces")
    written = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as beside, beside.open("w", encoding="utf-8", newline="\n") as out:
            out.write(_FIRST)
            for name, text in _told_apart(faceset):
                out.write(f"{',' if written else ''}\n{json.dumps(name)}: {text}")
                written += 1
                run.events.advance(written)
                if run.cancel.is_set():
                    raise StoppedError(f"{path}: stopped after {written} faces; nothing was left")
            out.write(f"\n{_LAST}\n")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({reason(error)})") from error
    finally:
        run.events.end()
        skipped = tell_skipped(run, [faceset])
    return Written(place=path, written=written, skipped=skipped)


def restore_metadata(run: Run, *, folder: Path, path: Path) -> Written:
    """Put saved metadata back into pictures that another program wrote anew, and lost it.

    A picture of another size is left so; its landmarks and matrix are scaled along.  Pictures that
    the file does not know are left alone.  Raises InputError where it knows none.
    """
    finish(folder)
    places = _index(path)
    found = [picture for picture in pictures(folder) if picture.name in places]
    if not found:
        raise InputError(
            f"{path}: knows none of the pictures of {folder}; pictures are known by their names, "
            f"which 'mien faces restore-names {folder}' gives back after a sorting"
        )
    run.events.start(f"restore {folder}", len(found), "faces")
    notes: list[str] = []
    try:
        with path.open("rb") as saved:
            for number, picture in enumerate(found, 1):
                start, length = places[picture.name]
                saved.seek(start)
                try:
                    _restore(picture, saved.read(length).decode())
                except (InputError, OSError, UnicodeDecodeError) as error:
                    notes.append(f"skipped {error}")
                run.events.advance(number)
                if run.cancel.is_set():
                    raise StoppedError(f"{folder}: stopped after {number} faces; run it again")
    finally:
        run.events.end()
        tell_notes(run, notes)
    return Written(place=folder, written=len(found) - len(notes), skipped=len(notes))


def _restore(picture: Path, text: str) -> None:
    where = f"face '{picture}'"
    record = from_json(text, where)
    data = picture.read_bytes()
    head = read_header(BytesIO(data), where)
    check_whole(data, where)
    check_square(head.width, head.height, where)
    if head.width != record.size:
        try:
            record, _ = resized(record, head.width, record.face_type)
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
    made = with_record(FaceFile(name=picture.stem, data=without_text(data), record=record))
    if made != data:
        write_whole(picture, made)


def _told_apart(faceset: Faceset) -> Iterator[tuple[str, str]]:
    """Name and metadata of each face; of equal names, as people's folders of a pack have, one."""
    taken: set[str] = set()
    for path, record in faceset.records():
        if path.name in taken:
            faceset.notes.append(f"skipped face '{path}': another one has its name; unpack the set")
            continue
        taken.add(path.name)
        yield path.name, to_json(record)


def _index(path: Path) -> dict[str, tuple[int, int]]:
    """Where in the file the metadata of each picture lie: begin and bytes."""
    decoder, found, at = json.JSONDecoder(), {}, 0
    try:
        with path.open("rb") as stream:
            line = stream.readline(_LONGEST)
            if json.loads(line.decode() + _LAST) != json.loads(_FIRST + _LAST):
                raise ValueError("its first line is another")
            at = len(line)
            while (line := stream.readline(_LONGEST)).strip() != _LAST.encode():
                text = line.decode()
                name, end = decoder.raw_decode(text)
                begin = line.index(b":", len(text[:end].encode())) + 1
                found[str(name)] = (at + begin, len(line.rstrip(b",\r\n ")) - begin)
                at += len(line)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: holds no whole metadata of 'save-metadata' ({error})") from error
    return found
