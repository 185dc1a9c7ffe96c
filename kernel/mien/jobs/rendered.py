"""Frames that an earlier `mien merge` rendered, for the next one: only what a change touches is
rendered again.

A frame is taken as it was where everything is the same that makes its pixels: the clip, the model's
generation, plugins, their options and weights, what the workspace knows of its faces and of those
in the frames that its steps look at, and the controls of all of these.  What is kept is the
difference to the plate in the smallest box that holds it, without loss, in `rendered.db`.

A frame that is rendered again shares its nets' batches with the same frames as in a render of the
whole clip, so that it gets the same bytes; these frames are worked on, too, up to the blend.
"""

from __future__ import annotations

import hashlib
import logging
import math
import sqlite3
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Image
from ..errors import InputError
from ..keyframes import Plan
from ..merging import parse_mask
from ..options import plain
from ..runner import Step
from ..stages import MaskerProvider, Neighbours, Provider, Stage, StageBase
from ..types import Face, Packet, Swap, replace
from ..workspace import Workspace
from .model import OpenModel
from .run import Run

FILE = "rendered.db"
_SCHEMA = 1
_TABLE = """
CREATE TABLE frames (
    clip INTEGER NOT NULL,
    frame INTEGER NOT NULL,
    key BLOB NOT NULL,
    swapped TEXT NOT NULL,
    x0 INTEGER NOT NULL, y0 INTEGER NOT NULL, x1 INTEGER NOT NULL, y1 INTEGER NOT NULL,
    change BLOB NOT NULL,
    PRIMARY KEY (clip, frame)
)
"""

_log = logging.getLogger(__name__)


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


def choose(
    store: Workspace, clip: int, plan: Plan, work: WorkName, steps: Sequence[Step]
) -> Choice:
    """Decide which frames are taken.  steps  all of the render, the blend last"""
    known = store.face_digests(clip)
    reach = [sum(step.stage.window[side] for step in steps[:-1]) for side in (0, 1)]
    # A blend looks one frame around itself for a face's way, whatever that frame's controls are.
    controls = {n: _controls(plan, n, tracks, work) for n, (_, tracks) in known.items()}
    keys = {}
    for frame in known:
        parts = [work.common, str(frame).encode()]
        for n in range(frame - reach[0] - 1, frame + reach[1] + 2):
            parts.append(known[n][0] if n in known else b"")
            if frame - reach[0] <= n <= frame + reach[1]:
                parts.append(controls.get(n, b""))
        keys[frame] = _hash(*parts)
    with _Kept(store.folder) as kept:
        stored = kept.keys(clip)
    taken = frozenset(frame for frame, key in keys.items() if stored.get(frame) == key)
    return Choice(clip=clip, keys=keys, taken=taken, worked=_worked(set(keys) - taken, steps))


def spare_work(
    run: Run,
    workspace: Path,
    clip: int,
    fingerprint: str,
    plan: Plan,
    steps: Sequence[Step],
    used: Sequence[Provider],
    model: OpenModel,
    failures: Mapping[int, str],
) -> list[Step]:
    """The steps of a merge, the faces' recall first and the blend last, with frames taken as kept.

    used  the plugins besides the model
    """
    work = name_work(run, used, model, fingerprint)
    try:
        with Workspace(workspace, create=False) as store:
            choice = choose(store, clip, plan, work, steps)
    except sqlite3.Error as error:
        run.events.note(f"{workspace / FILE}: cannot be used, every frame is rendered: {error}")
        return list(steps)
    if choice.taken:
        run.events.note(
            f"{len(choice.taken)} of {len(choice.keys)} frames with a face are as they were and "
            f"were taken from {workspace / FILE}"
        )

    def unfit(frame: int) -> bool:
        # A run that is stopped ends with shorter batches than one of the whole clip has.
        return frame in failures or run.cancel.is_set()

    first, *between, last = steps
    spare = Step(name="spare", stage=SpareStep(choice))
    kept = Step(name=last.name, stage=KeptBlend(last.stage, workspace, choice, unfit))
    return [first, spare, *between, kept]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkName:
    """Hashes of what makes the pixels besides the faces and the table [merge].

    common  of all that takes part in every frame
    named   of the maskers that only some expressions name, by name
    """

    common: bytes
    named: Mapping[str, bytes]


def name_work(run: Run, providers: Sequence[Provider], model: OpenModel, clip: str) -> WorkName:
    """The names of a run's work.  clip  the fingerprint"""
    named: dict[str, bytes] = {}
    common: list[Any] = [run.versions([model.provider]), model.words, dict(model.asked), clip]
    common.append(run.config.resolved(("runtime",), [])["runtime"])
    chosen = run.config.chosen(MaskerProvider.kind)
    for each in providers:
        words = [each.kind, each.name, run.versions([each]), plain(run.config.options(each))]
        if each.kind == MaskerProvider.kind and each.name not in chosen:
            named[each.name] = _hash(repr(words).encode())
        else:
            common.append(words)
    return WorkName(common=_hash(repr(common).encode()), named=named)


def _controls(plan: Plan, frame: int, tracks: Sequence[int], work: WorkName) -> bytes:
    parts = []
    for track in tracks:
        options = plan.at(frame, track)
        names = [name.removesuffix(".swap") for name in parse_mask(options.mask).names]
        parts.append(repr(options).encode())
        parts += [work.named[name] for name in names if name in work.named]
    return _hash(*parts)


