"""Where a training stands beyond its weights: kept with every generation, under `standing`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

_KEY = "standing"


@dataclass(slots=True, kw_only=True)
class Standing:
    """What must be known when a training goes on.

    stage    number of the plan's stage;  begun, seconds  the iteration at which it began, and how
             long it lasts by now
    factor   of the learning rate, lowered by recoveries, or found by trying
    batch    faces of each person that fit into memory, 0 where nobody had to ask
    general  whether it learns faces in general
    faces    what tells the facesets of source and target from others
    """

    stage: int = 0
    begun: int = 0
    seconds: float = 0.0
    factor: float = 1.0
    batch: int = 0
    general: bool = False
    faces: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> Standing:
        """From a generation's facts; what a later version knows besides is left out."""
        values = facts.get(_KEY, {})
        return cls(**{name: values[name] for name in cls.__dataclass_fields__ if name in values})

    def go_back(self, facts: Mapping[str, Any]) -> None:
        """Of the time within the stage, count what a generation's facts know; they may be none."""
        before = Standing.read(facts)
        self.seconds = before.seconds if facts and before.stage == self.stage else 0.0

    def facts(self) -> dict[str, Any]:
        """As facts of a generation."""
        return {_KEY: asdict(self)}
