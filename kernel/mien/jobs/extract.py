"""`mien extract`: the faces of a clip, as a faceset, into a workspace, or both.

Resumable: `Record` keeps what was done, and a second run with the same clip and options goes on
behind it.  It looks once more at the last frames that are done, so that tracks go on across the
break and smoothing has its past.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..cores import opencv_shares_cores
from ..errors import InputError, NothingFoundError, StoppedError
from ..extraction import DrawStep, ExtractOptions, NewStep, StoreStep
from ..finding.options import FindOptions
from ..finding.smooth import SmoothStep
from ..finding.tracks import PATIENCE
from ..media.base import ClipInfo
from ..pipeline import mask_steps
from ..runner import Step
from ..runner import run as run_steps
from ..stages import MaskerProvider
from ..types import Packet, replace
from .find import find_steps, finders
from .outputs import check_picture
from .record import Progress, Record, make_folder
from .run import Run, frame_number
from .sheet import Sheet


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """What was found: frames looked at in this run, faces in them, where they are.

    shots, tracks  of the whole clip so far
    jitter         of the points before and after smoothing, percent of the distance of the eyes;
                   None where they were not smoothed
    """

    frames: int
    faces: int
    resumed_at: int
    faceset: Path | None
    workspace: Path | None
    shots: tuple[int, ...] = ()
    tracks: int = 0
    jitter: tuple[float, float] | None = None
    sheet: Path | None = None


def extract(
    run: Run,
    *,
    faceset: Path | None = None,
    workspace: Path | None = None,
    fresh: bool = False,
    sheet: Path | None = None,
    drawings: Path | None = None,
) -> Extracted:
    """Take the faces out of the run's input clip.

    faceset, workspace  where to; at least one   fresh  begin anew, whatever was done before
    drawings  a folder for every frame with what was found in it
    Raises NothingFoundError where no frame has a face, StoppedError after `run.cancel`.
    """
    options = run.config.section("extract", ExtractOptions)
    finding = run.config.section("find", FindOptions)
    uri = run.config.job().input
    maskers = run.providers(MaskerProvider)
    who = [*finders(run), *maskers]
    with run.source(uri) as source:
        record = Record(
            run=run,
            info=source.info,
            key=_key(source.info, run.config.resolved(("find", "extract"), who)),
            faceset=faceset,
            workspace=workspace,
        )
        done = Progress() if fresh else record.progress()
        again, first = _places(done.next_frame, source.info, options, finding)
        record.first = first
        recall = record.recall(done, again)
        steps = find_steps(run, recall)
        if first > again:
            steps.append(Step(name="new", stage=NewStep(first)))
        steps += mask_steps([(masker.name, run.make(masker)) for masker in maskers])
        if faceset is not None:
            store = StoreStep(faceset, prefix_of(source.info.uri), source.info, options)
            steps.append(Step(name="store", stage=store))
        if drawings is not None:
            make_folder(drawings)
            steps.append(Step(name="draw", stage=DrawStep(drawings, first, options.face_type)))
        shown = _FaceSheet(sheet) if sheet else None
        stop = options.stop or None
        total = len(range(again, stop or source.info.frames, options.every))
        run.events.start("extract", max(total, 0), "frames")
        try:
            with record, opencv_shares_cores():
                report = run_steps(
                    source.frames(again, stop, options.every),
                    steps,
                    lambda packet: _finish(packet, record, shown),
                    index_of=frame_number,
                    size_of=lambda item: item.nbytes,
                    cancel=run.cancel,
                    on_item=run.events.advance,
                )
        finally:
            run.events.end()
    frames = max(0, report.items - (first - again) // options.every)
    if report.stopped:
        raise StoppedError(
            f"stopped after {frames} frames with {record.faces} faces; "
            "the same command goes on from there"
        )
    if first == options.start and not frames:
        raise InputError(f"{uri}: holds no frame at or behind {first}, where extraction begins")
    if first == options.start and not record.faces:
        raise NothingFoundError(f"{uri}: no face was found in any of its {frames} frames")
    steady = next((step.stage for step in steps if isinstance(step.stage, SmoothStep)), None)
    return Extracted(
        frames=frames,
        faces=record.faces,
        resumed_at=first,
        faceset=faceset,
        workspace=workspace,
        shots=tuple(record.shots),
        tracks=record.tracks,
        jitter=(steady.before, steady.after) if steady else None,
        sheet=shown.write() if shown else None,
    )


def _places(
    done: int, info: ClipInfo, options: ExtractOptions, finding: FindOptions
) -> tuple[int, int]:
    """Where to begin looking, and the first frame to keep, when `done` frames were done before.

    The last frames of a run that was stopped were smoothed without those behind them: they are done
    once more.  Some frames before these give the tracks and the smoothing their past.
    """
    every = options.every
    looked = -(-max(0, done - options.start) // every)
    if looked and options.start + looked * every >= (options.stop or info.frames):
        return options.start + looked * every, options.start + looked * every
    kept = max(0, looked - finding.smooth)
    again = max(0, kept - PATIENCE - finding.smooth)
    return options.start + again * every, options.start + kept * every


def _finish(packet: Packet, record: Record, sheet: _FaceSheet | None) -> None:
    record.add(packet)
    if sheet:
        sheet.see(packet)


class _FaceSheet:
    """A contact sheet of frames with boxes and points, spread over the clip."""

    def __init__(self, path: Path) -> None:
        check_picture(path)
        self._sheet = Sheet(path)

    def see(self, packet: Packet) -> None:
        from ..drawing import draw_faces

        for _ in self._sheet.watch([packet.frame]):
            drawn = draw_faces(packet.frame, packet.faces)
            self._sheet.add(replace(packet, frame=replace(packet.frame, image=drawn)))

    def write(self) -> Path | None:
        return self._sheet.write()


def _key(info: ClipInfo, settings: dict[str, Any]) -> str:
    """Names a clip and all that decides which faces come out of it."""
    extract = {k: v for k, v in settings["extract"].items() if k not in ("stop",)}
    kinds = {k: settings.get(k) for k in ("find", "detector", "aligner", "embedder", "masker")}
    text = json.dumps([info.fingerprint, extract, kinds], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def prefix_of(uri: str) -> str:
    """The clip's name as the first part of its faces' file names."""
    stem = Path(uri.rstrip("/")).stem or "clip"
    return "".join(letter if letter.isalnum() or letter in "-." else "-" for letter in stem)[:80]
