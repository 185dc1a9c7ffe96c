"""What a training shows of itself: sheets, curves, figures, sessions; the loop tells what happens.

    watcher.begin(iteration, begun)                once the model stands where it goes on
    watcher.after_step(iteration, losses, ms, ...) after every step
    watcher.before_save(); watcher.after_save(iteration)
    watcher.rewind(iteration)                      after the model was put back
    watcher.plateau(window)                        whether learning on is worth it
    watcher.close(ended)                           at the end, whatever it is

A file that cannot be written is said and does no harm: saving the model, which needs more room,
decides whether the training can go on.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import OutputError
from ..memory import is_out_of_memory
from ..options_show import REQUEST, ShowOptions
from .chosen import spread, spread_inside
from .curves import Curve, Curves
from .graph import draw_curves
from .heldout import MEASURED, Column, Examiner, reconstruction, to_tensor, together
from .history import History
from .preview import write_png
from .scene import Person, Scene
from .sessions import Sessions
from .sheets import TIMELAPSE_FACES, Sheets, check_timelapse
from .tensorboard import EventFile, is_installed
from .verdict import describe, stalled_since

_LOOK_SECONDS = 1.0
_PICTURE = 960  # pixels: TensorBoard keeps all pictures of a run in memory
_RECENT = 0.98
_RATE_MOVED = 1e-3
_VERDICT_POINTS = 10

Tell = Callable[[Literal["note", "preview"], str, "Path | None"], None]


class Onlooker:
    """What the loop tells, told to nobody: the part of processes that only help to learn."""

    def begin(self, iteration: int, begun: int) -> None:
        """The model stands at `iteration`, and goes on with the stage that began after `begun`."""

    def note(self, text: str) -> None:
        """A sentence was said."""

    def after_step(
        self, iteration: int, losses: Mapping[str, float], ms: float, *, rate: float, faces: int
    ) -> None:
        """A step was made: the losses, how long it took, the learning rate, the faces of both
        people that were learned from."""

    def before_save(self) -> None:
        """The model is about to be saved."""

    def after_save(self, iteration: int) -> None:
        """The model was saved."""

    def rewind(self, iteration: int) -> None:
        """The model was put back to `iteration`."""

    def plateau(self, window: int) -> bool:
        """Whether the last `window` iterations brought nothing."""
        return False

    def close(self, ended: str) -> dict[str, Any]:
        """It is over, and why; returns what is known of this session."""
        return {}


class Watcher(Onlooker):
    """Shows one training."""

    def __init__(self, scene: Scene, options: ShowOptions, tell: Tell) -> None:
        """Raises ConfigError where options contradict each other, InputError where the timelapse's
        faces cannot be read."""
        self._scene, self._options, self._tell = scene, options, tell
        folders = check_timelapse(options)
        self._timelapse = scene.elsewhere(*folders) if folders is not None else None
        self._sheets = Sheets(scene.folder, options)
        self._recent, self._weight = dict[str, float](), 0.0
        self._gathered: list[Mapping[str, float]] = []
        self._rate = self._rate_told = 0.0
        self._shown = self._watched = -1
        self._verdict = ""
        self._looked = time.monotonic()
        self._is_open = False

    @property
    def losses(self) -> dict[str, float]:
        """Means of the last fifty or so iterations."""
        return dict(self._recent)

    def begin(self, iteration: int, begun: int) -> None:
        """Open everything after `iteration`, the one that training goes on from.

        begun  the iteration after which its stage began
        """
        scene = self._scene
        self._begun, self._last = begun, iteration
        self._curves = Curves()
        path = scene.folder / "history.jsonl"
        self._history = History(path, iteration, self._curves.hear)
        self._sessions = Sessions(scene.folder / "sessions.jsonl", iteration, scene.settings)
        self._events: EventFile | None = None
        wanted = self._options.tensorboard
        if wanted == "on" or (wanted == "auto" and is_installed()):
            with self._harmless():
                self._events = EventFile(scene.folder / "tensorboard", iteration)
        source, target = self._held_out_rows()
        self._examiner = Examiner(
            scene.probes,
            scene.spec,
            [scene.source.faces.landmarks[row].numpy() for row in source],
            [scene.target.faces.landmarks[row].numpy() for row in target],
            self._say,
        )
        self._is_open = True
        if self._measures:
            self._examiner.open()

    def note(self, text: str) -> None:
        """Keep a sentence as a mark of the next iteration."""
        self._history.note(text)
        if self._events is not None:
            self._events.sentence("notes", text, self._last)

    def after_step(
        self, iteration: int, losses: Mapping[str, float], ms: float, *, rate: float, faces: int
    ) -> None:
        """Hear of a step, and show what is due.

        ms  the step took;  rate  of learning;  faces  of both people that were learned from
        """
        self._last = iteration
        self._count(losses, rate)
        told = None
        if abs(rate - self._rate_told) > _RATE_MOVED * self._rate_told:
            told = self._rate_told = rate
        self._curves.hear(self._history.add(iteration, losses, ms, told))
        self._sessions.step(faces, ms / 1000)
        self._chart(iteration, losses, ms, faces)
        if self._measures and iteration % self._options.held_out_every == 0:
            with self._harmless():
                self._measure(iteration)
        every = self._options.preview_every
        first = iteration == 1 and every > 0
        if first or (every > 0 and iteration % every == 0) or self._is_asked():
            self.show(iteration)
        if self._options.timelapse_every and iteration % self._options.timelapse_every == 0:
            self._show_timelapse(iteration)

    def before_save(self) -> None:
        """Write the history, so that it is never behind the weights; OutputError where it fails."""
        self._history.flush()

    def after_save(self, iteration: int) -> None:
        """Show what belongs to a save."""
        if self._options.preview_every:
            self.show(iteration)
        if not self._options.timelapse_every:
            self._show_timelapse(iteration)
        with self._harmless():
            self._sessions.write("running", iteration, self._facts())

    def show(self, iteration: int) -> None:
        """Write the sheet and the curves of this iteration, unless they are there."""
        if self._shown == iteration:
            return
        self._shown = iteration
        source, target = (
            self._rows(person, iteration) for person in (self._scene.source, self._scene.target)
        )
        with self._harmless():
            view = self._scene.viewer.look(source, target)
            sheet = self._sheets.write(view, iteration, self._head(iteration))
            place = self._scene.folder / "preview"
            write_png(place / "loss.png", draw_curves(self._curves, self._scene.name))
            if self._events is not None:
                self._events.picture("preview", *_small(sheet), iteration)
                self._events.flush()
            self._tell("preview", "", place / "latest.png")

    def rewind(self, iteration: int) -> None:
        """The model was put back to `iteration`: what came after is forgotten."""
        self._curves = Curves()
        self._history = History(self._scene.folder / "history.jsonl", iteration, self._curves.hear)
        self._begun, self._shown = min(self._begun, iteration), -1
        self._recent, self._weight = {}, 0.0
        if self._events is not None:
            self._events.rewind(iteration)

    def plateau(self, window: int) -> bool:
        """Whether the last `window` iterations brought nothing.

        Judged by the held-out faces; where none are measured, by the losses.  What was learned
        before this stage does not count.
        """
        curve, _ = self._judged()
        return stalled_since(curve.line(), self._begun, window) is not None

    def verdict(self) -> str:
        """One line: does it get better, or since when not."""
        curve, what = self._judged()
        window = max(
            _VERDICT_POINTS * self._options.held_out_every, (self._last - self._begun) // 5, 1
        )
        return describe(curve.line(), self._begun, window, what)

    def close(self, ended: str) -> dict[str, Any]:
        """Finish; returns this session's line of the statistics.  ended  why it is over"""
        line = dict[str, Any]()
        if not self._is_open:
            return line
        self._examiner.close()
        with self._harmless():
            self._history.flush()
            line = self._sessions.write(ended, self._last, self._facts())
            if self._events is not None:
                self._events.flush()
        return line

    # --- figures --------------------------------------------------------------------------------

    @property
    def _measures(self) -> bool:
        people = (self._scene.source, self._scene.target)
        return self._options.held_out_every > 0 and all(p.chosen.held_out for p in people)

    def _held_out_rows(self) -> tuple[list[int], list[int]]:
        """As many of both people, so that each swap is looked at once."""
        source, target = (
            list(person.chosen.held_out) for person in (self._scene.source, self._scene.target)
        )
        count = min(len(source), len(target), MEASURED)
        return _thinned(source, count), _thinned(target, count)

    def _measure(self, iteration: int) -> None:
        source, target = self._held_out_rows()
        view = self._scene.viewer.look(source, target)
        figures = dict[str, float]()
        sides = (
            ("source", view.source, view.source_mask),
            ("target", view.target, view.target_mask),
        )
        for side, wanted, mask in sides:
            made = view.columns.get(f"{side} again")
            if made is not None:
                column = Column(made=to_tensor(made), wanted=wanted, mask=mask)
                figures |= reconstruction(side, column)
        if figures:
            figures["error"] = together(figures)
        figures |= self._examiner.figures(
            view.columns.get("source", []), view.columns.get("target", []), view.swaps
        )
        figures = {name: value for name, value in figures.items() if np.isfinite(value)}
        self._history.measured(figures)
        self._curves.hear({"iteration": iteration, "figures": figures})
        if self._events is not None:
            held_out = {f"held out/{name}": value for name, value in figures.items()}
            self._events.scalars(held_out, iteration)
        self._say_verdict()

    def _say_verdict(self) -> None:
        """Say once that it has reached a plateau, and once that it left it."""
        words = self.verdict().partition(":")[0]
        kind = words.partition(" ")[0]
        if kind != self._verdict and "plateau" in (kind, self._verdict):
            self._say(self.verdict())
        self._verdict = kind

    def _judged(self) -> tuple[Curve, str]:
        error = self._curves.figures.get("error")
        return (error, "held-out error") if error is not None else (self._curves.total, "loss")

    def _facts(self) -> dict[str, Any]:
        figures = {name: round(c.last, 6) for name, c in self._curves.figures.items()}
        losses = {name: round(value, 6) for name, value in self.losses.items()}
        return {"losses": losses, "figures": figures, "verdict": self.verdict()}

    # --- sheets ---------------------------------------------------------------------------------

    def _rows(self, person: Person, iteration: int) -> Sequence[int]:
        if self._options.preview_faces == "same":
            return person.chosen.shown
        return self._scene.pick(len(person.faces), self._options.preview_rows, iteration)

    def _show_timelapse(self, iteration: int) -> None:
        if self._timelapse is None or self._watched == iteration:
            return
        self._watched = iteration
        viewer, source, target = self._timelapse
        rows = (spread(count, TIMELAPSE_FACES) for count in (source, target))
        with self._harmless():
            view = viewer.look(*rows)
            self._sheets.write_timelapse(view, iteration, self._head(iteration))

    def _head(self, iteration: int) -> str:
        losses = "  ".join(f"{name} {value:.4f}" for name, value in self.losses.items())
        return f"{self._scene.name}   iteration {iteration}   {losses}   rate {self._rate:.3g}"

    def _is_asked(self) -> bool:
        """Whether somebody has put the request into the folder since the last look."""
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return False
        self._looked = time.monotonic()
        request = self._scene.folder / REQUEST
        if not request.exists():
            return False
        with contextlib.suppress(OSError):
            request.unlink()
        return True

    # --- telling --------------------------------------------------------------------------------

    def _count(self, losses: Mapping[str, float], rate: float) -> None:
        self._rate = rate
        self._weight = self._weight * _RECENT + 1
        means = {name: self._recent.get(name, value) for name, value in losses.items()}
        self._recent = {
            name: mean + (losses[name] - mean) / self._weight for name, mean in means.items()
        }

    def _chart(self, iteration: int, losses: Mapping[str, float], ms: float, faces: int) -> None:
        """TensorBoard's points: means of some iterations."""
        if self._events is None:
            return
        pace = {"speed/ms an iteration": ms, "speed/faces a second": faces / max(ms, 1e-6) * 1000}
        values = {f"loss/{name}": value for name, value in losses.items()}
        self._gathered.append({**values, "learning rate": self._rate, **pace})
        if iteration % self._options.tensorboard_every == 0:
            self._events.scalars(_means(self._gathered), iteration)
            self._gathered.clear()

    def _say(self, text: str) -> None:
        self.note(text)
        self._tell("note", text, None)

    @contextlib.contextmanager
    def _harmless(self) -> Iterator[None]:
        try:
            yield
        except OutputError as error:
            self._tell("note", str(error), None)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            self._tell("note", "memory is full: nothing is shown this time", None)


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([row[name] for row in rows if name in row])) for name in rows[-1]}


def _thinned(rows: Sequence[int], count: int) -> list[int]:
    return [rows[place] for place in spread_inside(len(rows), count)]


def _small(sheet: NDArray[np.uint8]) -> tuple[bytes, tuple[int, int]]:
    """The sheet as JPEG, and its (width, height)."""
    import cv2

    height, width = sheet.shape[:2]
    if width > _PICTURE:
        size = (_PICTURE, round(height * _PICTURE / width))
        sheet = cv2.resize(sheet, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    _, data = cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return bytes(data), (sheet.shape[1], sheet.shape[0])
