"""Curves as a picture: losses above, figures of the held-out faces below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .curves import Curve, Curves, Line, smoothed
from .preview import GROUND, INK, write_text

_WIDTH, _HEIGHT = 1200, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 50, 26
_GRID, _FAINT = (58, 58, 58), (150, 150, 150)
_COLOURS = (
    *((80, 175, 255), (230, 160, 70), (110, 210, 120), (200, 120, 220)),
    *((120, 120, 255), (200, 200, 90), (160, 200, 240), (170, 170, 170)),
)
_SHADE = 0.28
_DOTTED = 40  # so few points are drawn as such
_CAPTIONS, _CAPTION = 6, 24
_LOGARITHMIC = 4.0
"""From this ratio of the largest to the smallest value on, the axis is logarithmic."""


def draw_curves(curves: Curves, title: str = "") -> NDArray[np.uint8]:
    """Everything that was heard: one panel of losses, one of figures where there are any.

    A curve is smoothed; around it stands the range of the values themselves.  Vertical lines are
    marks.  # (H, W, 3) uint8
    """
    groups = [("losses", curves.losses)]
    if curves.figures:
        groups.append(("held-out faces", curves.figures))
    panels = []
    for number, (name, group) in enumerate(groups):
        heading = f"{title}: {name}" if title and not number else name
        panels.append(_panel(heading, group, curves.last, curves.marks))
    return np.concatenate(panels)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axes:
    """Where values lie on a panel; `low` and `high` are logarithms where `log` is set."""

    last: int
    low: float
    high: float
    log: bool

    def x(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        return _LEFT + places / max(self.last, 1) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        scaled = np.log10(np.maximum(values, 1e-12)) if self.log else values
        share = np.clip((scaled - self.low) / (self.high - self.low), 0, 1)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _TOP)

    def ticks(self) -> list[float]:
        if not self.log:
            return _round_numbers(self.low, self.high, 5)
        decades = range(int(np.floor(self.low)), int(np.ceil(self.high)) + 1)
        steps = (1, 2, 5) if self.high - self.low < 3 else (1,)
        ticks = [step * 10.0**decade for decade in decades for step in steps]
        return [tick for tick in ticks if self.low <= np.log10(tick) <= self.high]


def _panel(
    title: str, group: Mapping[str, Curve], last: int, marks: Sequence[tuple[int, str]]
) -> NDArray[np.uint8]:
    panel = np.full((_HEIGHT, _WIDTH, 3), GROUND, np.uint8)
    lines = {name: curve.line() for name, curve in group.items()}
    soft = {name: smoothed(line.means, _width(len(line.means))) for name, line in lines.items()}
    axes = _axes(list(soft.values()), last)
    _draw_grid(panel, axes)
    colours = {name: _COLOURS[number % len(_COLOURS)] for number, name in enumerate(lines)}
    for name, line in lines.items():
        _draw_range(panel, axes, line, colours[name])
    for name, line in lines.items():
        _draw_line(panel, axes, line, soft[name], colours[name])
    _draw_marks(panel, axes, marks)
    write_text(panel, title, (8, 17), INK)
    _write_legend(panel, {name: float(values[-1]) for name, values in soft.items()})
    return panel


def _width(count: int) -> float:
    """Smoothing that a curve of so many stretches bears: a few points are shown as they are."""
    return min(12.0, count / 60)


def _axes(values: Sequence[NDArray[np.float64]], last: int) -> _Axes:
    every = np.concatenate(values) if values else np.ones(1)
    every = every[np.isfinite(every)] if np.isfinite(every).any() else np.ones(1)
    low, high = (float(edge) for edge in np.percentile(every, (0.5, 99.5)))
    log = low > 0 and high / low > _LOGARITHMIC
    if log:
        low, high = float(np.log10(low)), float(np.log10(high))
    room = max((high - low) * 0.06, abs(high) * 0.02, 1e-9)
    return _Axes(last=last, low=low - room, high=high + room, log=log)


def _draw_grid(panel: NDArray[np.uint8], axes: _Axes) -> None:
    import cv2

    for tick in axes.ticks():
        y = round(float(axes.y(np.array([tick]))[0]))
        cv2.line(panel, (_LEFT, y), (_WIDTH - _RIGHT, y), _GRID, 1)
        write_text(panel, f"{tick:.4g}", (8, y + 4), _FAINT, 0.38)
    for tick in _round_numbers(0, max(axes.last, 1), 8):
        if tick != int(tick):
            continue
        x = round(float(axes.x(np.array([tick]))[0]))
        cv2.line(panel, (x, _TOP), (x, _HEIGHT - _BOTTOM), _GRID, 1)
        words = f"{tick / 1000:g}k" if tick >= 10_000 else f"{tick:g}"
        write_text(panel, words, (x - 4 * len(words), _HEIGHT - 9), _FAINT, 0.38)


def _draw_marks(panel: NDArray[np.uint8], axes: _Axes, marks: Sequence[tuple[int, str]]) -> None:
    import cv2

    for number, (iteration, text) in enumerate(reversed(marks)):
        x = round(float(axes.x(np.array([iteration]))[0]))
        for y in range(_TOP, _HEIGHT - _BOTTOM, 8):
            cv2.line(panel, (x, y), (x, y + 3), _FAINT, 1)
        if number < _CAPTIONS:
            short = text if len(text) <= _CAPTION else f"{text[: _CAPTION - 2]}.."
            place = min(x + 3, _WIDTH - 7 * len(short))
            write_text(panel, short, (place, _TOP + 12 + 14 * number), _FAINT, 0.38)


def _draw_range(
    panel: NDArray[np.uint8], axes: _Axes, line: Line, colour: tuple[int, int, int]
) -> None:
    """A shade from the lowest to the highest value of every stretch."""
    import cv2

    x = axes.x(line.places)
    low, high = (np.stack((x, axes.y(values)), -1) for values in (line.low, line.high))
    shade = panel.copy()
    cv2.fillPoly(shade, [np.concatenate((low, high[::-1])).round().astype(np.int32)], colour)
    cv2.addWeighted(shade, _SHADE, panel, 1 - _SHADE, 0, dst=panel)


def _draw_line(
    panel: NDArray[np.uint8],
    axes: _Axes,
    line: Line,
    soft: NDArray[np.float64],
    colour: tuple[int, int, int],
) -> None:
    import cv2

    points = np.stack((axes.x(line.places), axes.y(soft)), -1).round().astype(np.int32)
    cv2.polylines(panel, [points], False, colour, 2, cv2.LINE_AA)
    if len(points) < _DOTTED:
        for x, y in points.tolist():
            cv2.circle(panel, (x, y), 3, colour, -1, cv2.LINE_AA)


def _write_legend(panel: NDArray[np.uint8], ends: Mapping[str, float]) -> None:
    x = 8
    for number, (name, value) in enumerate(ends.items()):
        words = f"{name} {value:.4g}"
        write_text(panel, words, (x, 38), _COLOURS[number % len(_COLOURS)])
        x += 9 * len(words) + 12


def _round_numbers(low: float, high: float, wanted: int) -> list[float]:
    """About so many round numbers between low and high."""
    rough = max(high - low, 1e-12) / wanted
    decade = 10.0 ** np.floor(np.log10(rough))
    step = float(next(s * decade for s in (1, 2, 5, 10) if s * decade >= rough))
    first = int(np.ceil(low / step - 1e-9))
    return [number * step for number in range(first, int(np.floor(high / step + 1e-9)) + 1)]
