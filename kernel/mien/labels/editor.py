"""Drawing on a face: what clicks and keys do to its shapes, and how that looks."""

from __future__ import annotations

import numpy as np

from ..arrays import Image
from .overlay import GREEN, RED, draw_label
from .shapes import EXCLUDE, INCLUDE, Label, Shape, rasterise

_NEAR = 10  # pixels of the window within which a click means the first point
_INK, _PAPER = (235, 235, 235), (24, 24, 24)
_LINE = 26  # pixels of the line of words below the face


class Drawing:
    """The shapes of one face while they are drawn; `kind` is that of the next shape."""

    def __init__(self, label: Label | None, size: int, side: int) -> None:
        """`size` of the crop, `side` of the face in the window; pixels."""
        self._size, self._side = size, side
        self._shapes = list(label.resized(size).shapes) if label else []
        self._points: list[tuple[float, float]] = []
        self.kind = INCLUDE
        self.shows_mask = False
        self.changed = False

    @property
    def label(self) -> Label | None:
        """What is drawn; None where no shape is.  An open shape does not count."""
        return Label(size=self._size, shapes=tuple(self._shapes)) if self._shapes else None

    def click(self, x: int, y: int) -> None:
        """A point at this place of the window, or the end of the shape at its first point."""
        if len(self._points) >= 3:
            first = np.subtract(self._in_window(self._points[:1])[0], (x, y))
            if float(np.hypot(*first)) <= _NEAR:
                self.close()
                return
        ratio = self._size / self._side
        self._points.append(((x + 0.5) * ratio, (y + 0.5) * ratio))

    def close(self) -> None:
        """Make a shape of the points, where there are three."""
        if len(self._points) >= 3:
            self._shapes.append(Shape(self.kind, np.array(self._points, np.float64)))
            self.changed = True
        self._points = []

    def undo(self) -> None:
        """Take back the last point; without an open shape, the last shape."""
        if self._points:
            self._points.pop()
        elif self._shapes:
            self._shapes.pop()
            self.changed = True

    def clear(self) -> None:
        """Take back all shapes."""
        self.changed = self.changed or bool(self._shapes)
        self._shapes, self._points = [], []

    def picture(self, image: Image, words: str) -> Image:
        """The face with what is drawn, (side + a line of words, side, 3) uint8."""
        import cv2

        side, label = self._side, self.label
        how = cv2.INTER_AREA if len(image) > side else cv2.INTER_LINEAR
        large = cv2.resize(image, (side, side), interpolation=how)
        mask = rasterise(label, side) if label and self.shows_mask else None
        drawn = draw_label(large, label, mask)
        colour = GREEN if self.kind == INCLUDE else RED
        places = np.rint(self._in_window(self._points)).astype(np.int32)
        if len(places):
            cv2.polylines(drawn, [places], False, colour, 1, cv2.LINE_AA)
        for x, y in places.tolist():
            cv2.circle(drawn, (x, y), 3, colour, -1, cv2.LINE_AA)
        below = np.full((_LINE, side, 3), _PAPER, np.uint8)
        text = f"{words}  next: {self.kind}"
        cv2.putText(below, text, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)
        return np.concatenate((drawn, below))

    def _in_window(
        self, points: list[tuple[float, float]]
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        ratio = self._side / self._size
        return np.asarray(points, np.float64).reshape(-1, 2) * ratio - 0.5


def press(drawing: Drawing, key: str) -> bool:
    """Do what a key means for a drawing; False where it means something else."""
    if key in "\r\n":
        drawing.close()
    elif key in "ie":
        drawing.kind = INCLUDE if key == "i" else EXCLUDE
    elif key == "u":
        drawing.undo()
    elif key == "x":
        drawing.clear()
    elif key == "m":
        drawing.shows_mask = not drawing.shows_mask
    else:
        return False
    return True
