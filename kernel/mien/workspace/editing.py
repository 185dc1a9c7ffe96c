"""A workspace whose faces are listed and changed one by one, as `mien alignments` does."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from ..arrays import Points
from ..atomic import reason, whole_file
from ..errors import InputError, OutputError
from ..types import Face
from .migrations import MIGRATIONS
from .store import Workspace, _pack, _unpack

Place = tuple[int, int]
"""Number of the frame, position of the face in it.  Positions may have gaps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownClip:
    """A clip of a workspace; `frames` is 0 where its length is not known."""

    id: int
    uri: str
    fingerprint: str
    frames: int
    still: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFrame:
    """A frame that was looked at; as in `Frame` and `Packet`.  `faces` counts them."""

    number: int
    pts: int
    time_base: Fraction
    name: str = ""
    shot: int = -1
    faces: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What came from another workspace: clips new here, frames, faces, and frames left there."""

    clips: int
    frames: int
    faces: int
    left: int


class WorkspaceEditor(Workspace):
    """An open workspace that must be there already.  Every change is one transaction."""

    def __init__(self, folder: Path) -> None:
        """Raises InputError where there is none, or it is damaged."""
        super().__init__(folder, create=False)

    def clips(self) -> list[KnownClip]:
        """All clips, in the order in which they came."""
        rows = self._db.execute("SELECT id, uri, fingerprint, info FROM clips ORDER BY id")
        return [_clip(*row) for row in rows]

    def frames(self, clip: int) -> list[KnownFrame]:
        """All frames that were looked at, in order."""
        rows = self._db.execute(
            "SELECT number, pts, base_num, base_den, name, shot,"
            " (SELECT count(*) FROM faces f WHERE f.clip = frames.clip AND f.frame = number)"
            " FROM frames WHERE clip = ? ORDER BY number",
            (clip,),
        )
        return [
            KnownFrame(
                number=number, pts=pts, time_base=Fraction(num, den), name=name, shot=shot, faces=n
            )
            for number, pts, num, den, name, shot, n in rows
        ]

    def listed(self, clip: int) -> Iterator[tuple[Place, Face]]:
        """Every face by its place, in order; without masks and identity, which take time."""
        rows = self._db.execute(
            "SELECT frame, position, x0, y0, x1, y1, score, points5, landmarks, track"
            " FROM faces WHERE clip = ? ORDER BY frame, position",
            (clip,),
        )
        for frame, position, x0, y0, x1, y1, score, points5, landmarks, track in rows:
            yield (
                (frame, position),
                Face(
                    box=(x0, y0, x1, y1),
                    score=score,
                    points5=_unpack(points5, (5, 2)),
                    landmarks=_unpack(landmarks, (68, 2)),
                    track=track,
                ),
            )

    def remove_faces(self, clip: int, places: Collection[Place]) -> None:
        """Forget these faces; the others keep their positions."""
        with self._writing():
            self._db.executemany(
                "DELETE FROM faces WHERE clip = ? AND frame = ? AND position = ?",
                [(clip, *place) for place in places],
            )

    def move_points(self, clip: int, points: Mapping[Place, Points]) -> None:
        """Give faces other landmarks; all else of them stays."""
        with self._writing():
            self._db.executemany(
                "UPDATE faces SET landmarks = ? WHERE clip = ? AND frame = ? AND position = ?",
                [(_pack(moved), clip, *place) for place, moved in points.items()],
            )

    def put_faces(self, clip: int, frames: Sequence[tuple[KnownFrame, Mapping[int, Face]]]) -> int:
        """Make these the faces of these frames, by position; how many were new.

        A face that was at its position keeps its masks and identity, and its five points where none
        are given; a frame that was not known is
        entered.
        """
        new = 0
        with self._writing():
            for frame, faces in frames:
                self._enter(clip, frame)
                there = {
                    position: number
                    for position, number in self._db.execute(
                        "SELECT position, id FROM faces WHERE clip = ? AND frame = ?",
                        (clip, frame.number),
                    )
                }
                gone = [(number,) for position, number in there.items() if position not in faces]
                self._db.executemany("DELETE FROM faces WHERE id = ?", gone)
                for position, face in faces.items():
                    if position in there:
                        self._change(there[position], face)
                    else:
                        self._put_face(clip, frame.number, position, face)
                        new += 1
        return new

    def _enter(self, clip: int, frame: KnownFrame) -> None:
        base = frame.time_base
        self._db.execute(
            "INSERT INTO frames (clip, number, pts, base_num, base_den, name, shot)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (clip, number) DO NOTHING",
            (
                *(clip, frame.number, frame.pts, base.numerator, base.denominator),
                *(frame.name, frame.shot),
            ),
        )

    def _change(self, number: int, face: Face) -> None:
        self._db.execute(
            "UPDATE faces SET x0 = ?, y0 = ?, x1 = ?, y1 = ?, score = ?,"
            " points5 = coalesce(?, points5), landmarks = ?, track = ? WHERE id = ?",
            (
                *(*(float(edge) for edge in face.box), float(face.score)),
                *(_pack(face.points5), _pack(face.landmarks), face.track, number),
            ),
        )

    def take_from(self, other: WorkspaceEditor, prefer: Literal["here", "there"]) -> Taken:
        """Copy all that another workspace knows, with its masks.

        prefer  whose faces count for a frame that both know; tracks of what is copied into a clip
                known here are numbered behind its own
        """
        clips = frames = faces = left = 0
        with self._writing():
            for theirs in other.clips():
                clip, is_new = self._same_clip(other, theirs)
                clips += is_new
                base = 0 if is_new else self.next_track(clip)
                known = self.known_frames(clip)
                for frame in other.frames(theirs.id):
                    if frame.number in known:
                        if prefer == "here":
                            left += 1
                            continue
                        self._db.execute(
                            "DELETE FROM frames WHERE clip = ? AND number = ?", (clip, frame.number)
                        )
                    self._enter(clip, frame)
                    faces += self._copy_faces(other, theirs.id, clip, frame.number, base)
                    frames += 1
        return Taken(clips=clips, frames=frames, faces=faces, left=left)

    def _same_clip(self, other: WorkspaceEditor, theirs: KnownClip) -> tuple[int, bool]:
        row = self._db.execute(
            "SELECT id FROM clips WHERE fingerprint = ?", (theirs.fingerprint,)
        ).fetchone()
        if row is not None:
            return int(row[0]), False
        (values,) = other._db.execute(
            "SELECT fingerprint, uri, info FROM clips WHERE id = ?", (theirs.id,)
        )
        cursor = self._db.execute(
            "INSERT INTO clips (fingerprint, uri, info) VALUES (?, ?, ?)", values
        )
        clip = int(cursor.lastrowid or 0)
        done = other._db.execute(
            "SELECT work, next_frame FROM progress WHERE clip = ?", (theirs.id,)
        ).fetchall()
        self._db.executemany(
            "INSERT INTO progress VALUES (?, ?, ?)", [(clip, work, next_) for work, next_ in done]
        )
        return clip, True

    def _copy_faces(
        self, other: WorkspaceEditor, theirs: int, clip: int, frame: int, base: int
    ) -> int:
        columns = "position, x0, y0, x1, y1, score, points5, landmarks, identity"
        rows = other._db.execute(
            f"SELECT id, track, {columns} FROM faces WHERE clip = ? AND frame = ?", (theirs, frame)
        ).fetchall()
        for number, track, *values in rows:
            moved = track + base if track >= 0 else track
            cursor = self._db.execute(
                f"INSERT INTO faces (clip, frame, track, {columns})"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (clip, frame, moved, *values),
            )
            masks = other._db.execute(
                "SELECT name, matrix, png FROM masks WHERE face = ?", (number,)
            ).fetchall()
            self._db.executemany(
                "INSERT INTO masks VALUES (?, ?, ?, ?)",
                [(cursor.lastrowid, *mask) for mask in masks],
            )
        return len(rows)

    def backup(self, path: Path) -> None:
        """Write all of the workspace into one file, whole or not at all.  Raises OutputError."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as beside, closing(sqlite3.connect(beside)) as copy:
                self._db.backup(copy)
        except (OSError, sqlite3.Error) as error:
            why = reason(error) if isinstance(error, OSError) else str(error)
            raise OutputError(
                f"{path}: the backup cannot be written ({why}); nothing was changed"
            ) from error

    def restore(self, path: Path) -> None:
        """Become what `backup` wrote.  Raises InputError where the file is no workspace."""
        check_backup(path)
        try:
            with closing(_to_read(path)) as saved:
                saved.backup(self._db)
        except sqlite3.Error as error:
            raise OutputError(f"{self.folder}: cannot be restored: {error}") from error
        self._migrate()


def check_backup(path: Path) -> None:
    """Raise InputError where a file is no whole workspace."""
    try:
        with closing(_to_read(path)) as saved:
            version = int(saved.execute("PRAGMA user_version").fetchone()[0])
            whole = saved.execute("PRAGMA quick_check").fetchone()[0] == "ok"
            saved.execute("SELECT count(*) FROM faces").fetchone()
    except sqlite3.Error as error:
        raise InputError(f"{path}: is no backup of a workspace: {error}") from error
    if not whole or not 1 <= version <= len(MIGRATIONS):
        raise InputError(f"{path}: is damaged, or of another version")


def _to_read(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)


def _clip(number: int, uri: str, fingerprint: str, info: str) -> KnownClip:
    try:
        told: Any = json.loads(info)
    except ValueError:
        told = None
    known = told if isinstance(told, dict) else {}
    frames = known.get("frames")
    return KnownClip(
        id=number,
        uri=uri,
        fingerprint=fingerprint,
        frames=frames if type(frames) is int else 0,
        still=bool(known.get("still")),
    )
