"""Video files as outputs: the target's timestamps, colours and sound; whole files or none."""

# ruff: noqa: TID253 - this module is itself imported only when a clip is written

from __future__ import annotations

import io
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import OutputContainer
from av.video.stream import VideoStream

from ..atomic import publish, reason, sync
from ..errors import InputError, OutputError
from ..types import Frame
from .base import OutputPlan
from .convert import FromBgr
from .durations import mend_durations
from .encoding import CONTAINERS, MUXER_OPTIONS, check_codec, check_lossless, choose
from .files import partial_name
from .sound import Sound, SoundChain, open_sound
from .video import open_input, video_stream


class _File(io.RawIOBase):
    """The partial file.  After a failed write nothing more reaches it, so it stays playable:
    a trailer that does not fit would spoil the fragments before it.
    """

    def __init__(self, path: Path) -> None:
        self._file = io.FileIO(path, "w+")
        self.error: OSError | None = None

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def write(self, data: Any, /) -> int:
        if self.error is not None:
            raise self.error
        left = memoryview(data)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as err:
            self.error = err
            raise
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


class VideoWriter:
    """A clip being written to a video file, in the encoding that the plan asks for.

    The picture is written upright.  Timestamps are the frames' own, moved so that the clip begins
    at zero; .mkv rounds them to milliseconds, .avi to its constant rate.
    """

    def __init__(self, path: str | Path, plan: OutputPlan) -> None:
        """Raises OutputError where folder, file or codec will not do."""
        self._path = Path(path)
        self._plan = plan
        self._suffix = self._path.suffix.lower()
        self._partial = partial_name(self._path)
        self._check_path()
        self._check_codec()
        self._file = self._open_file()
        self._container: OutputContainer | None = None
        self._frames = 0
        self._ended = False
        self.fault = ""
        self._notes: list[str] = []
        self._sound: Sound | SoundChain | None = open_sound(
            plan.audio_from if plan.options.audio else None, plan.target
        )

    @property
    def partial(self) -> Path:
        """Where the unfinished clip lies: `clip.partial.mp4`."""
        return self._partial

    @property
    def notes(self) -> list[str]:
        """Sentences about what could not be written as asked, so far."""
        return self._notes + (self._sound.notes if self._sound else [])

    def write(self, frame: Frame) -> None:
        """Add a frame.  Raises OutputError where the disk is full or the encoder refuses."""
        try:
            if self._container is None:
                self._begin(frame)
            self._check_size(frame)
            self._encode(frame)
        except (av.error.FFmpegError, OSError, ValueError) as err:
            raise self._failure(err) from err

    def finish(self) -> Path:
        """Complete the clip and give it its name, by one rename."""
        if not self._frames:
            self._discard()
            raise OutputError(f"{self._path}: not written, because there was no frame to write")
        try:
            self._complete()
            publish(self._partial, self._path)
        except (av.error.FFmpegError, OSError, ValueError) as err:
            raise self._failure(err) from err
        return self._path

    def keep_partial(self) -> Path | None:
        """Complete what there is under its partial name; None if no frame of it can be shown."""
        if not self._frames:
            self._discard()
            return None
        try:
            self._complete()
            sync(self._partial)
        except (av.error.FFmpegError, OSError, ValueError):
            self._close()
        if self._file.error is not None and not _shows(self._partial):
            self._discard()
            return None
        return self._partial

    # --- beginning ------------------------------------------------------------------------------

    def _check_path(self) -> None:
        folder = self._path.parent
        if not folder.is_dir():
            raise OutputError(f"{self._path}: there is no folder '{folder}'; make it first")
        if self._path.is_dir():
            raise OutputError(f"{self._path}: is a folder; name a file")
        plate = Path(self._plan.target.uri)
        if self._path.exists() and plate.exists() and self._path.samefile(plate):
            raise OutputError(f"{self._path}: is the target itself; name another output")

    def _check_codec(self) -> None:
        check_codec(self._plan.options.codec, self._suffix)
        check_lossless(self._plan.options, self._plan.target)

    def _open_file(self) -> _File:
        try:
            return _File(self._partial)
        except OSError as err:
            raise OutputError(f"{self._partial}: cannot be written ({reason(err)})") from err

    def _begin(self, first: Frame) -> None:
        """Open the encoder: only the first frame tells size and start for sure."""
        height, width = first.image.shape[:2]
        target, options = self._plan.target, self._plan.options
        chosen = choose(options, target, width, height, self._suffix)
        self._notes += chosen.notes
        self._size = (width, height)
        self._convert = FromBgr(chosen.pixel_format, chosen.color, width, height)
        container = self._open_container(first.seconds, first.time_base)
        stream = container.add_stream(
            chosen.library, rate=target.rate, options=dict(chosen.options)
        )
        assert isinstance(stream, VideoStream)
        self._stream = stream
        stream.time_base = self._time_base
        context = stream.codec_context
        context.time_base = self._time_base
        context.width, context.height = width, height
        context.pix_fmt = chosen.pixel_format
        context.sample_aspect_ratio = target.aspect
        context.color_primaries = chosen.color.primaries
        context.color_trc = chosen.color.transfer
        context.colorspace = chosen.color.matrix
        context.color_range = {None: 0, False: 1, True: 2}[chosen.color.full_range]
        context.thread_type = "AUTO"
        if chosen.tag:
            context.codec_tag = chosen.tag
        self._start(first.seconds)

    def _open_container(self, begins: Fraction, time_base: Fraction) -> OutputContainer:
        self._set_clock(begins, time_base)
        name = CONTAINERS[self._suffix]
        self._container = av.open(
            self._file, "w", format=name, container_options=dict(MUXER_OPTIONS[name])
        )
        return self._container

    def _start(self, begins: Fraction) -> None:
        """Add the sound's tracks and write the head of the file."""
        assert self._container is not None
        if self._sound is not None:
            cut = begins > self._target_start
            self._sound.attach(self._container, self._origin, cut=cut)
        self._container.start_encoding()

    def _set_clock(self, begins: Fraction, time_base: Fraction) -> None:
        """Where the written clip has its zero, and in which ticks it counts.

        begins  when the first frame is shown, on the target's clock;  time_base  of the frames
        """
        target = self._plan.target
        self._target_start = target.start * target.time_base
        self._origin = begins
        heard = self._sound.starts_at if self._sound else None
        if heard is not None and begins <= self._target_start:
            self._origin = min(begins, heard)
        self._time_base = time_base
        if self._suffix == ".avi":
            self._time_base = 1 / target.rate
            if target.variable:
                self._notes.append(
                    ".avi holds only a constant frame rate: the timestamps are rounded; "
                    "use .mp4, .mov or .mkv to keep them"
                )
            if heard is not None and abs(heard - begins) > self._time_base:
                self._notes.append(
                    ".avi cannot begin sound and picture apart, as the target does; "
                    "use .mp4, .mov or .mkv to keep them in sync"
                )
        self._step = max(1, round(1 / (target.rate * self._time_base)))
        self._last = -1
        self._end = begins
        self._durations: dict[int, int] = {}

    # --- encoding -------------------------------------------------------------------------------

    def _check_size(self, frame: Frame) -> None:
        height, width = frame.image.shape[:2]
        if (width, height) != self._size:
            raise OutputError(
                f"{self._path}: frame {frame.index} is {width}x{height}, but the clip began with "
                f"{self._size[0]}x{self._size[1]}; a video holds one size, write to a folder"
            )

    def _encode(self, frame: Frame) -> None:
        raw = self._convert(frame.image)
        ticks = (frame.seconds - self._origin) / self._time_base
        raw.pts = max(self._last + 1, round(ticks))
        raw.time_base = self._time_base
        length = frame.duration * frame.time_base or self._step * self._time_base
        raw.duration = max(1, round(length / self._time_base))
        self._last = raw.pts
        self._durations[raw.pts] = raw.duration
        self._end = frame.seconds + length
        self._last_index = frame.index
        self._mux(self._stream.encode(raw))
        self._frames += 1

    def _mux(self, packets: Iterable[Any]) -> None:
        assert self._container is not None
        for packet in packets:
            packet.duration = self._durations.pop(packet.pts, self._step)
            if self._sound is not None and packet.dts is not None:
                self._sound.feed(packet.dts * self._time_base)
            self._container.mux(packet)
        if self._file.error is not None:
            raise self._file.error

    # --- ending ---------------------------------------------------------------------------------

    def _complete(self) -> None:
        """Flush encoder and sound, write the trailer, close.  May be called twice."""
        if self._ended or self._file.error is not None:
            self._close()
            return
        assert self._container is not None
        self._ended = True
        try:
            self._flush()
            if self._sound is not None:
                self._sound.finish(None if self._is_whole() else self._end - self._origin)
            self._container.close()
            if self._file.error is not None:
                raise self._file.error
        finally:
            self._close()
        if self._suffix in (".mp4", ".mov"):
            mend_durations(self._partial)

    def _flush(self) -> None:
        """Take what the encoder still holds."""
        self._mux(self._stream.encode(None))

    def _is_whole(self) -> bool:
        """Whether the target was written to its end, so that its sound is due to its end."""
        target = self._plan.target
        if target.exact and self._last_index >= target.frames - 1:
            return True
        reached = self._end - self._target_start
        return target.seconds > 0 and reached >= Fraction(target.seconds) - 2 / target.rate

    def _close(self) -> None:
        self._file.close()  # PyAV writes no trailer into a closed file
        if self._container is not None:
            self._container.close()
        if self._sound is not None:
            self._sound.close()

    def _discard(self) -> None:
        self._close()
        self._partial.unlink(missing_ok=True)

    def _failure(self, err: Exception) -> OutputError:
        cause = self._file.error or err
        why = reason(cause) if isinstance(cause, OSError) else str(cause)
        self.fault = why
        shown = self._frames and (self._file.error is None or _shows(self._partial))
        kept = f"; the first frames are kept as '{self._partial.name}'" if shown else ""
        return OutputError(f"{self._path}: cannot go on after {self._frames} frames ({why}){kept}")


def _shows(path: Path) -> bool:
    """Whether a file that was cut off still shows its first frame."""
    try:
        with open_input(path) as container:
            return next(container.decode(video_stream(container, path)), None) is not None
    except (InputError, av.error.FFmpegError, OSError):
        return False
