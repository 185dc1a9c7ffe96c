"""Clips of one encoding put end to end, packet by packet: nothing is decoded, nothing loses."""

# ruff: noqa: TID253 - this module is itself imported only when clips are joined

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.video.stream import VideoStream

from ..atomic import reason
from ..errors import InputError, OutputError
from .base import OutputPlan
from .sound import Sound, SoundChain
from .video import open_input, video_stream
from .write import VideoWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """When a frame is shown, and how long: seconds on the target's clock."""

    seconds: Fraction
    duration: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file with a piece of the picture; `frames` in order of showing."""

    path: Path
    frames: Sequence[Shown]


class JoinWriter(VideoWriter):
    """Writes parts one behind the other.  The sound is the plan's, or that of `sound`."""

    def __init__(
        self, path: str | Path, plan: OutputPlan, *, sound: Sound | SoundChain | None = None
    ) -> None:
        """Raises OutputError where the file cannot be written."""
        super().__init__(path, plan)
        if sound is not None:
            self._sound = sound

    def join(
        self,
        parts: Sequence[Part],
        time_base: Fraction,
        last_index: int,
        heard: Callable[[int], None] = lambda done: None,
    ) -> Path:
        """The finished clip.

        time_base   the ticks in which the frames are counted
        last_index  of the last frame in the target, which tells whether its sound is due to its end
        heard       told how many frames are done
        Raises InputError for a part that is no clip, OutputError for parts that do not fit.
        """
        try:
            self._begin_as(parts, time_base)
            self._last_index = last_index
            self._copy(parts, heard)
        except (av.error.FFmpegError, OSError, ValueError) as err:
            cause = self._file.error or err
            why = reason(cause) if isinstance(cause, OSError) else str(cause)
            self._discard()
            raise OutputError(f"{self._path}: the parts cannot be joined ({why})") from err
        except BaseException:
            self._discard()
            raise
        return self.finish()

    def _check_codec(self) -> None:
        """The parts bring their own."""

    def _begin_as(self, parts: Sequence[Part], time_base: Fraction) -> None:
        first = parts[0].frames[0].seconds
        self._order = _order(parts)
        with open_input(parts[0].path) as source:
            begun = video_stream(source, parts[0].path)
            self._head = _head(begun)
            container = self._open_container(first, time_base)
            stream = container.add_stream_from_template(begun)
            assert isinstance(stream, VideoStream)
            self._stream = stream
            stream.time_base = self._time_base
            self._start(first)

    def _copy(self, parts: Sequence[Part], heard: Callable[[int], None]) -> None:
        shown = [frame for part in parts for frame in part.frames]
        stamps = self._stamps(shown)
        delay = max(place - rank for place, rank in enumerate(self._order))
        step = self._step
        for place, packet in enumerate(self._packets(parts)):
            rank = self._order[place]
            packet.time_base = self._time_base
            packet.pts = stamps[rank]
            early = place - delay
            packet.dts = stamps[early] if early >= 0 else stamps[0] + early * step
            packet.stream = self._stream
            self._durations[packet.pts] = max(1, round(shown[rank].duration / self._time_base))
            self._mux([packet])
            self._frames += 1
            heard(self._frames)
        self._end = shown[-1].seconds + shown[-1].duration

    def _stamps(self, shown: Sequence[Shown]) -> list[int]:
        stamps: list[int] = []
        last = -1
        for frame in shown:
            last = max(last + 1, round((frame.seconds - self._origin) / self._time_base))
            stamps.append(last)
        return stamps

    def _packets(self, parts: Sequence[Part]) -> Iterator[Any]:
        for part in parts:
            with open_input(part.path) as source:
                stream = video_stream(source, part.path)
                if _head(stream) != self._head:
                    raise OutputError(
                        f"{part.path}: is encoded otherwise than {parts[0].path} (codec, size, "
                        "pixel format or encoder's settings); write them alike, or encode anew"
                    )
                yield from (packet for packet in source.demux(stream) if packet.size)

    def _flush(self) -> None:
        """No encoder holds anything."""


def _order(parts: Sequence[Part]) -> list[int]:
    """For every packet, in order of decoding, the place of its frame in order of showing."""
    order: list[int] = []
    for part in parts:
        with open_input(part.path) as source:
            stream = video_stream(source, part.path)
            stamps = [packet.pts for packet in source.demux(stream) if packet.size]
        if len(stamps) != len(part.frames):
            raise InputError(
                f"{part.path}: holds {len(stamps)} packets for {len(part.frames)} frames; "
                "it is damaged, or of a kind that cannot be joined without encoding anew"
            )
        places = range(len(stamps))
        if any(stamp is None for stamp in stamps):
            ranks = list(places)  # .avi knows only the order of decoding, and has no other
        else:
            ranks = [0] * len(stamps)
            for rank, place in enumerate(sorted(places, key=lambda at: stamps[at] or 0)):
                ranks[place] = rank
        begun = len(order)
        order += [begun + rank for rank in ranks]
    return order


def _head(stream: VideoStream) -> tuple[Any, ...]:
    """What must be the same for packets of two files to follow each other."""
    context = stream.codec_context
    size = (context.width, context.height, context.pix_fmt)
    return (context.name, *size, bytes(context.extradata or b""))
