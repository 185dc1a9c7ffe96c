"""`mien mask label`: draw on faces in a window, one after the other."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ..arrays import Image
from ..errors import ConfigError, InputError, OutputError
from ..faceset import POLYGONS, FaceRecord
from ..labels import Label, label_path, of_face, remove_label, write_label
from ..labels.editor import Drawing, press
from .run import Run

_TITLE = "mien mask label"
_WAIT = 30  # milliseconds between two looks at the keys
_STEPS = {"d": 1, " ": 1, "a": -1}
_LEAVE = ("q", "\x1b")


class Window(Protocol):
    """Shows a picture, and tells what was clicked and typed."""

    def show(self, image: Image) -> None:
        """Show it."""
        ...

    def wait(self) -> tuple[Sequence[tuple[int, int]], str]:
        """The places clicked since, and the key pressed; `q` where the window was closed."""
        ...

    def close(self) -> None:
        """Take it away."""
        ...


class HighGui:
    """A window of OpenCV's."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        """Raises ConfigError where this machine has no display, or OpenCV no windows."""
        # Qt ends the whole program where it finds no display, so it must not be asked.
        if sys.platform == "linux" and not (
            environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")
        ):
            raise ConfigError(
                "there is no display to draw on; draw with LabelMe elsewhere, and take that over "
                "with: mien mask import FACESET FOLDER"
            )
        import cv2

        self._cv2 = cv2
        self._clicks: list[tuple[int, int]] = []
        try:
            cv2.namedWindow(_TITLE, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)
            cv2.setMouseCallback(_TITLE, self._on_mouse)
        except cv2.error as error:
            raise ConfigError(
                "the installed OpenCV has no windows (opencv-python-headless?); "
                "with opencv-python in its place it has"
            ) from error

    def show(self, image: Image) -> None:
        """Show it."""
        self._cv2.imshow(_TITLE, image)

    def wait(self) -> tuple[Sequence[tuple[int, int]], str]:
        """What was clicked and pressed."""
        code = self._cv2.waitKey(_WAIT)
        clicks, self._clicks = self._clicks, []
        if self._cv2.getWindowProperty(_TITLE, self._cv2.WND_PROP_VISIBLE) < 1:
            return clicks, "q"
        return clicks, chr(code & 0xFF) if code >= 0 else ""

    def close(self) -> None:
        """Take it away."""
        self._cv2.destroyAllWindows()

    def _on_mouse(self, event: int, x: int, y: int, flags: int, data: Any) -> None:
        if event == self._cv2.EVENT_LBUTTONDOWN:
            self._clicks.append((x, y))


def draw_labels(
    run: Run, faceset: Path, *, start: str = "", side: int = 896, window: Window | None = None
) -> int:
    """Let somebody draw on the faces of a faceset; how many files were written.

    start  name of the face to begin with; else the first without a label
    Raises ConfigError without a display, OutputError where nothing can be written beside the faces.
    """
    faces = run.context.faceset(faceset)
    paths = faces.paths
    if start:
        named = [n for n, path in enumerate(paths) if start in (path.name, path.stem)]
        if not named:
            raise InputError(f"faceset '{faceset}': holds no face '{start}'")
        index = named[0]
    else:
        index = max(0, _unlabelled(run, paths, faces.store.record, -1))
    if not os.access(paths[index].parent, os.W_OK):
        raise OutputError(f"{paths[index].parent}: labels cannot be written here (read-only)")
    view = window or HighGui()
    written, step = 0, 1
    try:
        while 0 <= index < len(paths) and not run.cancel.is_set():
            path = paths[index]
            try:
                image, record = faces.store.read(path)
                drawing = Drawing(of_face(path, record), record.size, side)
            except InputError as error:
                run.events.note(f"skipped {error}")
                index += step
                continue
            key = _draw(run, view, drawing, image, f"{index + 1}/{len(paths)} {path.name}")
            written += _keep(path, record, drawing)
            if key in _LEAVE:
                break
            if key == "n":
                index, step = _unlabelled(run, paths, faces.store.record, index), 1
            else:
                step = _STEPS[key]
                index = min(max(index + step, 0), len(paths) - 1)
    finally:
        view.close()
    return written


def _draw(run: Run, window: Window, drawing: Drawing, image: Image, words: str) -> str:
    """Until a key leaves the face: that key."""
    window.show(drawing.picture(image, words))
    while not run.cancel.is_set():
        clicks, key = window.wait()
        for x, y in clicks:
            drawing.click(x, y)
        if key and (key in _STEPS or key in _LEAVE or key == "n"):
            return key
        if clicks or (key and press(drawing, key)):
            window.show(drawing.picture(image, words))
    return "q"


def _keep(path: Path, record: FaceRecord, drawing: Drawing) -> bool:
    """Write what was drawn, where that changed."""
    if not drawing.changed:
        return False
    label = drawing.label
    if label is None and POLYGONS not in record.extra:
        return remove_label(path)
    write_label(path, label or Label(size=record.size, shapes=()))
    return True


def _unlabelled(run: Run, paths: Sequence[Path], record: Any, behind: int) -> int:
    """The next face without a drawing; -1 where every one behind has one."""
    for index in range(behind + 1, len(paths)):
        path = paths[index]
        try:
            if not label_path(path).exists() and of_face(path, record(path)) is None:
                return index
        except InputError as error:
            run.events.note(f"skipped {error}")
    return -1
