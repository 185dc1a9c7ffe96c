"""The shapes of one face while they are drawn, with all that was done to them and can be undone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ..arrays import Points
from .shapes import EXCLUDE, INCLUDE, Label, Shape

Place: TypeAlias = tuple[float, float]
"""(x, y) in pixels of the crop."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A closed shape: its label and its corners."""

    label: str
    points: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class _State:
    outlines: tuple[Outline, ...] = ()
    line: tuple[Place, ...] = ()


class Drawing:
    """Closed outlines, and the line that is being drawn.  Every change can be undone."""

    def __init__(self, label: Label | None, size: int) -> None:
        """`size` of the crop, pixels."""
        self.size = size
        self._now = self._first = _State(outlines=_outlines(label, size))
        self._past: list[_State] = []
        self._future: list[_State] = []

    @property
    def outlines(self) -> tuple[Outline, ...]:
        """What is closed."""
        return self._now.outlines

    @property
    def line(self) -> tuple[Place, ...]:
        """The corners of the shape that is not closed yet."""
        return self._now.line

    @property
    def label(self) -> Label | None:
        """What is drawn; None where nothing is closed."""
        if not self.outlines:
            return None
        made = (Shape(each.label, np.array(each.points, np.float64)) for each in self.outlines)
        return Label(size=self.size, shapes=tuple(made))

    @property
    def changed(self) -> bool:
        """Whether the closed shapes are others than when it was opened or `saved`."""
        return self.outlines != self._first.outlines

    def saved(self) -> None:
        """What is closed now has been written."""
        self._first = self._now

    # the line

    def add(self, place: Place) -> None:
        """Another corner of the line."""
        self._to(_State(self.outlines, (*self.line, place)))

    def close(self, kind: str) -> bool:
        """Make a shape of the line; False where it has fewer than three corners."""
        if len(self.line) < 3:
            return False
        self._to(_State((*self.outlines, Outline(kind, self.line))))
        return True

    def drop_line(self) -> None:
        """Forget the line."""
        if self.line:
            self._to(_State(self.outlines))

    # what is closed

    def insert(self, number: int, behind: int, place: Place) -> None:
        """A new corner of outline `number`, behind its corner `behind`."""
        each = self.outlines[number]
        points = (*each.points[: behind + 1], place, *each.points[behind + 1 :])
        self._replace(number, Outline(each.label, points))

    def hold(self) -> None:
        """Remember how it is: what `move` does until the next change is undone in one go."""
        self._past.append(self._now)
        self._future.clear()

    def move(self, number: int, corner: int, place: Place) -> None:
        """Put a corner elsewhere; outline -1 is the line.  Say `hold` before."""
        points = list(self.line if number < 0 else self.outlines[number].points)
        points[corner] = place
        if number < 0:
            self._now = _State(self.outlines, tuple(points))
            return
        moved = Outline(self.outlines[number].label, tuple(points))
        self._now = _State(_with(self.outlines, number, moved), self.line)

    def remove_corner(self, number: int, corner: int) -> None:
        """Take a corner away; a shape of fewer than three goes as a whole."""
        if number < 0:
            self._to(_State(self.outlines, (*self.line[:corner], *self.line[corner + 1 :])))
            return
        each = self.outlines[number]
        if len(each.points) <= 3:
            self.remove(number)
            return
        points = (*each.points[:corner], *each.points[corner + 1 :])
        self._replace(number, Outline(each.label, points))

    def remove(self, number: int) -> None:
        """Take a shape away."""
        rest = (*self.outlines[:number], *self.outlines[number + 1 :])
        self._to(_State(rest, self.line))

    def turn(self, number: int) -> None:
        """Make what includes exclude, and the other way round."""
        each = self.outlines[number]
        other = EXCLUDE if each.label == INCLUDE else INCLUDE
        self._replace(number, Outline(other, each.points))

    def clear(self) -> None:
        """Take everything away."""
        if self._now != _State():
            self._to(_State())

    def take(self, label: Label) -> None:
        """Another drawing in place of this one."""
        self._to(_State(_outlines(label, self.size)))

    # history

    def undo(self) -> bool:
        """Take back the last change; False where there is none."""
        while self._past and self._past[-1] == self._now:
            self._past.pop()  # a corner that was taken hold of, and stayed where it was
        if not self._past:
            return False
        self._future.append(self._now)
        self._now = self._past.pop()
        return True

    def redo(self) -> bool:
        """Do again what was taken back; False where there is nothing."""
        if not self._future:
            return False
        self._past.append(self._now)
        self._now = self._future.pop()
        return True

    def _replace(self, number: int, outline: Outline) -> None:
        self._to(_State(_with(self.outlines, number, outline), self.line))

    def _to(self, state: _State) -> None:
        self.hold()
        self._now = state


def _with(outlines: tuple[Outline, ...], number: int, outline: Outline) -> tuple[Outline, ...]:
    return (*outlines[:number], outline, *outlines[number + 1 :])


def _outlines(label: Label | None, size: int) -> tuple[Outline, ...]:
    if label is None:
        return ()
    shapes = label.shapes if label.size == size else label.resized(size).shapes
    return tuple(Outline(each.label, tuple(map(tuple, each.points.tolist()))) for each in shapes)


def carried(label: Label, points: Points, size: int, becomes: Points) -> Label:
    """A drawing from one face on another: moved, turned and scaled as their landmarks say.

    points   (68, 2) of the face it was drawn on, in pixels of the crop
    becomes  (68, 2) of the other, in a crop of `size` pixels
    """
    here = points.astype(np.float64) @ (1, 1j)
    there = becomes.astype(np.float64) @ (1, 1j)
    spread = here - here.mean()
    scale = float(np.vdot(spread, spread).real)
    turn = np.vdot(spread, there - there.mean()) / scale if scale > 0 else 1.0
    shapes = []
    for shape in label.shapes:
        moved = (shape.points @ (1, 1j) - here.mean()) * turn + there.mean()
        shapes.append(Shape(shape.label, np.column_stack((moved.real, moved.imag))))
    return Label(size=size, shapes=tuple(shapes))
