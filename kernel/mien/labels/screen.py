"""What somebody who draws on a face sees: the face, the shapes, a line of words below."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import Image, as_dtype, as_float
from .editor import HELP, Editor, Spot
from .overlay import GREEN, RED
from .shapes import INCLUDE
from .view import View

LINE = 26
"""Pixels of the line of words."""
_INK, _PAPER = (235, 235, 235), (24, 24, 24)
_BRIGHT = (255, 255, 255)
_FAR = 1 << 14
_DIGITS = 4
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_DARK = 0.3


class Screen:
    """The pictures of one face in the window."""

    def __init__(self, image: Image) -> None:
        """`image` is the crop, (S, S, 3)."""
        self._image = image if image.dtype == np.uint8 else as_dtype(as_float(image), "uint8")
        self._seen: Image | None = None
        self._matrix: bytes = b""

    def draw(self, editor: Editor, words: str) -> Image:
        """The window's picture, (side + LINE, side, 3) uint8.

        words  what is said of the face, before what is said of the drawing
        """
        picture = self._part(editor.view).copy()
        if editor.look == "mask" and editor.drawing.outlines:
            dark = cv2.convertScaleAbs(picture, alpha=_DARK)
            np.copyto(picture, dark, where=~_mask(editor))
        if editor.look != "neither":
            _draw_outlines(picture, editor)
        _draw_line(picture, editor)
        if editor.helps:
            _draw_help(picture)
        return np.concatenate((picture, _line(editor, words)))

    def _part(self, view: View) -> Image:
        """What the window shows of the face; the same one until the view changes."""
        matrix = view.matrix()
        if self._seen is None or matrix.tobytes() != self._matrix:
            self._seen, self._matrix = _seen(self._image, view), matrix.tobytes()
        return self._seen


def _seen(image: Image, view: View) -> Image:
    side = view.side
    if view.zoom == 1 and len(image) > side:
        small: Image = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
        return small
    # Beyond six times, pixels are squares: what is drawn there is drawn around pixels.
    flags = cv2.WARP_INVERSE_MAP | (cv2.INTER_NEAREST if view.scale > 6 else cv2.INTER_LINEAR)
    seen: Image = cv2.warpAffine(
        image, view.matrix(), (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return seen


def _mask(editor: Editor) -> NDArray[np.bool_]:
    """(side, side, 1): what is included and not excluded, of what the window shows."""
    inside = np.zeros((editor.view.side, editor.view.side), np.uint8)
    for each in sorted(editor.drawing.outlines, key=lambda outline: outline.label != INCLUDE):
        places = _fixed(editor.view.to_window(each.points))
        cv2.fillPoly(inside, [places], int(each.label == INCLUDE), cv2.LINE_8, _DIGITS)
    return inside.astype(bool)[..., None]


def _draw_outlines(picture: Image, editor: Editor) -> None:
    held, spot = editor.under(), editor.spot()
    for number, each in enumerate(editor.drawing.outlines):
        colour = GREEN if each.label == INCLUDE else RED
        places = editor.view.to_window(each.points)
        thick = 2 if number == held and not editor.drawing.line else 1
        cv2.polylines(picture, [_fixed(places)], True, colour, thick, cv2.LINE_AA, _DIGITS)
        if number == held and not editor.drawing.line:
            _draw_corners(picture, places, colour, number, spot)


def _draw_line(picture: Image, editor: Editor) -> None:
    """The open line, and the edge that the next click would make."""
    line = editor.drawing.line
    if not line:
        return
    colour, spot = GREEN if editor.kind == INCLUDE else RED, editor.spot()
    places = editor.view.to_window(line)
    cv2.polylines(picture, [_fixed(places)], False, colour, 1, cv2.LINE_AA, _DIGITS)
    if editor.mouse is not None:
        next_ = np.array([places[-1], editor.mouse])
        cv2.polylines(picture, [_fixed(next_)], False, _INK, 1, cv2.LINE_AA, _DIGITS)
    _draw_corners(picture, places, colour, -1, spot)
    if len(line) >= 3:  # a click there closes the shape
        cv2.circle(picture, _whole(places[0]), 7, colour, 1, cv2.LINE_AA)


def _draw_corners(
    picture: Image, places: NDArray[np.float64], colour: Sequence[int], number: int,
    spot: Spot | None,
) -> None:  # fmt: skip
    for corner, place in enumerate(places):
        meant = spot == Spot(number, corner)
        cv2.circle(picture, _whole(place), 5 if meant else 3, _BRIGHT if meant else colour, -1)


def _draw_help(picture: Image) -> None:
    step, left = 22, 14
    height, width = step * len(HELP) + 16, 540
    panel = picture[:height, :width]
    panel[:] = (panel * 0.2).astype(np.uint8)
    for number, (key, meaning) in enumerate(HELP):
        below = step * (number + 1)
        cv2.putText(picture, key, (left, below), _FONT, 0.45, _BRIGHT, 1, cv2.LINE_AA)
        cv2.putText(picture, meaning, (left + 130, below), _FONT, 0.45, _INK, 1, cv2.LINE_AA)


def _line(editor: Editor, words: str) -> Image:
    side = editor.view.side
    below = np.full((LINE, side, 3), _PAPER, np.uint8)
    drawing = editor.drawing
    counts = [each.label for each in drawing.outlines]
    drawn = f"{counts.count(INCLUDE)} in, {len(counts) - counts.count(INCLUDE)} out"
    state = "changed" if drawing.changed or drawing.line else "saved" if counts else "no label"
    zoom = f"  {editor.view.zoom:.1f}x" if editor.view.zoom > 1 else ""
    colour = GREEN if editor.kind == INCLUDE else RED
    right = f"{drawn}  {state}{zoom}  h: help  next: {editor.kind}"
    width = _width(right)
    room = side - width - 24
    cv2.putText(below, _short(words, room), (6, 18), _FONT, 0.45, _INK, 1, cv2.LINE_AA)
    cv2.putText(below, right, (side - width - 6, 18), _FONT, 0.45, colour, 1, cv2.LINE_AA)
    return below


def _width(words: str) -> int:
    """Pixels that a text takes; OpenCV's own answer is a tenth too small for its newer letters."""
    return round(1.1 * cv2.getTextSize(words, _FONT, 0.45, 1)[0][0])


def _short(words: str, room: int) -> str:
    """The words as far as there is room for them."""
    while words and _width(words) > room:
        words = words[:-4].rstrip(".") + "..." if len(words) > 4 else ""
    return words


def _fixed(places: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.rint(np.clip(places, -_FAR, _FAR) * (1 << _DIGITS)).astype(np.int32)


def _whole(place: NDArray[np.float64]) -> tuple[int, int]:
    x, y = np.rint(np.clip(place, -_FAR, _FAR)).astype(int).tolist()
    return x, y
