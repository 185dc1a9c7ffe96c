"""The keyframes of one clip: kept in its workspace, readable in a file beside it.

The workspace holds what counts, with all that it was before.  The file is written after every
change; whoever edits it makes a change, too: it is taken in, as a whole and as one step that can be
undone, before anything else is done with the keyframes.  A file that was deleted is written again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from ..atomic import write_whole
from ..errors import ConfigError
from ..workspace import Revision, Workspace
from .controls import MERGE, Controls
from .file import read_text, write_text
from .timeline import ALL, Entry, Timeline, shot_of

_HEADING = """\
Keyframes of {clip}.
Edit this file as you like: it is taken in by the next command, and written anew by `mien keys`."""


class Book:
    """Reads and changes the keyframes of a clip in an open workspace."""

    def __init__(
        self,
        store: Workspace,
        clip: int,
        *,
        title: str = "",
        frames: int = 0,
        controls: Controls = MERGE,
    ) -> None:
        """title  the clip's name, for the file's heading
        frames    how many the clip has; 0 where that is unknown
        controls  what can be set
        """
        self._history, self._frames = store.history(clip), frames
        self.shots, self._tracks = store.shots(clip), store.tracks(clip)
        self._heading = _HEADING.format(clip=title or f"clip {clip}")
        self._folder, self.controls = store.folder, controls

    @property
    def path(self) -> Path:
        """The readable file."""
        return self._folder / self._history.file

    @property
    def position(self) -> int:
        """Number of the revision that counts; 0 before the first change."""
        return self._history.position

    def revisions(self) -> tuple[Revision, ...]:
        """All changes that can be undone or done again, the oldest first."""
        return self._history.revisions()

    def read(self) -> Timeline:
        """What counts now, with what was edited by hand.

        Raises ConfigError with all problems of the file.
        """
        with self._history.changing():
            return self._take_in()

    def change(self, edit: Callable[[Timeline], Timeline], what: str) -> Timeline:
        """What counts now, changed; a new revision unless it stays as it was.

        what  the change in words, for the history
        Raises ConfigError where an entry lies outside the clip, and what `edit` raises.
        """
        with self._history.changing():
            before = self._take_in()
            after = edit(before)
            known = set(before)
            self._check([entry for entry in after if entry not in known])
            if after != before:
                text = write_text(after, self._heading)
                # First the file: after a crash in between it is taken in as an edit by hand.
                write_whole(self.path, text.encode())
                self._history.put(text, what)
            return after

    def undo(self) -> Revision | None:
        """Take the last change back, and say which it was; None where there is none."""
        return self._move(-1)

    def redo(self) -> Revision | None:
        """Do again what was undone last; None where nothing was."""
        return self._move(1)

    def stray(self, timeline: Timeline) -> tuple[int, ...]:
        """Tracks that have entries, but no face: the clip was extracted anew, perhaps."""
        tracks = {entry.track for entry in timeline} - {ALL, *self._tracks}
        return tuple(sorted(tracks))

    def shot(self, frame: int) -> int:
        """The frame at which the shot of a frame begins.

        Raises ConfigError where the frame lies outside the clip.
        """
        if self._is_outside(frame):
            raise ConfigError(f"shot {frame}: {self._outside()}")
        return shot_of(frame, self.shots)

    def first_frame(self, track: int) -> int:
        """Where a track begins.  Raises ConfigError where the clip has no such track."""
        if track not in self._tracks:
            raise ConfigError(f"track {track}: {self._no_track()}")
        return self._tracks[track][0]

    def _move(self, steps: int) -> Revision | None:
        with self._history.changing():
            self._take_in()
            touched = self._history.move(steps)
            if touched:
                text = self._history.text or write_text(Timeline(), self._heading)
                write_whole(self.path, text.encode())
            return touched

    def _take_in(self) -> Timeline:
        stored = self._history.text
        try:
            text = self.path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
        except FileNotFoundError:
            if stored:
                write_whole(self.path, stored.encode())
            return read_text(stored, str(self.path), self.controls)
        except UnicodeDecodeError:
            raise ConfigError(f"{self.path}: is not a text file in UTF-8") from None
        found = read_text(text, str(self.path), self.controls)
        if text == stored or found == self._stored():
            return found
        self._check(found, f"{self.path}: ")
        self._history.put(text, f"edited {self.path.name}")
        return found

    def _stored(self) -> Timeline | None:
        """What counted before the file was edited; None where that cannot be read any more, since
        a plugin's options are not what they were.
        """
        try:
            return read_text(self._history.text, "the workspace's keyframes", self.controls)
        except ConfigError:
            return None

    def _check(self, entries: Iterable[Entry], where: str = "") -> None:
        """Raise ConfigError for what lies outside the clip."""
        problems = []
        for entry in entries:
            if self._is_outside(entry.at):
                problems.append(f"{where}{entry.place} {entry.at}: {self._outside()}")
            if entry.track not in (ALL, *self._tracks):
                problems.append(
                    f"{where}{entry.place} {entry.at}: track {entry.track}: {self._no_track()}"
                )
        if problems:
            raise ConfigError(list(dict.fromkeys(problems)))

    def _is_outside(self, frame: int) -> bool:
        return bool(self._frames) and frame >= self._frames

    def _outside(self) -> str:
        return f"lies outside the clip, which has the frames 0..{self._frames - 1}"

    def _no_track(self) -> str:
        numbers = ", ".join(str(track) for track in self._tracks)
        there = f"it has {numbers}" if numbers else "it has none; find them with: mien extract"
        return f"the clip has no such track; {there}"
