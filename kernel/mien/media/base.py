"""What a clip is to the rest of the program: a Source that gives frames, a ClipWriter that takes
them.  Video files, picture folders, sequences and globs all stand behind these two protocols, and
a plugin may add more through ``mien_open_source`` and ``mien_open_writer``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal, Protocol

from ..options import option
from ..types import ColorTags, Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioInfo:
    """One sound track: stream index in its container, codec, Hz, channels."""

    index: int
    codec: str
    rate: int
    channels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipInfo:
    """What is known of a clip before its frames are read.

    width, height  pixels of the upright picture (rotation already applied)
    frames         how many there are; an estimate where `exact` is false, 0 where unknown
    rate           average frames per second; `variable` where the distances differ
    time_base      seconds per unit of pts;  start  pts of the first frame, in these units
    seconds        duration, 0 where unknown
    rotation       degrees counter-clockwise that were applied to make the picture upright
    aspect         sample aspect ratio (width / height of one pixel)
    bits           bits per channel of the clip's own pictures
    still          a picture folder, sequence or single picture, not a video
    fingerprint    SHA-256 over size and content samples: the same for a moved or renamed clip
    """

    uri: str
    width: int
    height: int
    frames: int = 0
    exact: bool = False
    rate: Fraction = Fraction(25)
    variable: bool = False
    time_base: Fraction = Fraction(1, 25)
    start: int = 0
    seconds: float = 0.0
    rotation: int = 0
    aspect: Fraction = Fraction(1)
    bits: int = 8
    color: ColorTags = field(default_factory=ColorTags)
    codec: str = ""
    container: str = ""
    pixel_format: str = ""
    audio: tuple[AudioInfo, ...] = ()
    still: bool = False
    fingerprint: str = ""


class Source(Protocol):
    """A clip that can be read, more than once."""

    @property
    def info(self) -> ClipInfo:
        """What is known of the clip."""
        ...

    @property
    def notes(self) -> list[str]:
        """Sentences about what was wrong with the clip but could be lived with, so far."""
        ...

    def frames(self, start: int = 0, stop: int | None = None, step: int = 1) -> Iterator[Frame]:
        """Frames `start`, `start + step`, … below `stop`, by index in order of showing.

        Raises InputError where a frame cannot be read and none can follow.
        """
        ...

    def close(self) -> None:
        """Give back files and threads."""
        ...


class SourceBase:
    """What every reader does alike: keeps its info and, each once, its notes."""

    _info: ClipInfo

    def __init__(self) -> None:
        self._notes: list[str] = []

    @property
    def info(self) -> ClipInfo:
        """What is known of the clip."""
        return self._info

    @property
    def notes(self) -> list[str]:
        """Sentences about what was wrong with the clip but could be lived with, so far."""
        return list(self._notes)

    def close(self) -> None:
        """Nothing stays open between two readings."""

    def _note(self, sentence: str) -> None:
        if sentence not in self._notes:
            self._notes.append(sentence)

    @staticmethod
    def _check_range(start: int, stop: int | None, step: int) -> None:
        if start < 0 or step < 1:
            raise ValueError(f"frames({start}, {stop}, {step}): start from 0 up, step from 1 up")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """How the result is written; the ``[encode]`` table of the configuration."""

    codec: Literal["h264", "h265", "ffv1", "prores"] = option(
        "h264", "Video codec; ffv1 is lossless, prores for editing (.mov)"
    )
    quality: int = option(
        16, "Constant rate factor of h264 and h265: lower is better and larger", ge=0, le=51
    )
    preset: Literal[
        "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower"
    ] = option("veryfast", "Speed of h264 and h265 against the size of the file")
    lossless: bool = option(
        False, "Keep every value that was made, to the bit: RGB in ffv1, h264 or h265; large files"
    )
    bits: Literal["auto", "8", "10", "16", "32"] = option(
        "auto", "Bits per channel; auto keeps the target's where codec or picture type can"
    )
    chroma: Literal["auto", "420", "422", "444"] = option(
        "auto", "Chroma sub-sampling; auto keeps the target's where the codec can"
    )
    audio: bool = option(True, "Copy the target's sound, sample for sample")
    picture: Literal["png", "jpg", "tif", "exr"] = option(
        "png", "File type where the output is a folder or a pattern"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPlan:
    """What a writer must know before the first frame.

    target      the clip whose rate, size, colour, aspect and time base the result inherits
    audio_from  the clip whose sound is copied, None for a silent result
    resume      names what makes the result (input, settings, versions): an unfinished result of
                the same name is gone on with.  Empty: begin anew, keep nothing to go on with
    """

    target: ClipInfo
    options: OutputOptions
    audio_from: str | None = None
    resume: str = ""


class ClipWriter(Protocol):
    """A clip being written.  Until `finish`, the result exists only under its partial name.

    A writer that goes on with an unfinished result has an attribute `resumes_at`: the index of the
    first frame that it wants.
    """

    @property
    def partial(self) -> Path:
        """Where the unfinished result lies: ``clip.partial.mp4``, ``folder.partial``."""
        ...

    @property
    def notes(self) -> list[str]:
        """Sentences about what could not be written as asked, so far."""
        ...

    def write(self, frame: Frame) -> None:
        """Add a frame.  Raises OutputError where the disk is full or the encoder refuses."""
        ...

    def finish(self) -> Path:
        """Complete the file and give it its name, by one rename."""
        ...

    def keep_partial(self) -> Path | None:
        """Complete what there is, playable, under its partial name; None if nothing was written."""
        ...
