"""`mien extract`: the faces of a clip, as a faceset, into a workspace, or both.

Resumable: what was done stands in `extract.json` beside the faces and in the workspace, batch by
batch, and a second run with the same clip and options goes on behind it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..atomic import reason, write_whole
from ..errors import InputError, MienError, NothingFoundError, OutputError, StoppedError
from ..extraction import ExtractOptions, SelectStep, StoreStep
from ..media.base import ClipInfo
from ..pipeline import extract_steps
from ..runner import Step
from ..runner import run as run_steps
from ..stages import AlignerProvider, DetectorProvider, MaskerProvider, Provider, Stage
from ..types import Frame, Packet, replace
from ..workspace import Workspace
from .run import Run, frame_number
from .sheet import Sheet, draw_faces

STATE = "extract.json"
COMMIT_FRAMES = 32
"""Frames between two commits: a crash costs at most so much work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """What was found: frames looked at in this run, faces in them, where they are."""

    frames: int
    faces: int
    resumed_at: int
    faceset: Path | None
    workspace: Path | None
    sheet: Path | None = None


def extract(
    run: Run,
    *,
    faceset: Path | None = None,
    workspace: Path | None = None,
    fresh: bool = False,
    sheet: Path | None = None,
    known: Stage[Frame, Packet] | None = None,
) -> Extracted:
    """Take the faces out of the run's input clip.

    faceset, workspace  where to; at least one   fresh  begin anew, whatever was done before
    known  a stage that knows the faces and their landmarks already, instead of finding them
    Raises NothingFoundError where no frame has a face, StoppedError after `run.cancel`.
    """
    options = run.config.section("extract", ExtractOptions)
    uri = run.config.job().input
    finders: list[Provider] = []
    if known is None:
        finders = [run.provider(DetectorProvider), run.provider(AlignerProvider)]
    maskers = run.providers(MaskerProvider)
    with run.source(uri) as source:
        record = _Record(
            run=run,
            info=source.info,
            key=_key(source.info, run.config.resolved(("extract",), [*finders, *maskers])),
            faceset=faceset,
            workspace=workspace,
        )
        done = 0 if fresh else max(0, record.resume_at() - options.start)
        first = options.start + -(-done // options.every) * options.every
        stop = options.stop or None
        steps = _steps(run, options, finders, maskers, known)
        if faceset is not None:
            store = StoreStep(faceset, _prefix(source.info.uri), source.info, options)
            steps.append(Step(name="store", stage=store))
        shown = _FaceSheet(sheet) if sheet else None
        total = len(range(first, stop or source.info.frames, options.every))
        run.events.start("extract", max(total, 0), "frames")
        try:
            with record:
                report = run_steps(
                    source.frames(first, stop, options.every),
                    steps,
                    lambda packet: _finish(packet, record, shown),
                    index_of=frame_number,
                    size_of=lambda item: item.nbytes,
                    cancel=run.cancel,
                    on_item=run.events.advance,
                )
        finally:
            run.events.end()
    if report.stopped:
        raise StoppedError(
            f"stopped after {report.items} frames with {record.faces} faces; "
            "the same command goes on from there"
        )
    if first == options.start and not report.items:
        raise InputError(f"{uri}: holds no frame at or behind {first}, where extraction begins")
    if first == options.start and not record.faces:
        raise NothingFoundError(f"{uri}: no face was found in any of its {report.items} frames")
    return Extracted(
        frames=report.items,
        faces=record.faces,
        resumed_at=first,
        faceset=faceset,
        workspace=workspace,
        sheet=shown.write() if shown else None,
    )


def _steps(
    run: Run,
    options: ExtractOptions,
    finders: Sequence[Provider],
    maskers: Sequence[MaskerProvider],
    known: Stage[Frame, Packet] | None,
) -> list[Step]:
    """From frames to packets with the faces that the options want, aligned and masked."""
    find, align = [run.make(finder) for finder in finders] or (None, None)
    steps = [Step(name="recall", stage=known)] if known else extract_steps(find, None, [])
    steps.append(Step(name="select", stage=SelectStep(options)))
    masks = [(masker.name, run.make(masker)) for masker in maskers]
    return steps + extract_steps(None, align, masks)


def _finish(packet: Packet, record: _Record, sheet: _FaceSheet | None) -> None:
    record.add(packet)
    if sheet:
        sheet.see(packet)


@dataclass(kw_only=True)
class _Record:
    """Commits finished frames, a batch at a time, to the workspace and the faceset's state."""

    run: Run
    info: ClipInfo
    key: str
    faceset: Path | None
    workspace: Path | None
    faces: int = 0
    _waiting: list[Packet] = field(default_factory=list)
    _store: Workspace | None = None
    _clip: int = 0

    def resume_at(self) -> int:
        """The frame behind the last one that all places have."""
        places = []
        if self.faceset is not None:
            places.append(_read_state(self.faceset).get(self.key, 0))
        if self.workspace is not None:
            with Workspace(self.workspace) as store:
                places.append(store.next_frame(store.clip_id(self.info), self.key))
        return min(places, default=0)

    def __enter__(self) -> _Record:
        if self.faceset is not None:
            _make_folder(self.faceset)
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
        self.faces += sum(1 for face in packet.faces if face.landmarks is not None)
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
            state[self.key] = self._waiting[-1].frame.index + 1
            write_whole(self.faceset / STATE, json.dumps(state, indent=1).encode())
        self._waiting.clear()


class _FaceSheet:
    """A contact sheet of frames with boxes and points, spread over the clip."""

    def __init__(self, path: Path) -> None:
        self._sheet = Sheet(path)

    def see(self, packet: Packet) -> None:
        for _ in self._sheet.watch([packet.frame]):
            drawn = draw_faces(packet.frame, packet.faces)
            self._sheet.add(replace(packet, frame=replace(packet.frame, image=drawn)))

    def write(self) -> Path | None:
        return self._sheet.write()


def _key(info: ClipInfo, settings: dict[str, Any]) -> str:
    """Names a clip and all that decides which faces come out of it."""
    extract = {k: v for k, v in settings["extract"].items() if k not in ("stop",)}
    kinds = {k: settings.get(k) for k in ("detector", "aligner", "masker")}
    text = json.dumps([info.fingerprint, extract, kinds], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _prefix(uri: str) -> str:
    """The clip's name as the first part of its faces' file names."""
    stem = Path(uri.rstrip("/")).stem or "clip"
    return "".join(letter if letter.isalnum() or letter in "-." else "-" for letter in stem)[:80]


def _read_state(folder: Path) -> dict[str, int]:
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
    return {str(key): int(value) for key, value in state.items() if isinstance(value, int)}


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({reason(error)})") from error
