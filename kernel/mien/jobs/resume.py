"""Where a render that goes on begins, so that every frame comes out as it would have at once."""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..runner import Step
from ..stages import StageBase
from ..types import Packet, replace
from ..workspace.store import DATABASE


class ForgetStep(StageBase):
    """Takes the faces from frames that are rendered already, so that later steps skip them.

    before  the first frame that is worked on;  first  the first that is wanted: those in between
            lack their neighbours, and are not what they would be in a whole render
    """

    batch_size = 8

    def __init__(self) -> None:
        self.before = self.first = 0

    def __call__(self, batch: Sequence[Packet], /) -> list[Packet]:
        """The packets, those before the point without faces."""
        return [
            replace(packet, faces=(), swaps=()) if packet.frame.index < self.before else packet
            for packet in batch
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """How a render goes on with an unfinished one.

    work    name of all that makes the pixels;  forget  the step that spares what is rendered
    stateful  what finds the faces must see the clip from its beginning
    """

    work: str
    forget: ForgetStep
    stateful: bool

    def begin(self, first: int, steps: Sequence[Step]) -> int:
        """The frame at which the clip is read from, for frame `first` to be rendered."""
        self.forget.before, self.forget.first = begin_at(first, steps), first
        return 0 if self.stateful else self.forget.before


def begin_at(first: int, steps: Sequence[Step]) -> int:
    """The frame at which work must begin for `first` to come out as in a render from frame 0.

    Steps look at neighbours, and cut batches from where they begin: a net answers a face in
    another batch by a millionth otherwise, which is now and then another pixel.
    """
    reach = sum(step.stage.window[0] for step in steps)
    grid = math.lcm(*(step.stage.batch_size for step in steps))
    return max(0, (first - reach) // grid * grid)


def name_of_work(tables: Mapping[str, Any], facts: Mapping[str, str], known: str = "") -> str:
    """A hash of all that makes the pixels of a render; paths take no part."""
    settings = {key: value for key, value in tables.items() if isinstance(value, Mapping)}
    words = json.dumps([settings, dict(facts), known], sort_keys=True, default=str)
    return hashlib.sha256(words.encode()).hexdigest()


def hash_of_faces(workspace: Path) -> str:
    """SHA-256 of the faces and masks that a workspace holds."""
    digest = hashlib.sha256()
    with closing(sqlite3.connect(workspace / DATABASE)) as database:
        for table in ("frames", "faces", "masks"):
            for row in database.execute(f"SELECT * FROM {table} ORDER BY 1, 2"):
                digest.update(repr(row).encode())
    return digest.hexdigest()