def _worked(anew: set[int], steps: Sequence[Step]) -> frozenset[int]:
    """The frames to work on for some to be rendered anew, in whole batches of every step."""
    before, after = (sum(step.stage.window[side] for step in steps) for side in (0, 1))
    grid = math.lcm(*(step.stage.batch_size for step in steps))
    batches = {n // grid for f in anew for n in range(max(f - before, 0), f + after + 1)}
    return frozenset(n for batch in batches for n in range(batch * grid, (batch + 1) * grid))


class SpareStep(StageBase):
    """Takes the faces from the frames that need no work."""

    batch_size = 8

    def __init__(self, choice: Choice) -> None:
        self._worked = choice.worked

    def __call__(self, batch: Sequence[Packet], /) -> list[Packet]:
        """One packet per packet."""
        return [
            each if each.frame.index in self._worked else replace(each, faces=()) for each in batch
        ]


class KeptBlend(StageBase):
    """A blend that keeps what it makes, and gives back what it kept."""

    def __init__(
        self,
        blend: Stage[Any, Packet],
        folder: Path,
        choice: Choice,
        unfit: Callable[[int], bool],
    ) -> None:
        """unfit  whether a frame must not be kept, for something was otherwise than it should be"""
        self._blend, self._folder, self._choice, self._unfit = blend, folder, choice, unfit
        self.batch_size, self.window = blend.batch_size, blend.window
        self._kept: _Kept | None = None
        self._full = False

    def open(self) -> None:
        """Open the blend, and the file in the thread that will use it."""
        self._kept = _Kept(self._folder)
        self._blend.open()

    def close(self) -> None:
        """Close both."""
        self._blend.close()
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def __call__(self, batch: Sequence[Packet | Neighbours[Packet]], /) -> list[Packet]:
        """The packets with their finished frames."""
        assert self._kept is not None, "the step is not open"
        plates = [each.item if isinstance(each, Neighbours) else each for each in batch]
        blended = self._blend([self._asked(each) for each in batch])
        fresh, done = [], []
        for plate, packet in zip(plates, blended, strict=True):
            number = plate.frame.index
            if number in self._choice.taken:
                packet = self._kept.restore(self._choice, plate)
            elif number in self._choice.keys and not self._unfit(number):
                fresh.append((plate, packet))
            done.append(packet)
        self._keep(fresh)
        return done

    def _asked(self, each: Packet | Neighbours[Packet]) -> Packet | Neighbours[Packet]:
        packet = each.item if isinstance(each, Neighbours) else each
        if packet.frame.index not in self._choice.taken:
            return each
        bare = replace(packet, swaps=())
        return replace(each, item=bare) if isinstance(each, Neighbours) else bare

    def _keep(self, fresh: Sequence[tuple[Packet, Packet]]) -> None:
        if self._full or not fresh:
            return
        assert self._kept is not None
        try:
            self._kept.put(self._choice, fresh)
        except sqlite3.Error as error:
            self._full = True
            _log.warning("%s: no more frames are kept: %s", self._folder / FILE, error)


class _Kept:
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

    def __enter__(self) -> _Kept:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def keys(self, clip: int) -> dict[int, bytes]:
        """The name under which each frame is kept."""
        rows = self._db.execute("SELECT frame, key FROM frames WHERE clip = ?", (clip,))
        return {frame: key for frame, key in rows}

    def put(self, choice: Choice, fresh: Sequence[tuple[Packet, Packet]]) -> None:
        """Keep frames, each given before and after the blend."""
        rows = []
        for plate, packet in fresh:
            found = _change(plate.frame.image, packet.frame.image)
            if found is None:
                continue
            swapped = "".join("1" if swap is not None else "0" for swap in packet.swaps)
            box, change = found
            number = plate.frame.index
            rows.append((choice.clip, number, choice.keys[number], swapped, *box, change))
        with self._db:
            self._db.executemany(
                "INSERT OR REPLACE INTO frames VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
            )

    def restore(self, choice: Choice, plate: Packet) -> Packet:
        """The finished frame from its plate; faces and swaps only say how many there were."""
        number = plate.frame.index
        row = self._db.execute(
            "SELECT swapped, x0, y0, x1, y1, change FROM frames"
            " WHERE clip = ? AND frame = ? AND key = ?",
            (choice.clip, number, choice.keys[number]),
        ).fetchone()
        try:
            swapped, x0, y0, x1, y1, change = row
            image = _changed(plate.frame.image, (x0, y0, x1, y1), change)
        except (TypeError, ValueError, zlib.error) as error:
            raise InputError(
                f"{self._path}: frame {number} is damaged, or was changed by another run; run "
                "again, with --no-cache if that does not help"
            ) from error
        dot = Swap(image=np.zeros((1, 1, 3), np.float32), matrix=np.eye(2, 3))
        faces = plate.faces or tuple(Face(box=(0, 0, 1, 1)) for _ in swapped)
        swaps = tuple(dot if mark == "1" else None for mark in swapped)
        return replace(plate, frame=replace(plate.frame, image=image), faces=faces, swaps=swaps)

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


def _hash(*parts: bytes) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.digest()
