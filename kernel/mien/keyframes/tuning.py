"""A plugin's stage whose options change over the clip."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import ConfigError
from ..stages import Neighbours, Provider, TunableStage
from .controls import with_values
from .plan import Plan

_OPEN = 32
"""So many stages with options of their own are kept open; a number that glides wants a new one in
every frame."""


class TunedStage:
    """Answers every question under the options of its own face.

    A stage that can be tuned gets whole batches, with the options of each item.  Of any other, one
    is made for every set of options; each gets its questions in the order in which they came.
    Whatever a caller asks besides (`spec`, `window`, `shows`), the stage itself answers.
    """

    only_seen = False  # under other options it may look elsewhere

    def __init__(
        self,
        stage: Any,
        provider: Provider,
        options: Any,
        plan: Plan,
        make: Callable[[Any], Any],
    ) -> None:
        """options  the stage's own;  make  a stage like it from other options

        Raises ConfigError where a keyframe would change what the pipeline is built upon.
        """
        self._stage, self._options, self._plan, self._make = stage, options, plan, make
        self._table = f"{provider.kind}.{provider.name}"
        self._tunable = stage if isinstance(stage, TunableStage) else None
        self._others: OrderedDict[Any, Any] = OrderedDict()
        if self._tunable is None:
            self._check()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stage, name)

    def open(self) -> None:
        """Open the stage."""
        self._stage.open()

    def close(self) -> None:
        """Close it, and all that were made besides."""
        self._stage.close()
        while self._others:
            self._others.popitem()[1].close()

    def __call__(self, batch: Sequence[Any], /) -> list[Any]:
        """One result per item, in order."""
        wanted = [self._of(each) for each in batch]
        if all(options == self._options for options in wanted):
            return list(self._stage(batch))
        if self._tunable is not None:
            return list(self._tunable.tuned(batch, wanted))
        made: list[Any] = [None] * len(batch)
        for options in dict.fromkeys(wanted):
            places = [n for n, each in enumerate(wanted) if each == options]
            answers = self._with(options)([batch[n] for n in places])
            for place, answer in zip(places, answers, strict=True):
                made[place] = answer
        return made

    def _of(self, question: Any) -> Any:
        asked = question.item if isinstance(question, Neighbours) else question
        track = asked.track if hasattr(asked, "track") else asked.face.track
        return self._plan.options(self._table, self._options, asked.frame_index, track)

    def _with(self, options: Any) -> Any:
        if options == self._options:
            return self._stage
        if options not in self._others:
            stage = self._make(options)
            stage.open()
            self._others[options] = stage
            if len(self._others) > _OPEN:
                self._others.popitem(last=False)[1].close()
        self._others.move_to_end(options)
        return self._others[options]

    def _check(self) -> None:
        problems = []
        for entry in self._plan.timeline:
            table, _, name = entry.option.rpartition(".")
            if table != self._table:
                continue
            other = self._make(with_values(self._options, {name: entry.value}))
            if _frame_of(other) != _frame_of(self._stage):
                problems.append(
                    f"{entry.option}: changes how many frames are looked at, or what is shown, so "
                    "it is the same for the whole clip; take it out of the keyframes and set it in "
                    f"the table [{table}]"
                )
        if problems:
            raise ConfigError(list(dict.fromkeys(problems)))


def _frame_of(stage: Any) -> tuple[Any, ...]:
    """What the pipeline is built upon."""
    return tuple(getattr(stage, name, None) for name in ("window", "shows", "spec"))
