"""Polygons on a crop, and the mask that they make.

Points are (x, y) in pixels of the crop, (0, 0) being its upper left corner: a point at (3.5, 0.5)
lies in the middle of a pixel, as in the programs in which such polygons are drawn.  A polygon may
reach out of the crop.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Mask
from ..faceset import MAX_SIZE
from ..faceset.numbers import table

INCLUDE, EXCLUDE = "include", "exclude"
MOST_SHAPES = 10_000
MOST_POINTS = 100_000
_FINE = 4  # rows and columns into which a pixel is cut to find how much of it is covered
_FINE_UP_TO = 2048
_DIGITS = 6  # binary digits after the point in the coordinates that cv2 fills
_FARTHEST = 1 << 20  # pixels; beyond it cv2's whole numbers overflow

Line = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A closed polygon: `label` is `include` or `exclude`, points (n, 2) float64."""

    label: str
    points: Line

    def __post_init__(self) -> None:
        if self.label not in (INCLUDE, EXCLUDE):
            raise ValueError(f"a shape's label is {self.label!r:.40}, must be include or exclude")
        if self.points.ndim != 2 or self.points.shape[1] != 2:
            raise ValueError(f"Shape.points has shape {self.points.shape}, must be (n, 2)")
        self.points.setflags(write=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Label:
    """What was drawn on one face: shapes on a square of `size` pixels.

    All that include come first, then all that exclude: an excluded place is out wherever it stands
    in the list.
    """

    size: int
    shapes: tuple[Shape, ...]

    def __post_init__(self) -> None:
        if not 1 <= self.size <= MAX_SIZE:
            raise ValueError(f"Label.size is {self.size}, must be 1..{MAX_SIZE} pixels")
        ordered = sorted(self.shapes, key=lambda shape: shape.label == EXCLUDE)
        object.__setattr__(self, "shapes", tuple(ordered))

    @property
    def includes(self) -> int:
        """How many shapes include."""
        return sum(shape.label == INCLUDE for shape in self.shapes)

    @property
    def excludes(self) -> int:
        """How many shapes exclude."""
        return len(self.shapes) - self.includes

    def resized(self, size: int) -> Label:
        """The same drawing on a crop that was scaled to `size` pixels."""
        ratio = size / self.size
        scaled = tuple(Shape(shape.label, shape.points * ratio) for shape in self.shapes)
        return Label(size=size, shapes=scaled)

    def plain(self) -> dict[str, Any]:
        """As plain JSON values; what `label_of` reads, and a record keeps under `POLYGONS`."""
        shapes = [{"label": shape.label, "points": shape.points.tolist()} for shape in self.shapes]
        return {"size": self.size, "shapes": shapes}


def label_of(value: Any, *, least: int = 3) -> Label:
    """The drawing in plain JSON values.

    least  points that a shape must have.  Raises ValueError that says what is wrong.
    """
    if not isinstance(value, dict):
        raise ValueError("holds no table with 'size' and 'shapes'")
    size, shapes = value.get("size"), value.get("shapes")
    if type(size) is not int:
        raise ValueError(f"'size' is {size!r:.40}, must be a whole number of pixels")
    if not isinstance(shapes, list) or len(shapes) > MOST_SHAPES:
        raise ValueError(f"'shapes' must be a list of at most {MOST_SHAPES}")
    return Label(
        size=size,
        shapes=tuple(_shape(number, each, least) for number, each in enumerate(shapes)),
    )


def _shape(number: int, value: Any, least: int) -> Shape:
    if not isinstance(value, dict):
        raise ValueError(f"shape {number} is no table")
    points = value.get("points")
    count = len(points) if isinstance(points, list) else 0
    if not least <= count <= MOST_POINTS:
        raise ValueError(f"shape {number} has {count} points, must have {least} to {MOST_POINTS}")
    try:
        return Shape(str(value.get("label")), table(points, "points", None, 2))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"shape {number}: {error}") from error


def rasterise(label: Label, size: int) -> Mask:
    """The drawing as a mask (size, size, 1) float32: how much of each pixel is inside, 0..1."""
    import cv2

    fine = _FINE if size <= _FINE_UP_TO else 1
    drawn = _fill(label.shapes, size * fine, size * fine / label.size)
    if fine > 1:
        drawn = cv2.resize(drawn, (size, size), interpolation=cv2.INTER_AREA)
    return (drawn.astype(np.float32) / np.float32(255))[..., None]


def _fill(shapes: Iterable[Shape], size: int, ratio: float) -> NDArray[Any]:
    import cv2

    canvas = np.zeros((size, size), np.uint8)
    for shape in shapes:
        if not len(shape.points):
            continue
        # cv2 counts from the middle of the first pixel.
        near = np.clip(shape.points * ratio - 0.5, -_FARTHEST, _FARTHEST)
        fixed = np.rint(near * (1 << _DIGITS)).astype(np.int32)
        inside = 255 if shape.label == INCLUDE else 0
        cv2.fillPoly(canvas, [fixed], inside, cv2.LINE_8, _DIGITS)
    return canvas
