"""From frames to a finished clip: what `mien swap` and `mien merge` share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError, MienError, NothingFoundError, StoppedError
from ..media.base import ClipWriter, OutputOptions, OutputPlan, Source
from ..runner import Report, Step
from ..runner import run as run_steps
from ..types import Packet
from .run import Run, frame_number
from .sheet import Sheet


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A finished clip: how many frames it has, in how many a face was seen and was swapped.

    crowded  frames in which a face kept its own look because another one was swapped
    """

    path: Path
    frames: int
    with_face: int
    swapped: int
    crowded: int
    report: Report
    sheet: Path | None = None


class _Counts:
    def __init__(self) -> None:
        self.frames = self.with_face = self.swapped = self.crowded = 0

    def see(self, packet: Packet) -> None:
        swaps = sum(1 for swap in packet.swaps if swap is not None)
        self.frames += 1
        self.with_face += bool(packet.faces)
        self.swapped += bool(swaps)
        self.crowded += 0 < swaps < len(packet.faces)


def render(
    run: Run,
    source: Source,
    steps: Sequence[Step],
    output: str,
    sheet_path: Path | None = None,
) -> Rendered:
    """Send the clip through the steps into `output`.

    A run that is stopped or fails leaves its finished part, playable, under a partial name.
    Raises StoppedError after `run.cancel`, NothingFoundError where no frame had a face (the
    output is then a plain copy), and what the stages, the source or the writer raise.
    """
    info = source.info
    options = run.config.section("encode", OutputOptions)
    audio = info.uri if options.audio and info.audio else None
    writer = run.writer(output, OutputPlan(target=info, options=options, audio_from=audio))
    counts = _Counts()
    sheet = Sheet(sheet_path) if sheet_path else None

    def finish_frame(packet: Packet) -> None:
        writer.write(packet.frame)
        counts.see(packet)
        if sheet:
            sheet.add(packet)

    frames = source.frames()
    run.events.start(run.command, info.frames, "frames")
    try:
        report = run_steps(
            sheet.watch(frames) if sheet else frames,
            steps,
            finish_frame,
            index_of=frame_number,
            size_of=lambda item: item.nbytes,
            cancel=run.cancel,
            on_item=run.events.advance,
        )
    except BaseException:
        _keep(run, writer)
        raise
    finally:
        run.events.end()
    if report.stopped:
        kept = writer.keep_partial()
        where = f"the finished part is {kept}" if kept else "nothing was written yet"
        raise StoppedError(f"stopped after {counts.frames} frames; {where}")
    if not counts.frames:
        raise InputError(f"{info.uri}: holds no frame that can be read")
    path = writer.finish()
    for note in writer.notes:
        run.events.note(note)
    if not counts.with_face:
        raise NothingFoundError(
            f"{info.uri}: no face was found in any of its {counts.frames} frames; "
            f"{path} is a plain copy"
        )
    return Rendered(
        path=path,
        frames=counts.frames,
        with_face=counts.with_face,
        swapped=counts.swapped,
        crowded=counts.crowded,
        report=report,
        sheet=sheet.write() if sheet else None,
    )


def say_what_was_left(run: Run, done: Rendered) -> None:
    """Notes about frames that a user would wonder about."""
    without = done.frames - done.with_face
    if without:
        run.events.note(f"{without} of {done.frames} frames show no face and were left as they are")
    if done.crowded:
        run.events.note(
            f"{done.crowded} frames show more than one face; only the largest was swapped "
            "(--faces all swaps every one)"
        )


def _keep(run: Run, writer: ClipWriter) -> None:
    try:
        kept = writer.keep_partial()
    except MienError as error:
        run.events.note(f"the finished part could not be completed: {error}")
        return
    if kept:
        run.events.note(f"the finished part is kept as {kept}")
