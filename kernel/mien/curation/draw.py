"""Coverage as a picture: where the heads of both sets look, and how each aspect is spread."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .coverage import BAD, Coverage, Line
from .table import Table

Canvas = NDArray[np.uint8]

_PAPER, _INK, _GRID = (32, 32, 32), (235, 235, 235), (96, 96, 96)
_SOURCE, _TARGET, _MISSING = (220, 160, 60), (70, 200, 120), (60, 60, 235)
_MAP = 480
_PANEL = (240, 150)
_GAP = 12
_WIDEST = 90.0


def draw_coverage(coverage: Coverage, source: Table, target: Table) -> Canvas:
    """A map of yaw and pitch, and a small panel for each aspect.  (H, W, 3) BGR uint8."""
    panels = [_panel(line) for line in coverage.lines]
    columns, (width, height) = 2, _PANEL
    rows = -(-len(panels) // columns)
    tall = max(_MAP + 70, rows * (height + _GAP)) + _GAP
    sheet = np.full((tall, _MAP + (columns + 1) * (width + _GAP), 3), _PAPER, np.uint8)
    sheet = sheet[:, : _MAP + 3 * _GAP + columns * (width + _GAP)].copy()
    sheet[_GAP : _GAP + _MAP, _GAP : _GAP + _MAP] = _map(coverage, source, target)
    for number, panel in enumerate(panels):
        y = _GAP + number // columns * (height + _GAP)
        x = _MAP + 3 * _GAP + number % columns * (width + _GAP)
        sheet[y : y + height, x : x + width] = panel
    for number, (words, colour) in enumerate(
        (
            (f"source, {len(source)} faces", _SOURCE),
            (f"target, {100 * coverage.covered:.0f} % covered well", _TARGET),
            (f"target, {100 * coverage.uncovered:.0f} % with nothing near", _MISSING),
        )
    ):
        _write(sheet, words, _GAP, _MAP + _GAP + 20 * (number + 1), colour)
    return sheet


def _map(coverage: Coverage, source: Table, target: Table) -> Canvas:
    """Yaw to the left and right as the picture shows it, pitch up and down."""
    canvas = np.full((_MAP, _MAP, 3), _PAPER, np.uint8)
    for degrees in range(-60, 61, 30):
        at = int(_MAP * (0.5 + degrees / (2 * _WIDEST)))
        cv2.line(canvas, (at, 0), (at, _MAP), _GRID)
        cv2.line(canvas, (0, at), (_MAP, at), _GRID)
        _write(canvas, f"{-degrees:+d}", at + 2, _MAP - 4, _GRID)
        _write(canvas, f"{-degrees:+d}", 2, at - 2, _GRID)
    bad = coverage.away > BAD
    for table, chosen, colour, radius in (
        (source, np.ones(len(source), np.bool_), _SOURCE, 2),
        (target, ~bad, _TARGET, 2),
        (target, bad, _MISSING, 3),
    ):
        degrees_of = np.rad2deg(np.stack((-table["yaw"], -table["pitch"]), axis=1)[chosen])
        for x, y in degrees_of[np.isfinite(degrees_of).all(axis=1)]:
            place = (int(_MAP * (0.5 + angle / (2 * _WIDEST))) for angle in (x, y))
            cv2.circle(canvas, tuple(place), radius, colour, -1, cv2.LINE_AA)
    return canvas


def _panel(line: Line) -> Canvas:
    width, height = _PANEL
    canvas = np.full((height, width, 3), _PAPER, np.uint8)
    top, bottom = 22, height - 18
    cv2.line(canvas, (0, bottom), (width, bottom), _GRID)
    step = width / len(line.source)
    for counts, colour, shift in ((line.source, _SOURCE, 0.1), (line.target, _TARGET, 0.5)):
        shares = counts / max(1, counts.max())
        for number, share in enumerate(shares):
            x = int((number + shift) * step)
            y = int(bottom - share * (bottom - top))
            thin = colour
            if colour is _TARGET and line.lacking[number]:
                thin = _MISSING
            if counts[number]:
                cv2.rectangle(
                    canvas, (x, min(y, bottom - 2)), (int(x + 0.4 * step), bottom), thin, -1
                )
    _write(canvas, f"{line.name}: {100 * line.missing:.0f} % missing", 0, 14, _INK)
    _write(canvas, f"{line.edges[0]:.3g} {line.aspect.unit}", 0, height - 4, _INK)
    right = f"{line.edges[-1]:.3g}"
    _write(canvas, right, width - 8 * len(right), height - 4, _INK)
    return canvas


def _write(canvas: Canvas, words: str, x: int, y: int, colour: tuple[int, int, int]) -> None:
    cv2.putText(canvas, words, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1, cv2.LINE_AA)
