"""`mien import`: faces of other programs as facesets and workspaces of ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ..atomic import holds, write_whole
from ..errors import ConfigError, InputError, NothingFoundError, PluginError, StoppedError
from ..faceset import FaceFile, Faceset, FrameFaces, with_record
from ..media.base import ClipInfo
from ..media.files import PICTURES
from ..registry import KNOWN_DISTS
from ..types import Face, Frame, Packet, replace
from ..workspace import Workspace
from .run import Run

_AT_ONCE = 64
_WRITERS = 4
"""Threads that write: most of their time is waiting for the disk."""
_NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedFaces:
    """Faces that were written, those that lay there already, and pictures that were skipped."""

    folder: Path
    written: int
    kept: int
    skipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EnteredFaces:
    """Faces that a workspace now knows of a clip, and frames of the list that it does not have."""

    workspace: Path
    frames: int
    faces: int
    unknown: int


def import_faceset(run: Run, *, place: Path, folder: Path, program: str) -> ImportedFaces:
    """Make a faceset of ours from another program's: the pictures stay as they were encoded.

    What lies there already is never written over, as work of ours may be in it.  People of a packed
    set get a folder each.
    Raises ConfigError where `folder` is `place`, InputError where that holds no such faces,
    StoppedError after `run.cancel`.
    """
    check_elsewhere(folder, place)
    faceset = open_foreign(run, place, program)
    written = kept = seen = other = 0
    people: Counter[str] = Counter()
    run.events.start(f"import {place}", len(faceset), "faces")
    try:
        with ThreadPoolExecutor(_WRITERS) as pool:
            for faces in _batches(told_apart(faceset.files())):
                done = list(pool.map(lambda face: _write(folder, face), faces))
                people.update(face.person for face in faces)
                seen, written = seen + len(done), written + done.count(None)
                kept, other = seen - written, other + done.count(False)
                run.events.advance(seen)
                if run.cancel.is_set():
                    raise StoppedError(f"{folder}: stopped after {seen} faces; run it again")
    finally:
        run.events.end()
        for note in faceset.notes[:_NAMED]:
            run.events.note(note)
        if len(faceset.notes) > _NAMED:
            run.events.note(f"{place}: {len(faceset.notes) - _NAMED} more pictures were skipped")
    if other:
        run.events.note(
            f"{folder}: {other} faces of these names lie there already and are others, or were "
            "changed since; they stay as they are; to have both, name a new folder"
        )
    named = sorted(person for person in people if person)
    if named:
        where = ", ".join(str(folder / person) for person in named[:5])
        run.events.note(f"{place}: holds {len(named)} people, a faceset each: {where}")
    skipped = len(faceset) - seen
    return ImportedFaces(folder=folder, written=written, kept=kept, skipped=skipped)


def open_foreign(run: Run, place: Path, program: str) -> Faceset:
    """The faces of another program.  Raises InputError where there are none."""
    if not place.exists():
        raise InputError(f"{place}: there is no such file or folder")
    store = run.registry.hook.mien_open_faceset(path=place)
    if store is not None:
        return Faceset(place, store)
    if place.is_dir():
        next(Faceset(place).records())  # says which plugin is missing, where one is
        raise InputError(f"{place}: holds faces of mien, not of {program}; there is nothing to do")
    raise InputError(f"{place}: holds no faces of {program}")


def enter_faces(
    run: Run, *, uri: str, frames: Sequence[FrameFaces], workspace: Path, work: str
) -> EnteredFaces:
    """Put faces into a workspace as the faces of a clip, for `mien merge`.

    frames  by name: the last number of a name counts the frames of a video from 1, and in a folder
            of pictures the name without suffix must be that of a picture
    Raises NothingFoundError where no frame of the clip is among them.
    """
    with run.source(uri) as source, Workspace(workspace) as store:
        info = source.info
        clip = store.clip_id(info)
        store.start_run(run.run_id, run.command, {"work": work})
        find = _by_frame(frames, info)
        matched: set[str] = set()
        count, waiting = 0, []
        run.events.start(f"import into {workspace}", info.frames, "frames")
        try:
            for frame in source.frames():
                listed = find(frame)
                if listed is not None:
                    matched.add(listed.name)
                    count += len(listed.faces)
                    waiting.append(_packet(frame, listed.faces))
                if len(waiting) >= _AT_ONCE:
                    store.put(clip, waiting, work=work)
                    waiting.clear()
                run.events.advance(frame.index + 1)
                if run.cancel.is_set():
                    raise StoppedError(f"{workspace}: stopped at frame {frame.index}; run it again")
            store.put(clip, waiting, work=work)
            store.end_run(run.run_id, "done")
        finally:
            run.events.end()
    if not matched:
        shown = frames[0].name if frames else "none"
        raise NothingFoundError(f"{uri}: has none of the listed frames, such as '{shown}'")
    return EnteredFaces(
        workspace=workspace,
        frames=len(matched),
        faces=count,
        unknown=len(frames) - len(matched),
    )


def import_alignments(run: Run, *, path: Path, uri: str, workspace: Path) -> EnteredFaces:
    """Put what another program's file says of a clip's faces into a workspace.

    Raises PluginError where no plugin can read the file.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    found = run.registry.hook.mien_read_alignments(path=path)
    if found is None:
        raise PluginError(missing("read", str(path), "faceswap"))
    for note in found.notes:
        run.events.note(f"{path}: {note}")
    called = _called_after(found.frames)
    if called and called != Path(uri).stem and Path(uri).is_file():
        run.events.note(f"{path}: its frames are called after '{called}'; is {uri} that clip?")
    done = enter_faces(
        run, uri=uri, frames=found.frames, workspace=workspace, work=f"import {path}"
    )
    if done.unknown:
        run.events.note(f"{path}: {done.unknown} of its frames are none of {uri}")
    return done


