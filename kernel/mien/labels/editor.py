"""What a mouse and keys do to the drawing on a face.  It knows no window, and draws nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from .drawing import Drawing, Place
from .shapes import EXCLUDE, INCLUDE, Label
from .view import View

NEAR = 9
"""Pixels of the window within which a corner is meant."""
_NEAR_EDGE = 5
_STEP = 1.25
"""One click of the wheel."""

HELP = (
    ("click", "a corner; on the first one, or Enter: close the shape"),
    ("right click", "take away the last corner, or the one under the mouse"),
    ("drag a corner", "move it; an edge: a new corner there"),
    ("Shift + click", "a corner, whatever lies there"),
    ("i e", "the next shape includes, excludes"),
    ("t", "turn the shape under the mouse into the other"),
    ("Del", "take away the corner or shape under the mouse"),
    ("Esc x", "forget the open shape; take away all"),
    ("u r", "undo, redo"),
    ("c", "copy the drawing of the last face, fitted to this one"),
    ("d a n", "next, previous face; next without a label"),
    ("wheel + -", "larger, smaller; 0 shows the whole face"),
    ("middle drag", "move the view; also Ctrl + drag, arrow keys"),
    ("m", "outlines, mask, neither"),
    ("s q", "save; save and leave"),
    ("h", "show or hide these words"),
)

Look: TypeAlias = Literal["outlines", "mask", "neither"]
_LOOKS: tuple[Look, ...] = ("outlines", "mask", "neither")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mouse:
    """Something that the mouse did, at a place of the window in pixels.

    turn   clicks of the wheel, away from the hand being more
    shift, control  whether these keys were held
    """

    what: Literal["press", "move", "release", "wheel"]
    x: int
    y: int
    button: Literal["left", "middle", "right", ""] = ""
    turn: int = 0
    shift: bool = False
    control: bool = False


@dataclass(frozen=True, slots=True)
class Spot:
    """A corner of an outline; outline -1 is the open line."""

    outline: int
    corner: int


class Editor:
    """Somebody at work on one face."""

    def __init__(
        self, drawing: Drawing, view: View, *, kind: str = INCLUDE, copied: Label | None = None
    ) -> None:
        """`kind` of the next shape; `copied` is what the key for copying brings."""
        self.drawing, self.view, self.kind = drawing, view, kind
        self.look: Look = "outlines"
        self.helps = False
        self.mouse: tuple[int, int] | None = None
        self._copied = copied
        self._dragged: Spot | None = None
        self._panned: tuple[int, int] | None = None

    # the mouse

    def feel(self, mouse: Mouse) -> None:
        """Do what the mouse did."""
        before, self.mouse = self.mouse, (mouse.x, mouse.y)
        if mouse.what == "wheel":
            self.view.zoom_at(mouse.x, mouse.y, _STEP**mouse.turn)
        elif mouse.what == "release":
            self._dragged = self._panned = None
        elif mouse.what == "move":
            self._move(mouse)
        elif mouse.button == "middle" or (mouse.button == "left" and mouse.control):
            self._panned = self.mouse
        elif mouse.button == "right":
            self._take_away()
        elif mouse.button == "left":
            self._press(mouse)
        else:
            self.mouse = before

    def _press(self, mouse: Mouse) -> None:
        place = self.view.to_crop(mouse.x, mouse.y)
        spot = None if mouse.shift else self.spot()
        if self.drawing.line:
            if spot == Spot(-1, 0) and len(self.drawing.line) >= 3:
                self.drawing.close(self.kind)
            elif spot is not None and spot.outline < 0:
                self._drag(spot)
            else:
                self.drawing.add(place)
            return
        if spot is None and not mouse.shift and (edge := self._edge()) is not None:
            self.drawing.insert(edge.outline, edge.corner, place)
            self._dragged = Spot(edge.outline, edge.corner + 1)
        elif spot is not None:
            self._drag(spot)
        else:
            self.drawing.add(place)

    def _drag(self, spot: Spot) -> None:
        self.drawing.hold()
        self._dragged = spot

    def _move(self, mouse: Mouse) -> None:
        if self._panned is not None:
            self.view.pan(mouse.x - self._panned[0], mouse.y - self._panned[1])
            self._panned = (mouse.x, mouse.y)
        elif self._dragged is not None:
            place = self.view.to_crop(mouse.x, mouse.y)
            self.drawing.move(self._dragged.outline, self._dragged.corner, place)

    def _take_away(self) -> None:
        spot = self.spot()
        if spot is not None:
            self.drawing.remove_corner(spot.outline, spot.corner)
        elif self.drawing.line:
            self.drawing.remove_corner(-1, len(self.drawing.line) - 1)

    # what lies under it

    def spot(self) -> Spot | None:
        """The corner under the mouse; while a line is open, one of its own."""
        found = [Spot(-1, n) for n in range(len(self.drawing.line))]
        places = list(self.drawing.line)
        if not places:
            for number, each in enumerate(self.drawing.outlines):
                found += [Spot(number, corner) for corner in range(len(each.points))]
                places += each.points
        if self.mouse is None or not places:
            return None
        far = np.hypot(*(self.view.to_window(places) - self.mouse).T)
        nearest = int(far.argmin())
        return found[nearest] if far[nearest] <= NEAR else None

    def _edge(self) -> Spot | None:
        """The edge under the mouse, by the corner at which it begins."""
        nearest, found = float(_NEAR_EDGE), None
        for number, each in enumerate(self.drawing.outlines):
            start = self.view.to_window(each.points)
            far = _distances(start, np.roll(start, -1, axis=0), self.mouse or (0, 0))
            corner = int(far.argmin())
            if far[corner] <= nearest:
                nearest, found = float(far[corner]), Spot(number, corner)
        return found

    def under(self) -> int | None:
        """The shape under the mouse: the last one drawn that holds the place, or has it as edge."""
        if self.mouse is None:
            return None
        if (spot := self.spot()) is not None and spot.outline >= 0:
            return spot.outline
        if (edge := self._edge()) is not None:
            return edge.outline
        place = self.view.to_crop(*self.mouse)
        holding = [n for n, each in enumerate(self.drawing.outlines) if _holds(each.points, place)]
        return holding[-1] if holding else None

    # keys

    def press(self, key: str) -> bool:
        """Do what a key means for the drawing; False where it means nothing here."""
        done = self._keys().get(key)
        if done is None:
            return False
        done()
        return True

    def _keys(self) -> dict[str, Callable[[], object]]:
        middle = self.view.side // 2
        x, y = self.mouse or (middle, middle)
        step = self.view.side // 8
        return {
            "Enter": lambda: self.drawing.close(self.kind),
            "Escape": self._escape,
            "BackSpace": self._backwards,
            "Delete": self._delete,
            "i": lambda: self._choose(INCLUDE),
            "e": lambda: self._choose(EXCLUDE),
            "t": self._turn,
            "u": self.drawing.undo,
            "r": self.drawing.redo,
            "x": self.drawing.clear,
            "c": self._copy,
            "m": self._next_look,
            "h": self._toggle_help,
            "+": lambda: self.view.zoom_at(x, y, _STEP),
            "-": lambda: self.view.zoom_at(x, y, 1 / _STEP),
            "0": self.view.whole,
            "Left": lambda: self.view.pan(step, 0),
            "Right": lambda: self.view.pan(-step, 0),
            "Up": lambda: self.view.pan(0, step),
            "Down": lambda: self.view.pan(0, -step),
        }

    def finish(self) -> None:
        """Before the face is left: nobody wants to lose a shape that only lacked its end."""
        self.drawing.close(self.kind)

    def _escape(self) -> None:
        if self.helps:
            self.helps = False
        else:
            self.drawing.drop_line()

    def _backwards(self) -> None:
        if self.drawing.line:
            self.drawing.remove_corner(-1, len(self.drawing.line) - 1)

    def _delete(self) -> None:
        spot, number = self.spot(), self.under()
        if spot is not None:
            self.drawing.remove_corner(spot.outline, spot.corner)
        elif number is not None:
            self.drawing.remove(number)

    def _choose(self, kind: str) -> None:
        self.kind = kind

    def _turn(self) -> None:
        number = self.under()
        if number is not None:
            self.drawing.turn(number)

    def _copy(self) -> None:
        if self._copied is not None:
            self.drawing.take(self._copied)

    def _next_look(self) -> None:
        self.look = _LOOKS[(_LOOKS.index(self.look) + 1) % len(_LOOKS)]

    def _toggle_help(self) -> None:
        self.helps = not self.helps


Floats: TypeAlias = "np.ndarray[tuple[int, ...], np.dtype[np.float64]]"


def _distances(start: Floats, end: Floats, place: tuple[float, float]) -> Floats:
    """How far a place is from each edge, (n,)."""
    along, there = end - start, np.asarray(place, np.float64) - start
    length = np.maximum((along**2).sum(1), 1e-9)
    share = np.clip((along * there).sum(1) / length, 0, 1)
    far: Floats = np.hypot(*(there - share[:, None] * along).T)
    return far


def _holds(points: tuple[Place, ...], place: Place) -> bool:
    """Whether a place lies inside of an outline, by the edges to its right."""
    x, y = place
    inside = False
    for (x0, y0), (x1, y1) in zip(points, (*points[1:], points[0]), strict=True):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            inside = not inside
    return inside
