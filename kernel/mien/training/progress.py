"""What a training tells while it works, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

End = Literal["iterations", "minutes", "cancelled", "stage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainProgress:
    """What the loop tells while it works.

    event  "step" after every iteration; "note" with a sentence in `text`; "saved" and "preview"
           with the file or folder in `path`
    iteration, goal  how far it is, and how far it shall go (0: no end);  seconds  of this run
    losses, ms  of the last iteration;  faces  that it learned from
    """

    event: Literal["step", "note", "saved", "preview"]
    iteration: int
    goal: int
    seconds: float
    losses: Mapping[str, float]
    ms: float = 0.0
    faces: int = 0
    path: Path | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainReport:
    """How a training ended.

    iteration  of the model;  steps, seconds  of this run;  losses  means of the last iterations
    generation  the saved state, None where nothing was learned
    session  figures of this run, as `sessions.jsonl` has them
    """

    ended: End
    iteration: int
    steps: int
    seconds: float
    losses: Mapping[str, float]
    generation: Path | None
    notes: tuple[str, ...] = ()
    session: Mapping[str, Any] = field(default_factory=dict)


Progress = Callable[[TrainProgress], None]
