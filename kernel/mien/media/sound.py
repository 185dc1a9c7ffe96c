"""The target's sound on its way into the written clip: copied packet by packet, in sync."""

# ruff: noqa: TID253 - this module is itself imported only when a clip is written

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.container import OutputContainer

from ..errors import InputError, OutputError
from .base import ClipInfo
from .video import open_input

# What stands in for a codec that a container cannot hold.
_STAND_INS = {"avi": "pcm_s16le"}
_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)


class _Track(Protocol):
    def take(self, packet: Any, shift: int) -> list[Any]: ...

    def rest(self) -> list[Any]: ...

    def going_on(self, stream: AudioStream) -> _Track: ...


class Sound:
    """All sound tracks of a clip, fed into a container as the picture grows.

    Times that go in and out are seconds on the target's own clock.
    """

    def __init__(self, path: str, target: ClipInfo) -> None:
        """Open the clip that has the sound.  Raises InputError where it cannot be read."""
        self._input = open_input(Path(path))
        self._streams: list[AudioStream] = list(self._input.streams.audio)
        self._offset = Fraction(0)
        if path != target.uri:
            self._offset = target.start * target.time_base - self._zero()
        self._tracks: dict[int, _Track] = {}
        self._output: OutputContainer | None = None
        self._origin = Fraction(0)
        self._cut = False
        self._from: Fraction | None = None
        self._waiting: Any = None
        self._packets: Iterator[Any] = iter(())
        self.notes: list[str] = []

    @property
    def starts_at(self) -> Fraction | None:
        """When the first track begins; None for a silent clip."""
        starts = [(s.start_time or 0) * (s.time_base or 0) for s in self._streams]
        return min(starts) + self._offset if starts else None

    def attach(self, output: OutputContainer, origin: Fraction, *, cut: bool) -> None:
        """Add the tracks to `output`, whose zero is at `origin`; `cut` drops what lies before."""
        self._output, self._origin, self._cut = output, origin, cut
        for stream in self._streams:
            self._tracks[stream.index] = self._track(output, stream)
        if self._tracks:
            self._packets = self._demux()

    def go_on(self, other: Sound) -> None:
        """Write into the tracks of `other`, in their order; tracks beyond them stay silent.

        Raises OutputError where a track is of another kind than the one that it follows.
        """
        self._output, self._origin, self._cut = other._output, other._origin, True
        for stream, before in zip(self._streams, other._streams, strict=False):
            if _kind(stream) != _kind(before):
                raise OutputError(
                    f"{self._input.name}: its sound is {_words(stream)}, that before it "
                    f"{_words(before)}; make them alike, or join without sound"
                )
            self._tracks[stream.index] = other._tracks[before.index].going_on(stream)
        self._streams = self._streams[: len(self._tracks)]
        self._packets = self._demux() if self._tracks else iter(())

    def skip_to(self, begins: Fraction) -> None:
        """Leave out what begins before, seconds from the origin: its place is taken."""
        self._from = begins

    def shift(self, seconds: Fraction) -> None:
        """Move the sound by `seconds` later."""
        self._offset += seconds

    def feed(self, until: Fraction) -> None:
        """Hand over the packets that begin before `until`, seconds from the origin."""
        while self._output is not None:
            packet = self._waiting or next(self._packets, None)
            self._waiting = None
            if packet is None:
                return
            begins = self._begins(packet)
            if begins >= until:
                self._waiting = packet
                return
            length = (packet.duration or 0) * packet.time_base
            if self._cut and begins + length <= 0:
                continue
            if self._from is not None and begins < self._from:
                continue
            shift = round((self._offset - self._origin) / packet.time_base)
            track = self._tracks[packet.stream_index]
            self._output.mux(track.take(packet, shift))

    def finish(self, until: Fraction | None) -> None:
        """Hand over what is left, up to `until` where the picture ends early."""
        self.feed(Fraction(1 << 40) if until is None else until)
        self.flush()

    def flush(self) -> None:
        """Hand over what encoders still hold."""
        for track in self._tracks.values():
            if self._output is not None:
                self._output.mux(track.rest())

    def close(self) -> None:
        """Close the clip."""
        self._input.close()

    def _zero(self) -> Fraction:
        """The moment of this clip that shall meet the target's first frame."""
        video = self._input.streams.best("video")
        streams = [video] if video is not None else self._streams
        starts = (Fraction((s.start_time or 0) * (s.time_base or 0)) for s in streams)
        return min(starts, default=Fraction(0))

    def _begins(self, packet: Any) -> Fraction:
        stamp = packet.dts if packet.pts is None else packet.pts
        return Fraction(stamp * packet.time_base) + self._offset - self._origin

    def _demux(self) -> Iterator[Any]:
        latest: dict[int, int] = {}
        try:
            for packet in self._input.demux(self._streams):
                if packet.dts is None:
                    continue
                if packet.dts <= latest.get(packet.stream_index, packet.dts - 1):
                    continue  # a container takes no step back in time
                latest[packet.stream_index] = packet.dts
                yield packet
        except av.error.InvalidDataError:
            self.notes.append(f"{self._input.name}: the sound breaks off, it is damaged from there")

    def _track(self, output: OutputContainer, stream: AudioStream) -> _Track:
        if _holds(output.format.name, stream):
            copy = output.add_stream_from_template(stream)
            copy.metadata.update(_kept(stream))
            return _Copied(stream, copy)
        codec = _STAND_INS.get(output.format.name, "aac")
        self.notes.append(
            f"the sound ({stream.codec_context.name}) cannot be kept as it is in this kind of "
            f"file and is encoded anew as {codec}; write a .mkv to keep it"
        )
        return _Encoded(output, stream, codec)


