"""The file in which a workspace keeps rendered frames: of each the difference to its plate."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Image
from ..errors import InputError
from ..types import Face, Packet, Swap, replace
from .layers import Layer, Layers, packed, unpacked

FILE = "rendered.db"
_SCHEMA = 2
_TABLE = """
CREATE TABLE frames (
    clip INTEGER NOT NULL,
    frame INTEGER NOT NULL,
    key BLOB NOT NULL,
    swapped TEXT NOT NULL,
    x0 INTEGER NOT NULL, y0 INTEGER NOT NULL, x1 INTEGER NOT NULL, y1 INTEGER NOT NULL,
    change BLOB NOT NULL,
    kinds TEXT NOT NULL,
    layers BLOB NOT NULL,
    PRIMARY KEY (clip, frame)
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What happens to the frames of a clip that have faces.

    keys    the name of all that makes a frame's pixels
    taken   frames that are kept under this name
    worked  frames whose faces go through the steps: the others, and those that share batches or
            are looked at
    """

    clip: int
    keys: Mapping[int, bytes]
    taken: frozenset[int]
    worked: frozenset[int]


class KeptFrames:
    """The file with the frames.  One that is damaged or of another version is begun anew."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        try:
            self._db = self._open()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            for end in ("", "-wal", "-shm"):
                self._path.with_name(FILE + end).unlink(missing_ok=True)
            self._db = self._open()

    def __enter__(self) -> KeptFrames:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def keys(self, clip: int, kinds: str = "") -> dict[int, bytes]:
        """The name under which each frame is kept that has these kinds of layers."""
        rows = self._db.execute("SELECT frame, key, kinds FROM frames WHERE clip = ?", (clip,))
        return {frame: key for frame, key, there in rows if set(kinds) <= set(there)}

    def put(
        self, choice: Choice, fresh: Sequence[tuple[Packet, Packet]], layers: Layers | None = None
    ) -> None:
        """Keep frames, each given before and after the blend, with their layers."""
        kinds = layers.kinds if layers else ""
        rows = []
        for plate, packet in fresh:
            found = _change(plate.frame.image, packet.frame.image)
            if found is None:
                continue
            swapped = "".join("1" if swap is not None else "0" for swap in packet.swaps)
            box, change = found
            number = plate.frame.index
            layer = packed(layers.of(number)) if layers else b""
            named = (choice.clip, number, choice.keys[number], swapped)
            rows.append((*named, *box, change, kinds, layer))
        with self._db:
            self._db.executemany(
                "INSERT OR REPLACE INTO frames VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
            )

    def restore(self, choice: Choice, plate: Packet) -> tuple[Packet, Layer]:
        """The finished frame from its plate, and what was put on it.

        Faces and swaps only say how many there were.
        """
        number = plate.frame.index
        row = self._db.execute(
            "SELECT swapped, x0, y0, x1, y1, change, layers FROM frames"
            " WHERE clip = ? AND frame = ? AND key = ?",
            (choice.clip, number, choice.keys[number]),
        ).fetchone()
        try:
            swapped, x0, y0, x1, y1, change, kept = row
            layer = unpacked(kept) if kept else Layer()
            image = _changed(plate.frame.image, (x0, y0, x1, y1), change)
        except (TypeError, ValueError, zlib.error) as error:
            raise InputError(
                f"{self._path}: frame {number} is damaged, or was changed by another run; run "
                "again, with --no-cache if that does not help"
            ) from error
        dot = Swap(image=np.zeros((1, 1, 3), np.float32), matrix=np.eye(2, 3))
        faces = plate.faces or tuple(Face(box=(0, 0, 1, 1)) for _ in swapped)
        swaps = tuple(dot if mark == "1" else None for mark in swapped)
        frame = replace(plate.frame, image=image)
        return replace(plate, frame=frame, faces=faces, swaps=swaps), layer

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            if db.execute("PRAGMA user_version").fetchone()[0] != _SCHEMA:
                db.executescript(
                    f"DROP TABLE IF EXISTS frames;{_TABLE};PRAGMA user_version={_SCHEMA};"
                )
        except sqlite3.Error:
            db.close()
            raise
        return db


def _change(plate: Image, done: Image) -> tuple[tuple[int, int, int, int], bytes] | None:
    """The box in which a frame differs from its plate, and how; None for another size."""
    if plate.shape != done.shape or plate.dtype != done.dtype:
        return None
    if plate is done:
        return (0, 0, 0, 0), b""
    before, after = _bits(plate), _bits(done)
    height, width = before.shape[:2]
    # Along whole lines: over the three channels of each pixel, 1080p takes 100 ms, not one.
    differs = (before != after).reshape(height, -1)
    rows = np.flatnonzero(differs.any(axis=1))
    columns = np.flatnonzero(differs.any(axis=0).reshape(width, 3).any(axis=1))
    if not rows.size:
        return (0, 0, 0, 0), b""
    x0, y0, x1, y1 = (int(n) for n in (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    change = after[y0:y1, x0:x1] - before[y0:y1, x0:x1]  # goes round at the ends, so it fits
    return (x0, y0, x1, y1), _packed(change)


def _changed(plate: Image, box: tuple[int, int, int, int], data: bytes) -> Image:
    """The frame of which `_change` told.  Raises ValueError where it cannot have been this one."""
    if not data:
        return plate
    x0, y0, x1, y1 = box
    done = plate.copy()
    here = _bits(done)[y0:y1, x0:x1]
    here += _unpacked(data, here)
    return done


def _bits(image: Image) -> Any:
    """Float pictures as the whole numbers that their bits are: differences of these are exact."""
    return image.view(np.uint32) if image.dtype == np.float32 else image


def _packed(change: Any) -> bytes:
    import cv2

    if change.dtype == np.uint32:
        return zlib.compress(np.ascontiguousarray(change).tobytes(), 1)
    return bytes(cv2.imencode(".png", change, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1])


def _unpacked(data: bytes, like: Any) -> Any:
    import cv2

    if like.dtype == np.uint32:
        found: Any = np.frombuffer(zlib.decompress(data), np.uint32).reshape(like.shape)
    else:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None or found.shape != like.shape or found.dtype != like.dtype:
        raise ValueError("is not the change of this frame")
    return found
