"""What a source's faces can show of all that a target's faces ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .likeness import near_duplicates
from .table import Table

Floats = NDArray[np.float64]

GOOD, BAD = 1.0, 2.0
"""Steps between a target's face and the nearest source's: up to which it is covered, and from
which nothing near was ever seen."""

UNUSED = 3.0
ALIKE_BITS = 8
_BINS = 12
_ENOUGH = 3
_BLOCK = 64
_REACHES = (0.1, 0.5, np.inf)
"""Steps along one axis within which the nearest is sought first."""
COLUMNS = ("yaw", "pitch", "mouth", "eyes", "light", "shade", "sharpness", "hash", "landmarks")
"""All that coverage, its picture and its report look at."""


@dataclass(frozen=True, slots=True)
class Aspect:
    """One thing in which faces differ.

    column  of the table;  step  a difference that counts;  scale  to the unit that users read
    low, high  words for a target's face below, or above, the nearest source's
    centred    counts from the middle of each set: a difference of all faces is mended by colours
    """

    column: str
    step: float
    scale: float
    unit: str
    low: str
    high: str
    centred: bool = False


_DEGREES = 180 / np.pi
ASPECTS: Mapping[str, Aspect] = {
    "yaw": Aspect("yaw", 15 / _DEGREES, _DEGREES, "deg", "more to the right", "more to the left"),
    "pitch": Aspect("pitch", 10 / _DEGREES, _DEGREES, "deg", "more downwards", "more upwards"),
    "mouth": Aspect("mouth", 0.2, 1.0, "", "mouth more closed", "mouth wider open"),
    "eyes": Aspect("eyes", 0.06, 1.0, "", "eyes more closed", "eyes wider open"),
    "light": Aspect("light", 25.0, 1.0, "of 255", "darker", "brighter", centred=True),
    "shade": Aspect("shade", 0.2, 1.0, "", "lit from the left", "lit from the right"),
}
_SHARPNESS = Aspect("sharpness", 0.7, 1.0, "ln", "less sharp", "sharper")


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """How the two sets are spread along an aspect.

    edges  (B + 1,) in the unit that users read;  source, target  (B,) counts
    lacking  (B,) whether most of the target's faces there have hardly any of the source near
    missing  share of the target's faces that have hardly any of the source within a step, 0..1
    """

    name: str
    aspect: Aspect
    edges: Floats
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    lacking: NDArray[np.bool_]
    missing: float


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """The answer, by rows of the two tables.

    away     (T,) steps from each of the target's faces to the nearest source's
    nearest  (T,) which one that is;  reasons  (T,) in what they differ most
    repeats  (S,) the source's face that looks the same and is kept, else -1
    unused   (S,) whether no face of the target is near
    """

    lines: tuple[Line, ...]
    away: Floats
    nearest: NDArray[np.int64]
    reasons: tuple[str, ...]
    repeats: NDArray[np.int64]
    unused: NDArray[np.bool_]

    @property
    def covered(self) -> float:
        """Share of the target's faces that are covered well."""
        return float((self.away <= GOOD).mean())

    @property
    def uncovered(self) -> float:
        """Share of the target's faces that nothing in the source is near to."""
        return float((self.away > BAD).mean())

    def worst(self) -> NDArray[np.int64]:
        """The target's faces that will look bad, the worst first."""
        order = np.argsort(-self.away, kind="stable")
        return order[self.away[order] > BAD]


def compare(source: Table, target: Table) -> Coverage:
    """How well a source covers a target; both need every column."""
    ours, theirs = _places(source, target)
    nearest, away = _nearest(theirs, ours)
    _, from_target = _nearest(ours, theirs)
    repeats = near_duplicates(source["hash"], source["sharpness"], ALIKE_BITS)
    lines = tuple(
        _line(name, aspect, source, target)
        for name, aspect in {**ASPECTS, "sharpness": _SHARPNESS}.items()
    )
    return Coverage(
        lines=lines,
        away=away,
        nearest=nearest,
        reasons=tuple(_reason(each) for each in theirs - ours[nearest]),
        repeats=repeats,
        unused=from_target > UNUSED,
    )


def _places(source: Table, target: Table) -> tuple[Floats, Floats]:
    """Both sets in steps; what is unknown of a face counts as the middle of its set."""
    columns: tuple[list[Floats], list[Floats]] = ([], [])
    for aspect in ASPECTS.values():
        for column, table in zip(columns, (source, target), strict=True):
            values = _column(table, aspect)
            column.append(np.where(np.isfinite(values), values, _middle(values)) / aspect.step)
    return np.stack(columns[0], axis=1), np.stack(columns[1], axis=1)


def _column(table: Table, aspect: Aspect) -> Floats:
    values = np.asarray(table[aspect.column], np.float64)
    if aspect is _SHARPNESS:
        return np.log(np.maximum(values, 1e-6))
    return values - _middle(values) if aspect.centred else values


def _middle(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else 0.0


def _nearest(rows: Floats, among: Floats) -> tuple[NDArray[np.int64], Floats]:
    """For each row the nearest of the others, and how far it is.

    Both are walked along the axis on which they are spread most: who is further away along it than
    the nearest found so far need not be looked at.
    """
    axis = int(np.argmax(among.std(axis=0)))
    order = np.argsort(among[:, axis], kind="stable")
    among = among[order]
    squares = np.square(among).sum(axis=1)
    places = np.zeros(len(rows), np.int64)
    away = np.full(len(rows), np.inf)
    sorted_rows = np.argsort(rows[:, axis], kind="stable")
    for start in range(0, len(rows), _BLOCK):
        part = sorted_rows[start : start + _BLOCK]
        for reach in _REACHES:
            along = rows[part, axis]
            first, behind = np.searchsorted(
                among[:, axis], (along.min() - reach, along.max() + reach), side="left"
            )
            if first < behind:
                block = slice(first, behind)
                nearest = first + np.argmin(
                    squares[block] - 2 * rows[part] @ among[block].T, axis=1
                )
                places[part] = order[nearest]
                away[part] = np.linalg.norm(rows[part] - among[nearest], axis=1)
            part = part[away[part] > reach]
            if not len(part):
                break
    return places, away


def _reason(difference: Floats) -> str:
    place = int(np.argmax(np.abs(difference)))
    aspect = list(ASPECTS.values())[place]
    return aspect.high if difference[place] > 0 else aspect.low


def _line(name: str, aspect: Aspect, source: Table, target: Table) -> Line:
    ours, theirs = (_column(table, aspect) for table in (source, target))
    ours, theirs = np.sort(ours[np.isfinite(ours)]), theirs[np.isfinite(theirs)]
    first = np.searchsorted(ours, theirs - aspect.step)
    behind = np.searchsorted(ours, theirs + aspect.step, side="right")
    alone = behind - first < _ENOUGH
    both = np.concatenate((ours, theirs))
    low, high = (float(both.min()), float(both.max())) if both.size else (0.0, 1.0)
    edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)
    counts, wanted, lonely = (
        np.histogram(each, edges)[0] for each in (ours, theirs, theirs[alone])
    )
    return Line(
        name=name,
        aspect=aspect,
        edges=edges * aspect.scale,
        source=counts,
        target=wanted,
        lacking=2 * lonely > wanted,
        missing=float(alone.mean()) if alone.size else 0.0,
    )
