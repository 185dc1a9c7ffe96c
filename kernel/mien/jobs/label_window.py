"""`mien mask label`: draw on faces in a window, one after the other."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from ..arrays import Image, Points
from ..errors import InputError, OutputError
from ..faceset import POLYGONS, FaceRecord, Faceset
from ..labels import Label, label_path, of_face, remove_label, write_label
from ..labels.drawing import Drawing, carried
from ..labels.editor import Editor, Mouse
from ..labels.screen import LINE, Screen
from ..labels.shapes import INCLUDE
from ..labels.view import View
from ..labels.window import TkWindow, Window
from .labels import refuse_pack
from .run import Run

_STEPS = {"d": 1, "a": -1}
_NEXT, _LEAVE, _SAVE = "n", "q", "s"
_AHEAD = 250
"""Faces whose metadata are read in a search for one without a drawing: half a second's worth."""
_BACK = 200
"""Faces before the first one that are looked at for a drawing to copy."""


def draw_labels(
    run: Run, faceset: Path, *, start: str = "", side: int = 896, window: Window | None = None
) -> int:
    """Let somebody draw on the faces of a faceset; how many files were written.

    start  name of the face to begin with; else the first without a label
    Raises ConfigError without a display, OutputError where nothing can be written beside the faces.
    """
    faces = run.context.faceset(faceset)
    refuse_pack(faces)
    index = _begin(run, faces, start)
    if not os.access(faces.paths[index].parent, os.W_OK):
        raise OutputError(
            f"{faces.paths[index].parent}: labels cannot be written here (read-only); copy the "
            "faces elsewhere"
        )
    view = window or TkWindow(side, LINE)
    try:
        return _Evening(run, faces, view).work(index)
    finally:
        view.close()


def _begin(run: Run, faces: Faceset, start: str) -> int:
    if not start:
        return _unlabelled(run, faces, 0)[0]
    for index, path in enumerate(faces.paths):
        if start in (path.name, path.stem):
            return index
    raise InputError(f"faceset '{faces.folder}': holds no face '{start}'")


@dataclass(frozen=True, slots=True, eq=False)
class _Face:
    """A face that can be read, and what is drawn on it."""

    path: Path
    image: Image
    record: FaceRecord
    label: Label | None


class _Evening:
    """Somebody's work on many faces: what is carried from one to the next."""

    def __init__(self, run: Run, faces: Faceset, window: Window) -> None:
        self._run, self._faces, self._window = run, faces, window
        self._editor: Editor | None = None
        self._last: tuple[Label, Points] | None = None
        self._written: set[Path] = set()
        self._skipped: set[int] = set()

    def work(self, index: int) -> int:
        """From face to face until somebody leaves; how many files were written."""
        here = self._readable(index, 1) or self._readable(index, -1)
        while here is not None and not self._run.cancel.is_set():
            index, face = here
            key = self._draw(index, face)
            if key == _LEAVE:
                break
            if key == _NEXT:
                behind = (index + 1) % len(self._faces.paths)
                index, all_labelled = _unlabelled(self._run, self._faces, behind)
                if all_labelled:
                    self._run.events.note(f"{self._faces.folder}: every face has a label")
                    break
                here = self._readable(index, 1) or self._readable(index, -1)
            else:  # before the first and behind the last one, the same again
                step = _STEPS[key]
                here = self._readable(index + step, step) or self._readable(index, 1)
        return len(self._written)

    def _readable(self, index: int, step: int) -> tuple[int, _Face] | None:
        """The first face from there on that can be read, in steps of 1 or -1."""
        paths = self._faces.paths
        while 0 <= index < len(paths):
            try:
                image, record = self._faces.store.read(paths[index])
                return index, _Face(paths[index], image, record, of_face(paths[index], record))
            except InputError as error:
                if index not in self._skipped:
                    self._run.events.note(f"skipped {error}")
                    self._skipped.add(index)
            index += step
        return None

    def _draw(self, index: int, face: _Face) -> str:
        """Until a key leaves the face: that key."""
        if self._editor is None:
            self._last = self._labelled_before(index)
        editor = self._open(face)
        words = f"{index + 1}/{len(self._faces.paths)} {face.path.name}"
        screen = Screen(face.image)
        self._window.show(screen.draw(editor, words))
        left = ""
        while not left and not self._run.cancel.is_set():
            events = self._window.wait()
            for event in events:
                if isinstance(event, Mouse):
                    editor.feel(event)
                elif event in _STEPS or event in (_NEXT, _LEAVE):
                    left = event
                    break
                elif event == _SAVE:
                    self._keep(face, editor)
                else:
                    editor.press(event)
            if events and not left:
                self._window.show(screen.draw(editor, words))
        editor.finish()
        self._keep(face, editor)
        made = editor.drawing.label
        if made is not None:
            self._last = made, face.record.landmarks
        return left or _LEAVE

    def _open(self, face: _Face) -> Editor:
        """An editor for a face, with the habits of the one before."""
        record = face.record
        copied = None
        if self._last is not None:
            copied = carried(*self._last, record.size, record.landmarks)
        view = View(record.size, self._window.side)
        editor = Editor(Drawing(face.label, record.size), view, copied=copied)
        before, self._editor = self._editor, editor
        if before is not None:
            editor.look, editor.helps, editor.mouse = before.look, before.helps, before.mouse
            # A face without any shape begins with one that includes.
            editor.kind = before.kind if face.label is not None else INCLUDE
        return editor

    def _keep(self, face: _Face, editor: Editor) -> None:
        """Write what was drawn, where that changed."""
        drawing = editor.drawing
        if not drawing.changed:
            return
        if drawing.label is None and POLYGONS not in face.record.extra:
            remove_label(face.path)
        else:
            write_label(face.path, drawing.label or Label(size=face.record.size, shapes=()))
        drawing.saved()
        self._written.add(face.path)

    def _labelled_before(self, index: int) -> tuple[Label, Points] | None:
        """The drawing on the nearest face before this one, for the key that copies."""
        for path in reversed(self._faces.paths[max(0, index - _BACK) : index]):
            try:
                record = self._faces.store.record(path)
                label = of_face(path, record)
            except InputError:
                continue
            if label is not None:
                return label, record.landmarks
        return None


def _unlabelled(run: Run, faces: Faceset, first: int) -> tuple[int, bool]:
    """The first face without a drawing, from `first` on and then from the beginning; whether all
    have one.

    In a large set whose drawings lie in the metadata that may take minutes to say.  So the search
    rests at a face that has a drawing, and is taken up there by the next.
    """
    paths, looked = faces.paths, 0
    for index in chain(range(first, len(paths)), range(first)):
        if label_path(paths[index]).exists():
            continue
        if looked == _AHEAD:
            run.events.note(f"{looked} faces before {paths[index].name} are labelled; n looks on")
            return index, False
        looked += 1
        try:
            if of_face(paths[index], faces.store.record(paths[index])) is None:
                return index, False
        except InputError as error:
            run.events.note(f"skipped {error}")
    return first, True
