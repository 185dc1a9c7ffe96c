"""Tools around clips: pictures out of them, pieces of them, less noise, one behind the other."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from pathlib import Path

from ..arrays import Image, as_dtype, as_float
from ..errors import ConfigError, InputError, OutputError, StoppedError
from ..media.base import ClipInfo, ClipWriter, OutputOptions, OutputPlan, Source
from ..types import Frame
from .outputs import check_output, keep_unfinished, writing_alone
from .run import Run

Change = Callable[[Iterator[Frame]], Iterable[Frame]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """A clip that was written: how many frames it has."""

    path: Path
    frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A place in a clip: a frame, or seconds from its first frame."""

    frame: int | None = None
    seconds: Fraction | None = None


def moment(words: str) -> Moment:
    """`120` is a frame, `4.8s`, `1:02.5` and `00:01:02.500` are times.

    Raises ConfigError for anything else.
    """
    if re.fullmatch(r"\d{1,9}", words):
        return Moment(frame=int(words))
    if found := re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)s", words):
        return Moment(seconds=Fraction(found[1]))
    if found := re.fullmatch(r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2}(?:\.\d{1,9})?)", words):
        hours, minutes, seconds = int(found[1] or 0), int(found[2]), Fraction(found[3])
        return Moment(seconds=hours * 3600 + minutes * 60 + seconds)
    raise ConfigError(
        f"'{words}' is no place in a clip: write a frame (120), seconds (4.8s) or a time (1:02.5)"
    )


def copy(
    run: Run,
    *,
    start: Moment | None = None,
    stop: Moment | None = None,
    every: int = 1,
    change: Change = iter,
) -> Copied:
    """Write the run's input, or a piece of it, to its output.

    start, stop  the first frame and the one behind the last
    every        takes every n-th frame; the sound stays behind where that is not 1
    change       what is done to the frames on the way
    Raises InputError where no frame lies in the piece, StoppedError after `run.cancel`.
    """
    job = run.config.job()
    check_output(job.output, job.input)
    with run.source(job.input) as source, writing_alone(job.output):
        info = source.info
        options = run.config.section("encode", OutputOptions)
        audio = info.uri if options.audio and info.audio and every == 1 else None
        target = replace(info, rate=info.rate / every, frames=math.ceil(info.frames / every))
        if start or stop:
            target = replace(target, frames=0, exact=False)
        plan = OutputPlan(target=info if every == 1 else target, options=options, audio_from=audio)
        writer = run.writer(job.output, plan)
        frames = change(piece(source, start, stop, every))
        count = _write(run, writer, frames, target.frames)
        if not count:
            writer.keep_partial()
            last = f"; its last is {info.frames - 1}" if info.exact else ""
            raise InputError(f"{info.uri}: has no frame in this piece{last}")
        path = writer.finish()
    for note in writer.notes:
        run.events.note(note)
    return Copied(path=path, frames=count)


def piece(
    source: Source, start: Moment | None, stop: Moment | None, every: int = 1
) -> Iterator[Frame]:
    """The frames from `start` to before `stop`, every n-th of them."""
    info = source.info
    zero = info.start * info.time_base
    first = begun = 0
    if start is not None and start.frame is not None:
        first = begun = start.frame
    elif start is not None and start.seconds is not None and not info.variable:
        begun = max(0, math.floor(start.seconds * info.rate) - 2)
    taken = 0
    frames = source.frames(begun, stop.frame if stop else None)
    if start and start.seconds and begun:
        ahead = next(frames, None)
        if ahead is None or ahead.seconds - zero > start.seconds:  # the rate does not hold there
            frames = source.frames(0, stop.frame if stop else None)
        else:
            frames = chain((ahead,), frames)
    for frame in frames:
        since = frame.seconds - zero
        if frame.index < first or (start and start.seconds and since < start.seconds):
            continue
        if stop is not None and stop.seconds is not None and since >= stop.seconds:
            return
        if taken % every == 0:
            yield frame
        taken += 1


