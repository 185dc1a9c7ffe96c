"""What a workspace knows of a clip as JSON or CSV, and back; and from facesets, and into them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError, NothingFoundError, StoppedError
from ..extraction import ExtractOptions, StoreStep
from ..runner import Step
from ..runner import run as run_steps
from ..types import Face, Frame, Packet, replace
from ..workspace import KnownClip, KnownFrame, WorkspaceEditor
from .alignment_lists import Listed, kind_of, read_list, write_list
from .alignments import chosen
from .backups import back_up, opened
from .extract import prefix_of
from .record import make_folder
from .run import Run, frame_number
from .swap import RecallStep

_GONE = Face(box=(0.0, 0.0, 0.0, 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """Frames whose faces are now as the file or faceset says, faces in them, faces new here."""

    frames: int
    faces: int
    new: int
    backup: Path


def export_file(run: Run, workspace: Path, path: Path, *, uri: str = "") -> tuple[int, int]:
    """Write all frames and faces of a clip as `path` says, `.json` or `.csv`; how many of each."""
    kind_of(path)
    with opened(workspace) as store:
        clip = chosen(run, store, uri)
        frames = store.frames(clip.id)
        faces: dict[int, dict[int, Face]] = defaultdict(dict)
        for (frame, position), face in store.listed(clip.id):
            faces[frame][position] = face
    write_list(path, clip, frames, faces)
    return len(frames), sum(map(len, faces.values()))


def import_file(run: Run, workspace: Path, path: Path, *, uri: str = "") -> Entered:
    """Make the faces of the frames that a file lists those that it lists; other frames stay.

    A face keeps the masks and the identity that it had.  Raises InputError where the file is no
    such list, or of another clip.
    """
    kind_of(path)
    with opened(workspace) as store:
        clip = chosen(run, store, uri)
        return _enter(store, clip, read_list(path, clip))


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
            places: dict[int, list[int]] = defaultdict(list)
            for (frame, position), _ in store.listed(clip):
                places[frame].append(position)
            if not places:
                raise NothingFoundError(f"{workspace}: holds no face of {uri}")
        make_folder(faceset)
        store_step = StoreStep(faceset, prefix_of(source.info.uri), source.info, options)
        steps = [
            Step(name="recall", stage=_RecallPlaces(workspace, clip, places)),
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


class _RecallPlaces(RecallStep):
    """Gives every face the place that it has among its frame's, so that its picture gets the name
    that it had: before a face that stayed, others may have been removed."""

    def __init__(self, folder: Path, clip: int, places: Mapping[int, Sequence[int]]) -> None:
        super().__init__(folder, clip)
        self._places = places

    def __call__(self, batch: Sequence[Frame], /) -> list[Packet]:
        """One packet per frame; where a face is gone, one without landmarks stands for it."""
        return [self._spread(packet) for packet in super().__call__(batch)]

    def _spread(self, packet: Packet) -> Packet:
        places = self._places.get(packet.frame.index, ())
        if len(places) != len(packet.faces) or not places:
            return packet
        spread = [_GONE] * (max(places) + 1)
        for place, face in zip(places, packet.faces, strict=True):
            spread[place] = face
        return replace(packet, faces=tuple(spread))