def told_apart(faces: Iterable[FaceFile], *, one_kind: bool = False) -> Iterator[FaceFile]:
    """The faces, those that would overwrite an earlier one under another name.

    one_kind  all are written with the same suffix
    """
    taken: set[tuple[str, str]] = set()
    for face in faces:
        name, number = face.name, 1
        suffix = "" if one_kind else face.suffix
        # Some file systems do not tell `A.jpg` from `a.jpg`.
        while (face.person.casefold(), f"{name}{suffix}".casefold()) in taken:
            number += 1
            name = f"{face.name}-{number}"
        taken.add((face.person.casefold(), f"{name}{suffix}".casefold()))
        yield face if name == face.name else replace(face, name=name)


def check_elsewhere(folder: Path, place: Path) -> None:
    """Raise ConfigError where faces would be written over those that are read."""
    if folder.resolve() == (place if place.is_dir() else place.parent).resolve():
        raise ConfigError(f"-o {folder}: is where the faces lie that are read; name another folder")


def missing(verb: str, what: str, plugin: str) -> str:
    """A sentence that says which distribution to install."""
    dist = KNOWN_DISTS[f"interop.{plugin}"]
    return f"no installed plugin can {verb} {what}; it comes with: pip install {dist}"


def _write(folder: Path, face: FaceFile) -> bool | None:
    """Write a face, unless a file of its name is there: whether that is the same one."""
    path, data = folder / face.person / f"{face.name}{face.suffix}", with_record(face)
    there = holds(path, data)
    if there is None:
        write_whole(path, data)
    return there


def _batches(faces: Iterable[FaceFile]) -> Iterable[list[FaceFile]]:
    waiting = iter(faces)
    while batch := list(islice(waiting, _AT_ONCE)):
        yield batch


def _by_frame(frames: Sequence[FrameFaces], info: ClipInfo) -> Callable[[Frame], FrameFaces | None]:
    """Finds what is listed of a frame: by the picture's name, or by the video frame's number."""
    if info.still:
        names: Mapping[str, FrameFaces] = {Path(each.name).stem: each for each in frames}
        return lambda frame: names.get(frame.name)
    numbers = {_number(each.name): each for each in frames}
    return lambda frame: numbers.get(frame.index + 1)


def _called_after(frames: Sequence[FrameFaces]) -> str:
    """The clip after which video frames are called, as in `clip_000001.mp4`; else empty."""
    path = Path(frames[0].name) if frames else Path()
    stem, _, number = path.stem.rpartition("_")
    return stem if number.isdecimal() and path.suffix.lower() not in PICTURES else ""


def _number(name: str) -> int:
    digits = "".join(letter if letter.isdecimal() else " " for letter in Path(name).stem).split()
    return int(digits[-1][-12:]) if digits else -1


def _packet(frame: Frame, faces: tuple[Face, ...]) -> Packet:
    return Packet(frame=replace(frame, image=frame.image[:1, :1].copy()), faces=faces)
