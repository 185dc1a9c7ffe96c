"""What `mien extract` has done so far, so that a second run goes on where the first one stopped.

It stands in `extract.json` beside the faces and in the workspace, batch by batch: a crash costs at
most `COMMIT_FRAMES` frames of work, and never what was stored before.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..atomic import reason, write_whole
from ..errors import InputError, MienError, OutputError
from ..finding.tracks import Box, Recall
from ..media.base import ClipInfo
from ..types import Packet, replace
from ..workspace import Workspace
from .run import Run

STATE = "extract.json"
COMMIT_FRAMES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a place is: the first frame to do, the first free track, where the shots begin."""

    next_frame: int = 0
    next_track: int = 0
    shots: tuple[int, ...] = ()


@dataclass(kw_only=True)
class Record:
    """Commits finished frames, a batch at a time, to the workspace and the faceset's state.

    first  frames before this one are known already and only looked at again
    """

    run: Run
    info: ClipInfo
    key: str
    faceset: Path | None
    workspace: Path | None
    first: int = 0
    faces: int = 0
    tracks: int = 0
    shots: list[int] = field(default_factory=list)
    _waiting: list[Packet] = field(default_factory=list)
    _store: Workspace | None = None
    _clip: int = 0

    def progress(self) -> Progress:
        """How far all places are."""
        places = []
        if self.faceset is not None:
            places.append(_read_state(self.faceset).get(self.key, Progress()))
        if self.workspace is not None:
            with Workspace(self.workspace) as store:
                clip = store.clip_id(self.info)
                done = store.next_frame(clip, self.key)
                known = (store.next_track(clip), store.shots(clip)) if done else (0, ())
                places.append(Progress(next_frame=done, next_track=known[0], shots=known[1]))
        return min(places, key=lambda place: place.next_frame, default=Progress())

    def recall(self, done: Progress, again: int) -> Recall:
        """What is known of the frames from `again` on, which will be looked at once more."""
        self.tracks = done.next_track
        self.shots = [shot for shot in done.shots if shot < self.first]
        return Recall(
            faces=self._known_faces(again, done.next_frame),
            next_track=done.next_track,
            shots=done.shots,
            until=done.next_frame,
        )

    def _known_faces(self, again: int, behind: int) -> Mapping[int, list[tuple[Box, int]]]:
        known: dict[int, list[tuple[Box, int]]] = defaultdict(list)
        if again >= behind:
            return known
        if self.workspace is not None:
            with Workspace(self.workspace) as store:
                clip = store.clip_id(self.info)
                for number in range(again, behind):
                    known[number] = [(face.box, face.track) for face in store.faces(clip, number)]
        elif self.faceset is not None:
            from ..faceset import Faceset

            for _, record in Faceset(self.faceset).records():
                mine = record.fingerprint == self.info.fingerprint
                if mine and again <= record.frame_index < behind:
                    known[record.frame_index].append((record.box, record.track))
        return known

    def __enter__(self) -> Record:
        if self.faceset is not None:
            make_folder(self.faceset)
        if self.workspace is not None:
            self._store = Workspace(self.workspace)
            self._clip = self._store.clip_id(self.info)
            self._store.start_run(self.run.run_id, self.run.command, {"key": self.key})
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        outcome = "done" if error is None else f"{type(error).__name__}: {error}"
        try:
            self._commit()
        except MienError:
            if error is None:
                raise
        finally:
            if self._store is not None:
                try:
                    self._store.end_run(self.run.run_id, outcome)
                except MienError:
                    if error is None:
                        raise
                finally:
                    self._store.close()

    def add(self, packet: Packet) -> None:
        """A finished frame; its pixels are let go at once."""
        if packet.frame.index < self.first:
            return
        self.faces += sum(1 for face in packet.faces if face.landmarks is not None)
        self.tracks = max([self.tracks, *(face.track + 1 for face in packet.faces)])
        if packet.shot >= 0 and packet.shot not in self.shots[-1:]:
            self.shots.append(packet.shot)
        frame = replace(packet.frame, image=packet.frame.image[:1, :1].copy())
        self._waiting.append(replace(packet, frame=frame))
        if len(self._waiting) >= COMMIT_FRAMES:
            self._commit()

    def _commit(self) -> None:
        if not self._waiting:
            return
        if self._store is not None:
            self._store.put(self._clip, self._waiting, work=self.key)
        if self.faceset is not None:
            state = _read_state(self.faceset)
            state[self.key] = Progress(
                next_frame=self._waiting[-1].frame.index + 1,
                next_track=self.tracks,
                shots=tuple(self.shots),
            )
            _write_state(self.faceset, state)
        self._waiting.clear()


def make_folder(folder: Path) -> None:
    """The folder, made where it is not there; OutputError where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({reason(error)})") from error


def _write_state(folder: Path, state: Mapping[str, Progress]) -> None:
    plain = {
        key: {"next": done.next_frame, "tracks": done.next_track, "shots": list(done.shots)}
        for key, done in state.items()
    }
    write_whole(folder / STATE, json.dumps(plain, indent=1).encode())


def _read_state(folder: Path) -> dict[str, Progress]:
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder / STATE}: cannot be read ({error}); delete it to extract anew"
        ) from error
    if not isinstance(state, dict):
        raise InputError(f"{folder / STATE}: is no table; delete it to extract anew")
    return {str(key): _progress(value) for key, value in state.items()}


def _progress(value: Any) -> Progress:
    """One entry; a bare number is how the first versions wrote it."""
    try:
        if isinstance(value, int):
            return Progress(next_frame=value)
        return Progress(
            next_frame=int(value["next"]),
            next_track=int(value["tracks"]),
            shots=tuple(int(shot) for shot in value["shots"]),
        )
    except (KeyError, TypeError, ValueError):
        return Progress()
