"""The way from key to key: hold, linear, smooth."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from .timeline import Ease


class Point(NamedTuple):
    """A value at a frame, and the way that leads from it to the next point."""

    at: int
    value: float
    ease: Ease


def value_at(points: Sequence[Point], frame: int) -> float:
    """The value at a frame: exact at the points, between two never outside of their values.

    points  in rising order, at least one; before the first and after the last their values hold

    The smooth way is a monotone cubic: it passes a point without a stop where the values go on in
    the same direction, and rests where they turn.
    Source: Fritsch & Butland 1984, with the slopes' harmonic mean.
    """
    right = bisect_right(points, frame, key=lambda point: point.at)
    if right == 0:
        return points[0].value
    start = points[right - 1]
    if right == len(points) or start.ease == "hold" or start.at == frame:
        return start.value
    end = points[right]
    if start.value == end.value:
        return start.value
    along = (frame - start.at) / (end.at - start.at)
    if start.ease == "smooth":
        along = _smooth(points, right - 1, along)
    low, high = sorted((start.value, end.value))
    return min(max(start.value + (end.value - start.value) * along, low), high)


def _smooth(points: Sequence[Point], left: int, along: float) -> float:
    """How much of the way from point `left` to the next is done, as a Hermite cubic."""
    secant = _secant(points, left)
    first, last = (_slope(points, left + n) / secant for n in (0, 1))
    square, cube = along**2, along**3
    rise = 3 * square - 2 * cube
    return rise + first * (cube - 2 * square + along) + last * (cube - square)


def _slope(points: Sequence[Point], position: int) -> float:
    """The slope at a point; 0 at the ends, at a turn, and beside a value that holds."""
    before = _secant(points, position - 1)
    after = _secant(points, position)
    return 2 * before * after / (before + after) if before * after > 0 else 0.0


def _secant(points: Sequence[Point], left: int) -> float:
    if not 0 <= left < len(points) - 1 or points[left].ease == "hold":
        return 0.0
    start, end = points[left], points[left + 1]
    return (end.value - start.value) / (end.at - start.at)
