"""A window to draw in, made with Tk, which comes with Python."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Literal, Protocol, TypeAlias

from ..arrays import Image
from ..errors import ConfigError
from .editor import Mouse

Event: TypeAlias = "Mouse | str"
"""What the mouse did, or the name of a key."""

_TITLE = "mien mask label"
_LOOK = 0.01
_PATIENCE = 0.1
_MARGIN = 120
"""Pixels of the screen's height that bars of windows and desktops take."""
_ELSEWHERE = "draw with LabelMe elsewhere, and take that over with: mien mask import FACESET FOLDER"
_SHIFT, _CONTROL = 0x1, 0x4
_KEYS = {
    "Return": "Enter",
    "KP_Enter": "Enter",
    "plus": "+",
    "equal": "+",
    "KP_Add": "+",
    "minus": "-",
    "KP_Subtract": "-",
    "KP_0": "0",
    "KP_Delete": "Delete",
    "space": "d",
}
_NAMED = frozenset({"Escape", "Delete", "BackSpace", "Left", "Right", "Up", "Down"})
_WITH_CONTROL = {"z": "u", "y": "r", "s": "s"}


class Window(Protocol):
    """Shows a picture, and tells what hands did."""

    @property
    def side(self) -> int:
        """Of the face that there is room for, pixels."""
        ...

    def show(self, image: Image) -> None:
        """Show it; (H, W, 3) uint8 BGR."""
        ...

    def wait(self) -> Sequence[Event]:
        """What was done since, in order; `q` where the window was closed.  It may be nothing."""
        ...

    def close(self) -> None:
        """Take it away."""
        ...


class TkWindow:
    """A window of Tk's."""

    def __init__(self, side: int, below: int) -> None:
        """`side` of the face, `below` it for words; smaller where the screen is.

        Raises ConfigError where this machine has no display, or this Python no Tk.
        """
        tk = _tkinter()
        try:
            self._root = tk.Tk()
        except tk.TclError as error:
            raise ConfigError(f"there is no display to draw on; {_ELSEWHERE}") from error
        room = self._root.winfo_screenheight() - below - _MARGIN
        self.side = max(256, min(side, room))
        self._heard: list[Event] = []
        self._root.title(_TITLE)
        self._root.resizable(False, False)
        self._photo = tk.PhotoImage(master=self._root, width=self.side, height=self.side + below)
        canvas = tk.Canvas(
            self._root, width=self.side, height=self.side + below, highlightthickness=0,
            cursor="crosshair",
        )  # fmt: skip
        canvas.create_image(0, 0, image=self._photo, anchor="nw")
        canvas.pack()
        self._root.protocol("WM_DELETE_WINDOW", lambda: self._heard.append("q"))
        self._root.bind("<Key>", self._on_key)
        canvas.bind("<ButtonPress>", self._on_press)
        canvas.bind("<ButtonRelease>", self._on_release)
        canvas.bind("<Motion>", self._on_move)
        canvas.bind("<MouseWheel>", self._on_wheel)
        canvas.focus_set()

    def show(self, image: Image) -> None:
        """Show it."""
        height, width = image.shape[:2]
        self._photo.configure(data=b"P6 %d %d 255\n" % (width, height) + image[..., ::-1].tobytes())

    def wait(self) -> Sequence[Event]:
        """What was done; the last of several moves in a row."""
        end = time.monotonic() + _PATIENCE
        self._root.update()
        while not self._heard and time.monotonic() < end:
            time.sleep(_LOOK)
            self._root.update()
        heard, self._heard = self._heard, []
        return _newest_moves(heard)

    def close(self) -> None:
        """Take it away."""
        self._root.destroy()

    def _on_press(self, event: Any) -> None:
        # Under X, turns of the wheel are buttons.
        if event.num in (4, 5):
            self._hear("wheel", event, turn=1 if event.num == 4 else -1)
        else:
            self._hear("press", event, button=_button(event.num))

    def _on_release(self, event: Any) -> None:
        if event.num not in (4, 5):
            self._hear("release", event, button=_button(event.num))

    def _on_move(self, event: Any) -> None:
        self._hear("move", event)

    def _on_wheel(self, event: Any) -> None:
        self._hear("wheel", event, turn=1 if event.delta > 0 else -1)

    def _hear(
        self,
        what: Literal["press", "move", "release", "wheel"],
        event: Any,
        *,
        button: Literal["left", "middle", "right", ""] = "",
        turn: int = 0,
    ) -> None:
        shift, control = bool(event.state & _SHIFT), bool(event.state & _CONTROL)
        self._heard.append(
            Mouse(
                what=what, x=event.x, y=event.y, button=button, turn=turn, shift=shift,
                control=control,
            )
        )  # fmt: skip

    def _on_key(self, event: Any) -> None:
        name = key_name(event.keysym, event.char, control=bool(event.state & _CONTROL))
        if name:
            self._heard.append(name)


def key_name(keysym: str, char: str, *, control: bool) -> str:
    """What a key is called here; empty for one that means nothing."""
    if control:
        return _WITH_CONTROL.get(keysym.lower(), "")
    if keysym in _KEYS:
        return _KEYS[keysym]
    if keysym in _NAMED:
        return keysym
    return char.lower() if char.isprintable() else ""


def _button(number: int) -> Literal["left", "middle", "right", ""]:
    if number == 1:
        return "left"
    other = number == 2
    if sys.platform == "darwin":
        other = not other  # there the second button is the right one
    return "middle" if other else "right"


def _newest_moves(heard: list[Event]) -> list[Event]:
    """Without moves that another move follows: a hand moves faster than pictures are drawn."""

    def is_move(event: Event) -> bool:
        return isinstance(event, Mouse) and event.what == "move"

    return [
        event
        for number, event in enumerate(heard)
        if not (is_move(event) and any(map(is_move, heard[number + 1 : number + 2])))
    ]


def _tkinter() -> ModuleType:
    try:
        import tkinter
    except ImportError as error:
        raise ConfigError(
            "this Python has no Tk to draw with (on Debian: apt install python3-tk); or "
            f"{_ELSEWHERE}"
        ) from error
    return tkinter
