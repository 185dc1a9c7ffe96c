"""The text of a clip's keyframes and all that it was before, for undo and redo.

Revisions are numbered from 1; 0 is the beginning, when there was nothing.  A text is kept whole:
a thousand keyframes take a few kilobytes, and no revision depends on another.
"""

from __future__ import annotations

import re
import sqlite3
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePath

_KEPT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """What a change was, in words, when it was made (UTC), and the text that it left."""

    number: int
    what: str
    made: str
    text: str


class History:
    """The revisions of one clip's text.  `put` and `move` belong into `changing`."""

    def __init__(
        self,
        db: sqlite3.Connection,
        writing: Callable[[], AbstractContextManager[None]],
        clip: int,
    ) -> None:
        self._db, self._writing, self._clip = db, writing, clip

    def changing(self) -> AbstractContextManager[None]:
        """One transaction: nobody else writes in between, and an error undoes all of it."""
        return self._writing()

    @property
    def file(self) -> str:
        """Name of the readable file: the clip's own stem, once it was used for ever the same."""
        row = self._db.execute("SELECT file FROM timelines WHERE clip = ?", (self._clip,))
        found = row.fetchone()
        return str(found[0]) if found else self._new_name()

    @property
    def position(self) -> int:
        """The number of the revision that counts now."""
        row = self._db.execute("SELECT revision FROM timelines WHERE clip = ?", (self._clip,))
        found = row.fetchone()
        return int(found[0]) if found else 0

    @property
    def text(self) -> str:
        """The text that counts now; empty at the beginning."""
        row = self._db.execute(
            "SELECT text FROM timeline_revisions WHERE clip = ? AND number = ?",
            (self._clip, self.position),
        ).fetchone()
        return zlib.decompress(row[0]).decode() if row else ""

    def revisions(self) -> tuple[Revision, ...]:
        """All that can be gone back or forward to, the oldest first."""
        rows = self._db.execute(
            "SELECT number, what, made, text FROM timeline_revisions WHERE clip = ?"
            " ORDER BY number",
            (self._clip,),
        )
        return tuple(
            Revision(number=number, what=what, made=made, text=zlib.decompress(text).decode())
            for number, what, made, text in rows
        )

    def put(self, text: str, what: str) -> None:
        """A new revision behind the present one; those that were undone are forgotten."""
        number, file = self.position + 1, self.file
        self._db.execute(
            "INSERT INTO timelines VALUES (?, ?, ?) "
            "ON CONFLICT (clip) DO UPDATE SET revision = excluded.revision",
            (self._clip, file, number),
        )
        self._db.execute(
            "DELETE FROM timeline_revisions WHERE clip = ? AND (number >= ? OR number <= ?)",
            (self._clip, number, number - _KEPT),
        )
        made = datetime.now(UTC).isoformat(timespec="seconds")
        packed = zlib.compress(text.encode(), 9)
        self._db.execute(
            "INSERT INTO timeline_revisions VALUES (?, ?, ?, ?, ?)",
            (self._clip, number, made, what, packed),
        )

    def move(self, steps: int) -> Revision | None:
        """Go back (-1) or forward (1): the change that was undone or done again.

        None where nothing is known in that direction.
        """
        here = self.position
        known = {each.number: each for each in self.revisions()}
        touched = known.get(here if steps < 0 else here + 1)
        if touched is None or (here + steps not in known and here + steps > 0):
            return None
        self._db.execute(
            "UPDATE timelines SET revision = ? WHERE clip = ?", (here + steps, self._clip)
        )
        return touched

    def _new_name(self) -> str:
        (uri,) = self._db.execute("SELECT uri FROM clips WHERE id = ?", (self._clip,)).fetchone()
        stem = re.sub(r"[^\w.-]+", "-", PurePath(uri).stem)[:80].strip("-.") or "clip"
        name = f"{stem}.keyframes.toml"
        taken = self._db.execute("SELECT 1 FROM timelines WHERE file = ?", (name,)).fetchone()
        return f"{stem}-{self._clip}.keyframes.toml" if taken else name