def denoised(strength: float, reach: int) -> Change:
    """Takes noise away by looking at the frames around; what moves keeps its own pixels.

    strength  standard deviation of the noise, 8-bit levels;  reach  frames before and after
    """

    def change(frames: Iterator[Frame]) -> Iterator[Frame]:
        around: deque[tuple[Frame, Image]] = deque()
        place = 0
        for frame in frames:
            around.append((frame, as_float(frame.image)))
            if len(around) > reach + place:
                yield _calmed(around, place, strength)
                place += 1
                if place > reach:
                    around.popleft()
                    place = reach
        while place < len(around):
            yield _calmed(around, place, strength)
            place += 1

    return change


def _calmed(around: Sequence[tuple[Frame, Image]], place: int, strength: float) -> Frame:
    """The mean of a frame and its neighbours, each pixel weighed by how alike its surroundings
    are: the squared difference over 5 x 5 pixels against what noise alone would make of it.
    """
    import cv2
    import numpy as np

    frame, own = around[place]
    if len(around) == 1 or strength <= 0:
        return frame
    noise = np.float32(2 * (strength / 255) ** 2)  # of a difference of two noisy pixels
    total, weights = own.copy(), np.ones(own.shape[:2], np.float32)
    for number, (_, other) in enumerate(around):
        if number == place or other.shape != own.shape:
            continue
        apart = cv2.boxFilter(np.square(other - own).mean(axis=2), -1, (5, 5))
        weight = np.exp(-np.maximum(apart - noise, 0) / noise)
        total += other * weight[..., None]
        weights += weight
    return replace(frame, image=as_dtype(total / weights[..., None], frame.image.dtype))


def join(run: Run, clips: Sequence[str]) -> Copied:
    """Video files of one encoding one behind the other, without encoding anew.

    Raises InputError for what is no video file, OutputError for clips that do not fit together.
    """
    from ..media.join import JoinWriter, Part, Shown
    from ..media.sound import SoundChain, open_sound
    from ..media.video import VideoSource

    output = run.config.job().output
    options = run.config.section("encode", OutputOptions)
    if not output:
        raise OutputError("no output was named; say where, as in: -o joined.mp4")
    check_output(output, *clips)
    sources = [VideoSource(clip) for clip in clips]
    infos = [source.info for source in sources]
    _check_turns(infos)
    now = infos[0].start * infos[0].time_base
    parts: list[Part] = []
    with writing_alone(output), ExitStack() as open_sounds:
        sounds = []
        for source, info in zip(sources, infos, strict=True):
            begins = info.start * info.time_base
            shown = [
                Shown(seconds=at - begins + now, duration=length) for at, length in source.moments()
            ]
            ends = shown[-1].seconds + shown[-1].duration
            sound = open_sound(info.uri, info) if options.audio else None
            if sound is not None:
                open_sounds.callback(sound.close)
                sound.shift(now - begins)
                sounds.append((sound, now, ends))
            parts.append(Part(path=Path(info.uri), frames=shown))
            now = ends
        if 0 < len(sounds) < len(clips):
            run.events.note("some of the clips have no sound: the result is silent")
            sounds = []
        count = sum(len(part.frames) for part in parts)
        plan = OutputPlan(target=replace(infos[0], frames=count), options=options)
        writer = JoinWriter(output, plan, sound=SoundChain(sounds) if sounds else None)
        run.events.start("join", count, "frames")
        try:
            time_base = min(info.time_base for info in infos)
            path = writer.join(parts, time_base, count - 1, run.events.advance)
        finally:
            run.events.end()
    for note in writer.notes:
        run.events.note(note)
    return Copied(path=path, frames=count)


def _check_turns(infos: Sequence[ClipInfo]) -> None:
    for info in infos:
        if info.rotation:
            raise InputError(
                f"{info.uri}: is stored turned by {info.rotation} degrees, which a joined file "
                "would lose; write it upright first, with `mien video cut`"
            )


def _write(run: Run, writer: ClipWriter, frames: Iterable[Frame], total: int) -> int:
    count = 0
    run.events.start(run.command, total, "frames")
    try:
        for frame in frames:
            if run.cancel.is_set():
                break
            writer.write(frame)
            count += 1
            run.events.advance(count)
    except BaseException:
        keep_unfinished(run, writer)
        raise
    finally:
        run.events.end()
    if run.cancel.is_set():
        kept = writer.keep_partial()
        where = f"the finished part is {kept}" if kept else "nothing is finished yet"
        raise StoppedError(f"stopped after {count} frames; {where}")
    return count
