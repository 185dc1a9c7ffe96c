"""Polygons as LabelMe writes them: read with care, drawn with smooth edges."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mien.errors import InputError
from numpy.typing import NDArray

HOLE = "hole"
_FIXED = 8  # binary digits after the point in the coordinates that cv2 fills
_FARTHEST = 1 << 20  # pixels; beyond it cv2's whole numbers overflow
_LARGEST = 1 << 15


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A closed line (n, 2) float64 in pixels; `cut` for one that is taken away."""

    line: NDArray[np.float64]
    cut: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawing:
    """What one file says of one frame: shapes on a canvas of `width` x `height` pixels."""

    width: int
    height: int
    shapes: tuple[Shape, ...]


def read_drawings(path: Path, label: str) -> dict[int, Drawing] | Drawing:
    """The drawing of a file, or its drawings by number where it holds many frames.

    label  of the shapes that count, besides holes; empty for all
    Raises InputError that says what in the file is not understood.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(told, dict):
        raise InputError(f"{path}: holds no object with 'shapes' or 'frames'")
    width, height = (_side(path, told, key) for key in ("imageWidth", "imageHeight"))
    if "frames" not in told:
        return Drawing(width=width, height=height, shapes=_shapes(path, told, label))
    frames = told["frames"]
    if not isinstance(frames, dict) or not all(key.isdecimal() for key in frames):
        raise InputError(f"{path}: 'frames' must map frame numbers to objects with 'shapes'")
    return {
        int(number): Drawing(width=width, height=height, shapes=_shapes(path, each, label))
        for number, each in frames.items()
    }


def draw(drawing: Drawing) -> NDArray[np.float32]:
    """The mask (height, width, 1): 1 inside the shapes, 0 elsewhere and in holes."""
    import cv2

    canvas = np.zeros((drawing.height, drawing.width), np.uint8)
    for shape in sorted(drawing.shapes, key=lambda each: each.cut):
        near = np.clip(shape.line, -_FARTHEST, _FARTHEST)
        fixed = np.rint(near * 2**_FIXED).astype(np.int32)
        cv2.fillPoly(canvas, [fixed], 0 if shape.cut else 255, cv2.LINE_AA, _FIXED)
    return (canvas.astype(np.float32) / np.float32(255))[..., None]


def _shapes(path: Path, told: Any, label: str) -> tuple[Shape, ...]:
    listed = told.get("shapes") if isinstance(told, Mapping) else None
    if not isinstance(listed, list):
        raise InputError(f"{path}: 'shapes' is missing or not a list")
    shapes = []
    for number, each in enumerate(listed):
        place = f"{path}: shape {number}"
        if not isinstance(each, dict):
            raise InputError(f"{place} is not an object")
        name = each.get("label", "")
        if not label or name in (label, HOLE):
            shapes.append(Shape(_line(place, each), cut=name == HOLE))
    return tuple(shapes)


def _line(place: str, told: Mapping[str, Any]) -> NDArray[np.float64]:
    try:
        points = np.array(told.get("points"), np.float64)
    except (TypeError, ValueError):
        points = np.zeros(0)
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise InputError(f"{place}: 'points' must be a list of [x, y]")
    kind = told.get("shape_type", "polygon")
    least = {"polygon": 3, "rectangle": 2, "circle": 2}.get(kind)
    if least is None:
        raise InputError(f"{place} is a '{kind}'; polygon, rectangle and circle can be filled")
    if len(points) < least:
        raise InputError(f"{place}: a {kind} has at least {least} points, here {len(points)}")
    if kind == "rectangle":
        (x0, y0), (x1, y1) = points[:2]
        return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    if kind == "circle":
        angle = np.linspace(0, 2 * np.pi, 128, endpoint=False)
        radius = np.hypot(*(points[1] - points[0]))
        points = points[0] + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.asarray(points)


def _side(path: Path, told: Mapping[str, Any], key: str) -> int:
    value = told.get(key)
    if type(value) is not int or not 0 < value <= _LARGEST:
        raise InputError(f"{path}: '{key}' must be a whole number of 1..{_LARGEST} pixels")
    return value
