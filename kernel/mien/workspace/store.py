"""`workspace.db`: what is known of the frames and faces of a project's clips, in SQLite (WAL).

Every call that writes is one transaction: after a crash the database holds whole batches, and the
next run goes on behind the last one.  Landmarks are little-endian float32, masks 8-bit PNG.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ..arrays import Mask
from ..atomic import reason
from ..errors import InputError, OutputError
from ..media.base import ClipInfo
from ..types import Face, FaceMask, Packet
from .history import History
from .migrations import MIGRATIONS

DATABASE = "workspace.db"


class Workspace:
    """One open workspace.  Use it in one thread, and as a context manager."""

    def __init__(self, folder: Path, *, create: bool = True) -> None:
        """Open the workspace in `folder`, making it where there is none and `create` is true.

        Raises InputError where there is none, it is damaged or written by a newer program, and
        OutputError where it cannot be made.
        """
        self.folder = folder
        path = folder / DATABASE
        if not create and not path.is_file():
            raise InputError(
                f"{folder}: is no workspace (it holds no {DATABASE}); "
                "make one with: mien extract CLIP --workspace FOLDER"
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            why = reason(error) if isinstance(error, OSError) else error
            raise OutputError(f"{folder}: cannot make a workspace here ({why})") from error
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute("PRAGMA foreign_keys=ON")
            self._migrate()
        except sqlite3.OperationalError as error:
            self._db.close()
            if create or not self._opened_to_be_read(path):
                raise OutputError(refused(path, error)) from error
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise InputError(
                f"{path}: cannot be used as a workspace: {error}; go back to a backup with 'mien "
                "alignments restore', or move it away to begin anew"
            ) from error

    def __enter__(self) -> Workspace:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database; may be called twice."""
        self._db.close()

    def clip_id(self, info: ClipInfo) -> int:
        """The number of a clip in this workspace, by content; a new clip is entered."""
        with self._writing():
            self._db.execute(
                "INSERT INTO clips (fingerprint, uri, info) VALUES (?, ?, ?) "
                "ON CONFLICT (fingerprint) DO UPDATE SET uri = excluded.uri",
                (info.fingerprint, info.uri, json.dumps(asdict(info), default=str)),
            )
        return int(
            self._db.execute(
                "SELECT id FROM clips WHERE fingerprint = ?", (info.fingerprint,)
            ).fetchone()[0]
        )

    def find_clip(self, info: ClipInfo) -> int:
        """The number of a clip that must be here already.

        Raises InputError that names the clips that are.
        """
        row = self._db.execute(
            "SELECT id FROM clips WHERE fingerprint = ?", (info.fingerprint,)
        ).fetchone()
        if row is None:
            known = [uri for (uri,) in self._db.execute("SELECT uri FROM clips ORDER BY id")]
            raise InputError(
                f"{info.uri}: the workspace {self.folder} knows nothing of this clip"
                f" (it knows: {', '.join(known) or 'none'});"
                f" run: mien extract {info.uri} --workspace {self.folder}"
            )
        return int(row[0])

    def put(self, clip: int, packets: Sequence[Packet], *, work: str = "") -> None:
        """Enter frames with their faces, replacing what was known of these frames.

        work  names the work that is done up to the last of these frames; see `next_frame`
        """
        with self._writing():
            for packet in packets:
                frame = packet.frame
                self._db.execute(
                    "DELETE FROM frames WHERE clip = ? AND number = ?", (clip, frame.index)
                )
                base = frame.time_base
                self._db.execute(
                    "INSERT INTO frames (clip, number, pts, base_num, base_den, name, shot)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        *(clip, frame.index, frame.pts, base.numerator, base.denominator),
                        *(frame.name, packet.shot),
                    ),
                )
                for position, face in enumerate(packet.faces):
                    self._put_face(clip, frame.index, position, face)
            if work and packets:
                self._db.execute(
                    "INSERT INTO progress VALUES (?, ?, ?) "
                    "ON CONFLICT (clip, work) DO UPDATE SET next_frame = excluded.next_frame",
                    (clip, work, packets[-1].frame.index + 1),
                )

    def next_frame(self, clip: int, work: str) -> int:
        """The frame at which this work goes on; 0 where it was never begun."""
        row = self._db.execute(
            "SELECT next_frame FROM progress WHERE clip = ? AND work = ?", (clip, work)
        ).fetchone()
        return int(row[0]) if row else 0

    def known_frames(self, clip: int) -> frozenset[int]:
        """Indices of the frames that were looked at, with or without faces."""
        rows = self._db.execute("SELECT number FROM frames WHERE clip = ?", (clip,))
        return frozenset(number for (number,) in rows)

    def faces(self, clip: int, frame: int) -> tuple[Face, ...]:
        """The faces of one frame, in the order in which they were entered."""
        rows = self._db.execute(
            "SELECT id, x0, y0, x1, y1, score, points5, landmarks, track, identity "
            "FROM faces WHERE clip = ? AND frame = ? ORDER BY position",
            (clip, frame),
        ).fetchall()
        return tuple(self._face(row) for row in rows)

    def face_digests(self, clip: int) -> dict[int, tuple[bytes, tuple[int, ...]]]:
        """For every frame with faces: a hash of all that is known of them, and their tracks."""
        rows = self._db.execute(
            "SELECT f.frame, f.position, f.track, f.x0, f.y0, f.x1, f.y1, f.score, f.points5,"
            " f.landmarks, f.identity, m.name, m.matrix, m.png"
            " FROM faces f LEFT JOIN masks m ON m.face = f.id WHERE f.clip = ?"
            " ORDER BY f.frame, f.position, m.name",
            (clip,),
        )
        found: dict[int, tuple[bytes, tuple[int, ...]]] = {}
        for frame, group in groupby(rows, key=lambda row: row[0]):
            digest, tracks = hashlib.sha256(), {}
            for row in group:
                tracks[row[1]] = row[2]
                for value in row:
                    part = value if isinstance(value, bytes) else repr(value).encode()
                    digest.update(len(part).to_bytes(8, "little") + part)
            found[frame] = digest.digest(), tuple(tracks.values())
        return found

    def shots(self, clip: int) -> tuple[int, ...]:
        """The frames at which the known shots begin, in order."""
        rows = self._db.execute(
            "SELECT DISTINCT shot FROM frames WHERE clip = ? AND shot >= 0 ORDER BY shot", (clip,)
        )
        return tuple(shot for (shot,) in rows)

    def tracks(self, clip: int) -> dict[int, tuple[int, int]]:
        """The first and the last frame of every track, by its number."""
        rows = self._db.execute(
            "SELECT track, min(frame), max(frame) FROM faces WHERE clip = ? AND track >= 0"
            " GROUP BY track ORDER BY track",
            (clip,),
        )
        return {track: (first, last) for track, first, last in rows}

    def history(self, clip: int) -> History:
        """The keyframes of a clip, and all that they were before."""
        return History(self._db, self._writing, clip)

    def next_track(self, clip: int) -> int:
        """The first number of a track that no face of this clip has."""
        row = self._db.execute("SELECT max(track) FROM faces WHERE clip = ?", (clip,)).fetchone()
        return int(row[0]) + 1 if row and row[0] is not None else 0

    def count_faces(self, clip: int) -> int:
        """How many faces all frames of a clip hold."""
        row = self._db.execute("SELECT count(*) FROM faces WHERE clip = ?", (clip,)).fetchone()
        return int(row[0])

    def timestamps(self, clip: int) -> dict[int, Fraction]:
        """Seconds of every known frame, by index."""
        rows = self._db.execute(
            "SELECT number, pts, base_num, base_den FROM frames WHERE clip = ?", (clip,)
        )
        return {number: pts * Fraction(num, den) for number, pts, num, den in rows}

    def start_run(self, run_id: str, command: str, settings: Mapping[str, Any]) -> None:
        """Remember that a command began, with all its settings."""
        with self._writing():
            self._db.execute(
                "INSERT INTO runs (id, command, started, settings) VALUES (?, ?, ?, ?)",
                (run_id, command, _now(), json.dumps(settings)),
            )

    def end_run(self, run_id: str, outcome: str) -> None:
        """Remember how it ended: `done`, `stopped`, or the error's sentence."""
        with self._writing():
            self._db.execute(
                "UPDATE runs SET ended = ?, outcome = ? WHERE id = ?", (_now(), outcome, run_id)
            )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction; a full disk becomes a sentence and leaves the database as it was."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise OutputError(refused(self.folder / DATABASE, error)) from error

    def _opened_to_be_read(self, path: Path) -> bool:
        """Open a workspace that lies where nothing may be written; False where that cannot be."""
        log = path.with_name(f"{path.name}-wal")
        if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
            return False
        try:
            if log.exists() and log.stat().st_size:
                return False  # changes lie there that only a writer can take over
            where = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
            self._db = sqlite3.connect(where, uri=True, isolation_level=None)
            if self._db.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS):
                return True
        except (OSError, sqlite3.Error):
            pass  # what is said is why it could not be written
        self._db.close()
        return False

    def _migrate(self) -> None:
        version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        if version > len(MIGRATIONS):
            raise InputError(
                f"{self.folder / DATABASE}: was written by a newer mien (schema {version}, "
                f"this one knows {len(MIGRATIONS)}); update with: pip install -U mien"
            )
        for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
            self._db.executescript(f"BEGIN;{script};PRAGMA user_version={number};COMMIT;")

    def _put_face(self, clip: int, frame: int, position: int, face: Face) -> None:
        cursor = self._db.execute(
            "INSERT INTO faces (clip, frame, position, x0, y0, x1, y1, score, points5, landmarks,"
            " track, identity) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(clip, frame, position, *(float(edge) for edge in face.box), float(face.score)),
                *(_pack(face.points5), _pack(face.landmarks), face.track, _pack(face.identity)),
            ),
        )
        for name, placed in face.masks.items():
            self._db.execute(
                "INSERT INTO masks VALUES (?, ?, ?, ?)",
                (
                    *(cursor.lastrowid, name),
                    *(placed.matrix.astype("<f8").tobytes(), _mask_png(placed.mask)),
                ),
            )

    def _face(self, row: tuple[Any, ...]) -> Face:
        number, x0, y0, x1, y1, score, points5, landmarks, track, identity = row
        masks = self._db.execute("SELECT name, matrix, png FROM masks WHERE face = ?", (number,))
        return Face(
            box=(x0, y0, x1, y1),
            score=score,
            points5=_unpack(points5, (5, 2)),
            landmarks=_unpack(landmarks, (68, 2)),
            masks={
                name: FaceMask(
                    mask=_png_mask(png), matrix=np.frombuffer(matrix, "<f8").reshape(2, 3)
                )
                for name, matrix, png in masks
            },
            track=track,
            identity=_unpack(identity, (-1,)),
        )


def _pack(array: Any) -> bytes | None:
    return None if array is None else np.ascontiguousarray(array, "<f4").tobytes()


def _unpack(blob: bytes | None, shape: tuple[int, ...]) -> Any:
    return None if blob is None else np.frombuffer(blob, "<f4").reshape(shape)


def _mask_png(mask: Mask) -> bytes:
    import cv2

    picture = np.rint(np.clip(mask, 0, 1) * 255).astype(np.uint8)
    return bytes(cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1])


def _png_mask(png: bytes) -> Mask:
    import cv2

    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise InputError("a mask stored in the workspace is damaged; extract the clip again")
    return (picture.astype(np.float32) / np.float32(255))[..., None]


def refused(path: Path, error: sqlite3.Error) -> str:
    """Why a database cannot be written, and what to do where that is known."""
    if "readonly" in str(error):
        return f"{path}: is read-only; copy its folder to a place where you may write"
    return f"{path}: cannot be written: {error}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
