"""From frames to a finished clip: what `mien swap` and `mien merge` share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from ..errors import InputError, NothingFoundError, StoppedError
from ..media.base import OutputOptions, OutputPlan, Source
from ..merging.options import OptionsFor
from ..runner import Report, Step
from ..runner import run as run_steps
from ..types import Packet
from .layers import Layers, resumes_at
from .outputs import check_picture, keep_unfinished
from .resume import Resume
from .run import Run, frame_number
from .sheet import Sheet


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A finished clip: how many frames it has, in how many a face was seen and was swapped.

    crowded  frames in which a face kept its own look because another one was swapped
    failed   frames in which a face kept its own look because something went wrong, and what
    resumed_at  the frame at which this run went on; the counts are of this run's frames
    layers   what was written besides: masks, patches
    """

    path: Path
    frames: int
    with_face: int
    swapped: int
    crowded: int
    report: Report
    sheet: Path | None = None
    resumed_at: int = 0
    layers: tuple[Path, ...] = ()
    failed: Mapping[int, str] = field(default_factory=dict)


class _Counts:
    def __init__(self, options: OptionsFor) -> None:
        self._options = options
        self.frames = self.with_face = self.swapped = self.crowded = 0
        self.last = -1

    def see(self, packet: Packet) -> None:
        swaps = sum(1 for swap in packet.swaps if swap is not None)
        self.frames += 1
        self.last = packet.frame.index
        self.with_face += bool(packet.faces)
        self.swapped += bool(swaps)
        self.crowded += bool(swaps) and any(
            swap is None and self._options(packet, face).faces == "largest"
            for face, swap in zip(packet.faces, packet.swaps, strict=True)
        )


def render(
    run: Run,
    source: Source,
    steps: Sequence[Step],
    options: OptionsFor,
    output: str,
    sheet_path: Path | None = None,
    layers: Layers | None = None,
    resume: Resume | None = None,
) -> Rendered:
    """Send the clip through the steps into `output`.

    options  of every face, which say why one kept its own look
    layers  what is written besides;  resume  the name of this work, to go on with what is there

    A run that is stopped or fails leaves its finished part, playable, under a partial name.
    Raises StoppedError after `run.cancel` where frames are left, NothingFoundError where no frame
    had a face (the output is then a plain copy), and what stages, source or writer raise.
    """
    info = source.info
    encode = run.config.section("encode", OutputOptions)
    audio = info.uri if encode.audio and info.audio else None
    name = resume.work if resume else ""
    plan = OutputPlan(target=info, options=encode, audio_from=audio, resume=name)
    try:
        if sheet_path:
            check_picture(sheet_path, info.uri, output)
        writer = run.writer(output, plan)
    except BaseException:
        for each in layers.writers if layers else ():
            each.keep_partial()  # nothing is in them: they go
        raise
    written = resumes_at(writer)
    wanted = min([written, *(resumes_at(each) for each in (layers.writers if layers else ()))])
    begun = resume.begin(wanted, steps) if resume and wanted else 0
    if wanted:
        run.events.note(f"goes on at frame {wanted}; what was rendered before is kept")
    counts = _Counts(options)
    sheet = Sheet(sheet_path) if sheet_path else None

    def finish_frame(packet: Packet) -> None:
        if packet.frame.index < wanted:
            if layers:
                layers.forget(packet)
            return
        if packet.frame.index >= written:
            writer.write(packet.frame)
        if layers:
            layers.write(packet)
        counts.see(packet)
        if sheet:
            sheet.add(packet)

    frames = source.frames(begun)
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
        for each in (writer, *(layers.writers if layers else ())):
            keep_unfinished(run, each)
        raise
    finally:
        run.events.end()
    if report.stopped and not (info.exact and counts.last == info.frames - 1):
        for each in layers.writers if layers else ():
            keep_unfinished(run, each)
        kept = writer.keep_partial()
        where = f"the finished part is {kept}" if kept else "nothing is finished yet"
        raise StoppedError(f"stopped after {counts.frames} frames; {where}")
    if not counts.frames and not wanted:
        raise InputError(f"{info.uri}: holds no frame that can be read")
    path = writer.finish()
    for note in writer.notes:
        run.events.note(note)
    also = layers.finish() if layers else []
    if not counts.with_face and not wanted:
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
        resumed_at=wanted,
        layers=tuple(also),
    )


def say_what_was_left(run: Run, done: Rendered) -> None:
    """Notes about frames that a user would wonder about."""
    without = done.frames - done.with_face
    if without:
        run.events.note(f"{without} of {done.frames} frames show no face and were left as they are")
    if done.crowded:
        show = "1 frame shows" if done.crowded == 1 else f"{done.crowded} frames show"
        run.events.note(
            f"{show} more than one face; only the largest was swapped (--faces all swaps every one)"
        )
    for reason in dict.fromkeys(done.failed.values()):
        frames = [frame for frame, why in done.failed.items() if why == reason]
        run.events.note(f"frames {ranges(frames)} keep the plate's face: {reason}")


def ranges(numbers: Iterable[int]) -> str:
    """Rising numbers in words: `3, 7..9`."""
    runs = [
        [number for _, number in group]
        for _, group in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])
    ]
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}..{run[-1]}" for run in runs)