class _Copied:
    """A track whose packets are passed on unchanged."""

    def __init__(self, stream: AudioStream, out: AudioStream) -> None:
        self._out = out
        bare = stream.codec_context.name == "aac" and not stream.codec_context.extradata
        # Broadcast AAC repeats its header in every packet; fragmented .mp4 does not strip it.
        self._filter = BitStreamFilterContext("aac_adtstoasc", stream) if bare else None

    def take(self, packet: Any, shift: int) -> list[Any]:
        packets: list[Any] = [packet] if self._filter is None else self._filter.filter(packet)
        for ready in packets:
            ready.stream = self._out
            ready.dts += shift
            if ready.pts is not None:
                ready.pts += shift
        return packets

    def rest(self) -> list[Any]:
        return []

    def going_on(self, stream: AudioStream) -> _Track:
        return _Copied(stream, self._out)


class _Encoded:
    """A track that the container cannot hold, decoded and encoded anew."""

    def __init__(self, output: OutputContainer, stream: AudioStream, codec: str) -> None:
        rate = stream.rate
        if codec == "aac" and rate not in _AAC_RATES:
            rate = 48000
        out = output.add_stream(codec, rate=rate)
        assert isinstance(out, AudioStream)
        encoder: AudioCodecContext = out.codec_context
        encoder.layout = layout = _layout(stream)
        encoder.time_base = Fraction(1, rate)
        if codec == "aac":
            encoder.bit_rate = 128_000 * max(1, stream.channels)
        out.metadata.update(_kept(stream))
        self._encoder = out
        self._resampler = AudioResampler(
            format=encoder.format.name,
            layout=layout,
            rate=rate,
            frame_size=1024 if codec == "aac" else None,
        )

    def take(self, packet: Any, shift: int) -> list[Any]:
        made: list[Any] = []
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            return made  # a damaged packet is a short silence
        for frame in frames:
            if frame.pts is not None:
                frame.pts += shift
            for ready in self._resampler.resample(frame):
                made += self._encoder.encode(ready)
        return made

    def rest(self) -> list[Any]:
        made: list[Any] = []
        for ready in self._resampler.resample(None):
            made += self._encoder.encode(ready)
        return made + list(self._encoder.encode(None))

    def going_on(self, stream: AudioStream) -> _Track:
        return self


class SoundChain:
    """The sounds of clips that follow each other, as one; stands in for a `Sound`.

    sounds  each with the moments at which its clip begins and ends, on the first clip's clock
    """

    def __init__(self, sounds: Sequence[tuple[Sound, Fraction, Fraction]]) -> None:
        self._sounds, self._at, self._ready = list(sounds), 0, 0
        self._origin = Fraction(0)

    @property
    def notes(self) -> list[str]:
        """What could not be kept."""
        return [note for sound, _, _ in self._sounds for note in sound.notes]

    @property
    def starts_at(self) -> Fraction | None:
        """When the first sound begins."""
        return self._sounds[0][0].starts_at

    def attach(self, output: OutputContainer, origin: Fraction, *, cut: bool) -> None:
        """Add the first clip's tracks; those of the others go on with them."""
        self._origin = origin
        self._sounds[0][0].attach(output, origin, cut=cut)

    def feed(self, until: Fraction) -> None:
        """Hand over the packets that begin before `until`, seconds from the origin."""
        while self._at < len(self._sounds):
            sound, begins, ends = self._sounds[self._at]
            if self._ready < self._at:
                self._ready = self._at
                sound.go_on(self._sounds[0][0])
                sound.skip_to(begins - self._origin)
            is_last = self._at == len(self._sounds) - 1
            sound.feed(until if is_last else min(until, ends - self._origin))
            if is_last or until < ends - self._origin:
                return
            self._at += 1

    def finish(self, until: Fraction | None) -> None:
        """Hand over what is left, up to `until` where the picture ends early."""
        self.feed(Fraction(1 << 40) if until is None else until)
        self._sounds[0][0].flush()

    def close(self) -> None:
        """Close the clips."""
        for sound, _, _ in self._sounds:
            sound.close()


def _layout(stream: AudioStream) -> str:
    """The channel layout; a WAV file may only say how many channels there are."""
    usual = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
    name = stream.layout.name
    return usual.get(stream.channels, name) if name.endswith("channels") else name


def _kind(stream: AudioStream) -> tuple[Any, ...]:
    context = stream.codec_context
    return (context.name, stream.rate, stream.channels, bytes(context.extradata or b""))


def _words(stream: AudioStream) -> str:
    return f"{stream.codec_context.name} {stream.rate} Hz {stream.channels} channels"


def _kept(stream: AudioStream) -> dict[str, str]:
    return {key: value for key, value in stream.metadata.items() if key in ("language", "title")}


def _holds(format_name: str, stream: AudioStream) -> bool:
    """Whether such a container takes the track as it is: the only sure test is to try.

    Plain PCM passes the test for .mp4, but few players know it there, and a fragmented file with
    it fails when it is closed.
    """
    if format_name == "mp4" and stream.codec_context.name.startswith("pcm_"):
        return False
    try:
        with av.open(io.BytesIO(), "w", format=format_name) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (av.error.FFmpegError, ValueError):
        return False
    return True


def open_sound(path: str | None, target: ClipInfo) -> Sound | None:
    """The sound of a clip; None for no clip, a folder of pictures, or a clip without any."""
    if path is None or not Path(path).is_file():
        return None
    try:
        sound = Sound(path, target)
    except InputError:
        if target.still:
            return None
        raise
    if sound.starts_at is None:
        sound.close()
        return None
    return sound
