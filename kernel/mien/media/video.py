"""Video files as sources: exact timestamps, upright pictures, and clips that break off."""

# ruff: noqa: TID253 - this module is itself imported only when a clip is opened

from __future__ import annotations

import bisect
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from ..cores import usable_cores
from ..errors import InputError
from ..types import ColorTags, Frame
from .base import AudioInfo, ClipInfo, SourceBase
from .convert import PixelFormat, ToBgr
from .files import fingerprint
from .pace import find_pace, last_length

T = TypeVar("T")

# Playlists and scripts, which may name other files and addresses, and plain text drawn as video.
_NO_CLIPS = {"hls", "concat", "concatf", "dash", "imf", "tty", "webvtt", "srt", "rawvideo"}
_FAR = 48  # frames: decoding that many costs about as much as looking for a place to start
_TRIES = 100
# Up to this many pixels a frame is decoded before two cores have done the rest of the work on it.
_SMALL = 1920 * 1088


@dataclass(frozen=True, slots=True)
class _Table:
    """Timestamps of all frames in order of showing, and which of them decoding may start at.

    last  how long the last of them is shown, as its packet says; 0 where it does not
    """

    pts: list[int]
    keys: list[int]
    last: int = 0


class VideoSource(SourceBase):
    """A video file.  Every reading opens the file anew, so several may go on at once."""

    def __init__(self, path: str | Path) -> None:
        """Read the head of the file.  Raises InputError with a sentence where it is no clip."""
        self._path = Path(path)
        super().__init__()
        self._table: _Table | None = None
        self._is_damaged = False
        check_file(self._path)
        with open_input(self._path) as container:
            stream = video_stream(container, self._path)
            first = self._first_frame(container, stream)
            self._format = first.format.name
            self._stored = (first.width, first.height)
            self._info = _describe(self._path, container, stream, first)
            self._ends_at = _video_seconds(container, stream)
        if first.rotation % 90:
            self._note(
                f"{self._path}: the clip asks to be turned by {first.rotation} degrees; "
                "only quarter turns are made, it is shown as stored"
            )
        if first.interlaced_frame:
            self._note(f"{self._path}: the clip is interlaced; its fields are not separated")

    def frames(self, start: int = 0, stop: int | None = None, step: int = 1) -> Iterator[Frame]:
        """Frames `start`, `start + step`, … below `stop`; a far start is reached by seeking."""
        self._check_range(start, stop, step)
        info = self._info
        convert = ToBgr(self._format, info.color, *self._stored, info.rotation)
        # One frame more, because a packet only says how long it is until the next is decoded.
        more = None if stop is None or stop <= start else stop + 1
        for (index, pts, raw), after in _with_next(self._indexed(start, more)):
            if stop is not None and index >= stop:
                return
            if index < start or (index - start) % step:
                continue
            if (raw.width, raw.height) != self._stored:
                self._note(
                    f"{self._path}: the picture changes its size at frame {index}; "
                    f"it is scaled to {self._stored[0]}x{self._stored[1]} from there on"
                )
            yield Frame(
                index=index,
                image=convert(raw),
                pts=pts,
                time_base=info.time_base,
                duration=self._length(pts, raw, after[1] if after else None),
                bits=info.bits,
                color=info.color,
            )

    def _indexed(self, start: int, stop: int | None) -> Iterator[tuple[int, int, av.VideoFrame]]:
        """Index, pts and picture of the frames from `start` (or earlier) up to `stop`."""
        if stop is not None and stop <= start:
            return
        with open_input(self._path) as container:
            stream = video_stream(container, self._path)
            _share_cores(stream)
            frames = self._sought(container, stream, start) if start >= _FAR else None
            index, following = (start, frames) if frames else (0, self._decoded(container, stream))
            step = _usual_step(self._info)
            last: tuple[int, int] | None = None
            for raw in following:
                previous = last[0] if last else self._info.start - step
                pts = previous + step if raw.pts is None else raw.pts
                last = (pts, raw.duration or step)
                if self._is_damaged:  # a lost frame keeps its number, as it does for a far start
                    index = self._place(pts, index)
                yield index, pts, raw
                index += 1
                if stop is not None and index >= stop:
                    return
            self._check_end(index, last)

    def _check_end(self, count: int, last: tuple[int, int] | None) -> None:
        info = self._info
        if last is None or self._ends_at is None:
            return
        missing = self._ends_at - (last[0] + last[1] - info.start) * info.time_base
        if missing > max(3 / info.rate, Fraction(1, 4)):
            about = info.frames if info.exact else f"about {info.frames}"
            self._note(
                f"{self._path}: the clip breaks off after frame {count - 1} of {about}; "
                "what comes before is used, copy the file again to have the rest"
            )

    def moments(self) -> list[tuple[Fraction, Fraction]]:
        """When every frame is shown and how long, in seconds on the clip's own clock."""
        base = self._info.time_base
        stamps = self._timestamps().pts or [pts for _, pts, _ in self._indexed(0, None)]
        steps = [after - before for before, after in pairwise(stamps)]
        steps.append(self._last_step(stamps[-1]) if stamps else 0)
        return [(pts * base, step * base) for pts, step in zip(stamps, steps, strict=True)]

    def _length(self, pts: int, raw: av.VideoFrame, following: int | None) -> int:
        """How long a frame is shown: until the next; the last one, as its container says."""
        if following is not None and following > pts:
            return following - pts
        if following is None and "matroska" in self._info.container:
            return self._last_step(pts)
        return raw.duration or 0

    def _last_step(self, pts: int) -> int:
        """How long the last frame is shown: as its packet says, or to the video's end, if that is
        not far away."""
        usual, info = _usual_step(self._info), self._info
        if self._timestamps().last:
            return self._timestamps().last  # an end that .mp4 states is one of decoding times
        if self._ends_at is None:
            return usual
        rest = round(self._ends_at / info.time_base) + info.start - pts
        return rest if 0 < rest < 4 * usual else usual

    # --- decoding -------------------------------------------------------------------------------

    def _first_frame(self, container: InputContainer, stream: VideoStream) -> av.VideoFrame:
        first = next(self._decoded(container, stream), None)
        if first is None:
            raise InputError(
                f"{self._path}: no frame of the {stream.codec_context.name} video can be decoded; "
                "the file is damaged or holds only its head"
            )
        return first

    def _decoded(self, container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
        """Every frame that can be decoded from here on; damaged packets are left out."""
        count = bad = 0
        for packet in _packets(container, stream):
            try:
                frames = packet.decode()
            except av.error.EOFError:
                break
            except av.error.FFmpegError:  # of any kind: damage may look like a lack of permission
                bad += 1
                self._is_damaged = True
                if packet.size == 0:
                    break
                continue
            for frame in frames:
                count += 1
                yield frame
        if bad:
            self._note(
                f"{self._path}: {bad} packet{'s' * (bad > 1)} could not be decoded and "
                f"{'were' if bad > 1 else 'was'} left out; {count} frames could"
            )

    def _sought(
        self, container: InputContainer, stream: VideoStream, start: int
    ) -> Iterator[av.VideoFrame] | None:
        """Frames from exactly `start` on, or None where only a linear reading is sure."""
        table = self._timestamps()
        if not table.pts or start >= len(table.pts):
            return None
        target = table.pts[start]
        newest = bisect.bisect_right(table.keys, target) - 1
        for key in reversed(table.keys[max(0, newest - 2) : newest + 1]):
            try:
                container.seek(key, stream=stream)
            except av.error.FFmpegError:
                break
            frames = self._decoded(container, stream)
            for frame in frames:
                if frame.pts is None or frame.pts > target:
                    break
                if frame.pts == target:
                    return _chain(frame, frames)
        container.seek(self._info.start, stream=stream)
        return _skip(self._decoded(container, stream), start)

    def _place(self, pts: int, otherwise: int) -> int:
        known = self._timestamps().pts
        place = bisect.bisect_left(known, pts)
        return place if place < len(known) and known[place] == pts else otherwise

    def _timestamps(self) -> _Table:
        """All timestamps, read without decoding; empty where they do not number the frames."""
        if self._table is None:
            with open_input(self._path) as container:
                stream = video_stream(container, self._path)
                seen = [
                    (packet.pts, packet.duration or 0, packet.is_keyframe)
                    for packet in _packets(container, stream)
                    if packet.size and not packet.is_discard
                ]
            known = sorted(
                each for each in seen if each[0] is not None and each[0] >= self._info.start
            )
            pts = [each[0] for each in known]
            sure = (
                container.format.name != "avi"  # its packets know only the order of decoding
                and all(each[0] is not None for each in seen)
                and len(set(pts)) == len(pts)
                and pts[:1] == [self._info.start]
            )
            keys = [pts for pts, _, key in known if key]
            last = last_length([each[:2] for each in known], container.format.name)
            self._table = _Table(pts, keys, last) if sure else _Table([], [])
        return self._table


# --- opening ------------------------------------------------------------------------------------


def check_file(path: Path) -> None:
    """Raise InputError unless there is a file with something in it."""
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; check the spelling of the path")
    if path.is_file() and path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty (0 bytes); copy or record it again")


def open_input(path: Path) -> InputContainer:
    """Open a local clip with PyAV.  Raises InputError with a sentence where it is none."""
    try:
        # A playlist that calls itself .mp4 must not reach other hosts.
        container = av.open(str(path), options={"protocol_whitelist": "file"})
    except PermissionError as err:
        raise InputError(f"{path}: no permission to read the file") from err
    except (av.error.FFmpegError, OSError, ValueError) as err:
        raise InputError(
            f"{path}: not a clip that can be read ({_reason(err)}); "
            "it is damaged, or no video file in spite of its name"
        ) from err
    if _NO_CLIPS & set(container.format.name.split(",")):
        name = container.format.name
        container.close()
        raise InputError(f"{path}: not a clip but a text file or playlist ({name})")
    return container


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """The clip's main video stream.  Raises InputError where there is none."""
    best = container.streams.best("video")
    if not isinstance(best, VideoStream) or best.disposition & Disposition.attached_pic:
        kinds = sorted({stream.type for stream in container.streams})
        raise InputError(f"{path}: holds no video, only {', '.join(kinds) or 'nothing'}")
    if best.codec_context is None:
        raise InputError(f"{path}: no decoder for its video is known to this program")
    return best


def _share_cores(stream: VideoStream) -> None:
    """Decode frames side by side, unless other steps need the cores more.

    Threads make a decoder a fifth dearer: they pay where decoding is the slowest step.
    """
    context = stream.codec_context
    if usable_cores() > 2 or context.width * context.height > _SMALL:
        stream.thread_type = "AUTO"
    else:
        context.thread_count = 1


def _reason(err: Exception) -> str:
    return str(getattr(err, "strerror", None) or err).lower()


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[Any]:
    """Packets of the stream, at last an empty one; goes on behind unreadable stretches."""
    for _ in range(_TRIES):
        try:
            yield from container.demux(stream)
        except av.error.InvalidDataError:
            continue
        return


def _chain(first: av.VideoFrame, rest: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    yield first
    yield from rest


def _skip(frames: Iterator[av.VideoFrame], count: int) -> Iterator[av.VideoFrame]:
    for _ in range(count):
        next(frames, None)
    yield from frames


# --- describing ---------------------------------------------------------------------------------


def _describe(
    path: Path, container: InputContainer, stream: VideoStream, first: av.VideoFrame
) -> ClipInfo:
    kind = PixelFormat(first.format.name)
    rotation = first.rotation % 360 if first.rotation % 90 == 0 else 0
    aspect = stream.sample_aspect_ratio or Fraction(1)
    width, height = first.width, first.height
    if rotation in (90, 270):
        width, height, aspect = height, width, 1 / aspect
    seconds = _video_seconds(container, stream) or _container_seconds(container)
    pace = find_pace(container, stream, first.pts or 0)
    return ClipInfo(
        uri=str(path),
        width=width,
        height=height,
        frames=stream.frames or math.ceil(float(seconds * pace.rate) - 0.01),
        exact=stream.frames > 0,
        rate=pace.rate,
        variable=pace.variable,
        time_base=stream.time_base or 1 / pace.rate,
        start=first.pts or 0,
        seconds=float(seconds),
        rotation=rotation,
        aspect=aspect,
        bits=kind.bits,
        color=_color_tags(first, kind),
        codec=stream.codec_context.name,
        container=container.format.name,
        pixel_format=first.format.name,
        audio=tuple(
            AudioInfo(index=s.index, codec=s.codec_context.name, rate=s.rate, channels=s.channels)
            for s in container.streams.audio
            if s.codec_context is not None
        ),
        fingerprint=fingerprint([path]),
    )


def _color_tags(frame: av.VideoFrame, kind: PixelFormat) -> ColorTags:
    ranges = {1: False, 2: True}
    tagged = ranges.get(int(frame.color_range))
    return ColorTags(
        primaries=int(frame.color_primaries),
        transfer=int(frame.color_trc),
        matrix=0 if kind.is_rgb else int(frame.colorspace),
        full_range=True if kind.name.startswith("yuvj") else tagged,
    )


def _with_next(items: Iterator[T]) -> Iterator[tuple[T, T | None]]:
    """Every item with the one that follows it; None behind the last."""
    last = next(items, None)
    for item in items:
        assert last is not None
        yield last, item
        last = item
    if last is not None:
        yield last, None


def _usual_step(info: ClipInfo) -> int:
    return max(1, round(1 / (info.rate * info.time_base)))


def _container_seconds(container: InputContainer) -> Fraction:
    """Duration of the longest stream, 0 where unknown."""
    if container.duration is None:
        return Fraction(0)
    early = container.start_time or 0
    counts_from_zero = "matroska" in container.format.name
    return Fraction(container.duration - (early if counts_from_zero else 0), av.time_base)


def _video_seconds(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """Duration that the container states for this very stream; None where it states none."""
    if stream.duration and stream.time_base:
        return stream.duration * stream.time_base
    if len(container.streams) == 1 and container.duration:
        return _container_seconds(container)
    clock = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if clock is None:
        return None
    ends_at = int(clock[1]) * 3600 + int(clock[2]) * 60 + Fraction(clock[3])
    return ends_at - (stream.start_time or 0) * (stream.time_base or 0)
