"""A video written in segments that each are finished on the disk, so that a render can go on.

Segments lie in `RESULT.segments/`, cut at fixed frame numbers: a render that was killed and gone
on with has the same segments as one that was not, and so the same pictures to the bit.  At the end
they are joined without encoding anew, get the sound, and are removed.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..atomic import reason, write_whole
from ..errors import OutputError
from ..types import Frame, replace
from .base import OutputPlan
from .encoding import check_codec, check_lossless
from .join import JoinWriter, Part, Shown
from .journal import ANEW
from .sound import open_sound
from .write import VideoWriter

LENGTH = 240
"""Frames of a segment: ten seconds of film are the most that a crash can cost."""

_CARD = "segments.json"


class SegmentWriter:
    """A clip being written to `path` in segments of `length` frames."""

    def __init__(self, path: str | Path, plan: OutputPlan, *, length: int = LENGTH) -> None:
        """Take up the segments of the same work.  Raises OutputError where nothing can be written.

        The plan's `resume` names the work; segments of any other work are thrown away.
        """
        self._path, self._plan, self._length = Path(path), plan, length
        self._suffix = self._path.suffix.lower()
        self._folder = self._path.with_name(f"{self._path.name}.segments")
        self._notes: dict[str, None] = {}
        self._check()
        self._cards = self._take_up()
        self._writer: VideoWriter | None = None
        self._shown: list[Shown] = []
        self._number = self._last = -1
        self._time_base = plan.target.time_base
        if self._cards:
            self._time_base = _fraction(self._cards[-1]["time_base"])
            self._last = self._cards[-1]["last"]

    @property
    def resumes_at(self) -> int:
        """The index of the first frame that is not on the disk yet."""
        return self._last + 1

    @property
    def partial(self) -> Path:
        """The folder of the segments."""
        return self._folder

    @property
    def notes(self) -> list[str]:
        """Sentences about what could not be written as asked, so far."""
        return list(self._notes)

    def write(self, frame: Frame) -> None:
        """Add a frame; a full segment is finished on the disk.

        Raises OutputError where the disk is full or the encoder refuses.
        """
        number = frame.index // self._length
        if number != self._number:
            self._commit()
        if self._writer is None:
            self._number = number
            plan = replace(self._plan, audio_from=None, resume="")
            self._writer = VideoWriter(self._folder / f"{number:06d}{self._suffix}", plan)
        with self._failing(frame.index):
            self._writer.write(frame)
        step = frame.duration * frame.time_base or 1 / self._plan.target.rate
        self._shown.append(Shown(seconds=frame.seconds, duration=step))
        self._last, self._time_base = frame.index, frame.time_base

    def finish(self) -> Path:
        """Join the segments, add the sound, give the file its name and remove the segments."""
        self._commit()
        if not self._cards:
            self.keep_partial()
            raise OutputError(f"{self._path}: not written, because there was no frame to write")
        parts = [
            Part(path=self._folder / card["file"], frames=_frames(card)) for card in self._cards
        ]
        writer = JoinWriter(self._path, replace(self._plan, resume=""))
        try:
            path = writer.join(parts, self._time_base, self._last)
        except OutputError as err:
            raise OutputError(
                f"{err}; its segments are kept in '{self._folder.name}', and the same command "
                "joins them"
            ) from err
        self._notes |= dict.fromkeys(writer.notes)
        shutil.rmtree(self._folder, ignore_errors=True)
        return path

    def keep_partial(self) -> Path | None:
        """Leave the finished segments to go on with; None if there is none."""
        if self._writer is not None and self._shown:
            # Cut at another place than a whole render would be, so it is of no use later.
            kept = self._writer.keep_partial()
            if kept is not None:
                kept.unlink(missing_ok=True)
            self._writer = None
        if self._cards:
            return self._folder
        shutil.rmtree(self._folder, ignore_errors=True)
        return None

    @contextlib.contextmanager
    def _failing(self, index: int) -> Iterator[None]:
        """Say of a failure what is kept: the segments, not the piece that was being written."""
        try:
            yield
        except OutputError as err:
            fault = self._writer.fault if self._writer else ""
            if not fault:
                raise
            kept = "nothing is kept"
            if self._cards:
                kept = f"what comes before is kept in '{self._folder.name}' to go on with"
            raise OutputError(
                f"{self._path}: cannot go on at frame {index} ({fault}); {kept}"
            ) from err

    def _check(self) -> None:
        """Everything that would be refused at the end is refused now."""
        check_codec(self._plan.options.codec, self._suffix)
        check_lossless(self._plan.options, self._plan.target)
        folder = self._path.parent
        if not folder.is_dir():
            raise OutputError(f"{self._path}: there is no folder '{folder}'; make it first")
        plate = Path(self._plan.target.uri)
        if self._path.exists() and plate.exists() and self._path.samefile(plate):
            raise OutputError(f"{self._path}: is the target itself; name another output")
        sound = open_sound(self._plan.audio_from, self._plan.target)
        if sound is not None:
            sound.close()

    def _take_up(self) -> list[dict[str, Any]]:
        """The cards of the whole segments from the beginning on, of this very work."""
        card = _read(self._folder / _CARD)
        work = {"work": self._plan.resume, "length": self._length}
        if self._folder.exists() and card is None and any(self._folder.iterdir()):
            raise OutputError(
                f"{self._folder}: is needed for the segments, but holds other files; move them away"
            )
        if card is not None and card != work:
            self._notes[ANEW] = None
            shutil.rmtree(self._folder, ignore_errors=True)
        try:
            self._folder.mkdir(exist_ok=True)
        except OSError as err:
            raise OutputError(f"{self._folder}: cannot be made ({reason(err)})") from err
        write_whole(self._folder / _CARD, json.dumps(work).encode())
        cards: list[dict[str, Any]] = []
        for path in sorted(self._folder.glob("[0-9]*.json")):
            found = _read(path)
            first = cards[-1]["last"] + 1 if cards else 0
            if found is None or not self._is_whole(found) or found["first"] > first:
                break
            if found["last"] // self._length * self._length + self._length - 1 != found["last"]:
                break  # the clip's end was thought to be here; it is rendered again
            cards.append(found)
        return cards

    def _is_whole(self, card: dict[str, Any]) -> bool:
        with contextlib.suppress(OSError):
            return bool((self._folder / card["file"]).stat().st_size == card["bytes"])
        return False

    def _commit(self) -> None:
        """Finish the segment; with its card beside it, it counts."""
        if self._writer is None:
            return
        with self._failing(self._last):
            path = self._writer.finish()
        self._notes |= dict.fromkeys(self._writer.notes)
        card = {
            "file": path.name,
            "bytes": path.stat().st_size,
            "first": self._cards[-1]["last"] + 1 if self._cards else 0,
            "last": self._last,
            "time_base": str(self._time_base),
            "frames": [[str(each.seconds), str(each.duration)] for each in self._shown],
        }
        write_whole(path.with_suffix(".json"), json.dumps(card).encode())
        self._cards.append(card)
        self._writer, self._shown = None, []


def _read(path: Path) -> dict[str, Any] | None:
    """A card; None where there is none or it is damaged."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _frames(card: dict[str, Any]) -> list[Shown]:
    return [
        Shown(seconds=_fraction(seconds), duration=_fraction(length))
        for seconds, length in card["frames"]
    ]


def _fraction(words: str) -> Fraction:
    return Fraction(words)
