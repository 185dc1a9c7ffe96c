"""What a training has shown so far, in memory that does not grow with its length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_STRETCHES = 1200
_MARKS = 200
_JUMP = 1.5
"""A learning rate that becomes so many times larger or smaller at once is marked."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """A curve as it is drawn: where each stretch lies, its mean, lowest and highest value."""

    places: NDArray[np.float64]
    means: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


class Curve:
    """One figure over the iterations, kept as stretches that grow longer with the training.

    last  the newest value
    """

    def __init__(self) -> None:
        self.last = float("nan")
        self._length = 1
        self._rows: dict[int, list[float]] = {}  # sum, count, lowest, highest

    def add(self, iteration: int, value: float) -> None:
        """A value; iterations come in order."""
        self.last = value
        row = self._rows.get(place := iteration // self._length)
        if row is None:
            self._rows[place] = [value, 1, value, value]
            if len(self._rows) > _STRETCHES:
                self._merge()
            return
        row[0] += value
        row[1] += 1
        if value < row[2]:
            row[2] = value
        elif value > row[3]:
            row[3] = value

    def line(self) -> Line:
        """The stretches, each at its middle iteration."""
        rows = np.array(list(self._rows.values()), np.float64).reshape(-1, 4)
        places = np.array(list(self._rows), np.float64) * self._length + (self._length - 1) / 2
        return Line(places=places, means=rows[:, 0] / rows[:, 1], low=rows[:, 2], high=rows[:, 3])

    def _merge(self) -> None:
        """Make one stretch of every two."""
        rows, self._rows = self._rows, {}
        self._length *= 2
        for place, row in rows.items():
            old = self._rows.get(place // 2, [0.0, 0.0, row[2], row[3]])
            self._rows[place // 2] = [
                *(old[0] + row[0], old[1] + row[1]),
                *(min(old[2], row[2]), max(old[3], row[3])),
            ]


class Curves:
    """Losses, figures and marks of a training; fed with lines of its history.

    total  of both people's losses;  marks  (iteration, words) of rates that changed and notes
    """

    def __init__(self) -> None:
        self.losses: dict[str, Curve] = {}
        self.figures: dict[str, Curve] = {}
        self.total = Curve()
        self.marks: list[tuple[int, str]] = []
        self.last = 0
        self._rate = 0.0

    def hear(self, line: Mapping[str, Any]) -> None:
        """A line of the history."""
        self.last = iteration = int(line["iteration"])
        for kind, curves in (("losses", self.losses), ("figures", self.figures)):
            for name, value in line.get(kind, {}).items():
                curves.setdefault(name, Curve()).add(iteration, float(value))
        losses = line.get("losses", {})
        people = [value for name, value in losses.items() if name in ("source", "target")]
        if losses:
            self.total.add(iteration, sum(people or losses.values()))
        rate = float(line.get("rate", 0.0))
        if rate and self._rate and not 1 / _JUMP < rate / self._rate < _JUMP:
            self._mark(iteration, f"rate {rate:.3g}")
        self._rate = rate or self._rate
        for text in line.get("notes", ()):
            self._mark(iteration, str(text))

    def _mark(self, iteration: int, text: str) -> None:
        self.marks = [*self.marks[-_MARKS:], (iteration, text)]


def smoothed(values: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """The values through a Gaussian of deviation `width`; at the ends over what there is."""
    reach = min(len(values), int(3 * width) + 1)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(width, 1e-6)) ** 2)
    sums = np.convolve(values, weights)[reach : reach + len(values)]
    made: NDArray[np.float64] = (
        sums / np.convolve(np.ones(len(values)), weights)[reach : reach + len(values)]
    )
    return made
