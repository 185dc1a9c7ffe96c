"""Drawings as LabelMe keeps them: a JSON file beside each picture."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from ..faceset.numbers import table
from .shapes import EXCLUDE, INCLUDE, MOST_POINTS, MOST_SHAPES, Label, Line, Shape

INCLUDING = frozenset((INCLUDE, "face", "skin"))
EXCLUDING = frozenset((EXCLUDE, "hole", "obstruction"))
_VERSION = "5.5.0"
_ROUND = 128  # corners that a circle gets
_LEAST = {"polygon": 3, "rectangle": 2, "circle": 2}


def is_labelme(value: Any) -> bool:
    """Whether a JSON value is a file of LabelMe's."""
    return isinstance(value, dict) and "imageWidth" in value and "shapes" in value


def from_labelme(
    value: Any,
    *,
    include: Collection[str] = INCLUDING,
    exclude: Collection[str] = EXCLUDING,
) -> Label:
    """The drawing in a file of LabelMe's.

    include, exclude  the labels, lower case, that mean so
    Raises ValueError where a shape is of another label or kind, or the picture was not square.
    """
    if not is_labelme(value):
        raise ValueError("is no file of LabelMe's: it lacks 'imageWidth' and 'shapes'")
    width, height = value["imageWidth"], value.get("imageHeight")
    if type(width) is not int or width != height:
        raise ValueError(f"is drawn on {width!r:.20}x{height!r:.20} pixels, a face is square")
    shapes = value["shapes"]
    if not isinstance(shapes, list) or len(shapes) > MOST_SHAPES:
        raise ValueError(f"'shapes' must be a list of at most {MOST_SHAPES}")
    made = []
    for number, each in enumerate(shapes):
        if not isinstance(each, dict):
            raise ValueError(f"shape {number} is no table")
        name = str(each.get("label", "")).strip().lower()
        if name not in include and name not in exclude:
            raise ValueError(
                f"shape {number} is labelled {name!r:.40}; say what that means with "
                f"--include {name:.40} or --exclude {name:.40}"
            )
        line = _line(number, each)
        made.append(Shape(EXCLUDE if name in exclude else INCLUDE, line))
    return Label(size=width, shapes=tuple(made))


def to_labelme(label: Label, picture: str) -> dict[str, Any]:
    """A drawing as LabelMe reads it; `picture` is the file's name, which lies beside it."""
    return {
        "version": _VERSION,
        "flags": {},
        "shapes": [
            {
                "label": each["label"],
                "points": each["points"],
                "group_id": None,
                "description": "",
                "shape_type": "polygon",
                "flags": {},
            }
            for each in label.plain()["shapes"]
        ],
        "imagePath": picture,
        "imageData": None,
        "imageHeight": label.size,
        "imageWidth": label.size,
    }


def _line(number: int, value: dict[str, Any]) -> Line:
    kind, points = value.get("shape_type") or "polygon", value.get("points")
    least = _LEAST.get(kind) if isinstance(kind, str) else None
    if least is None:
        raise ValueError(f"shape {number} is a {kind!r:.20}; use polygon, rectangle or circle")
    count = len(points) if isinstance(points, list) else 0
    if not least <= count <= MOST_POINTS:
        raise ValueError(f"shape {number} is a {kind} of {count} points, must have {least} or more")
    try:
        line = table(points, "points", None, 2)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"shape {number}: {error}") from error
    if kind == "rectangle":
        (x0, y0), (x1, y1) = line[:2]
        return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    if kind == "circle":
        angle = np.linspace(0, 2 * np.pi, _ROUND, endpoint=False)
        radius = np.hypot(*(line[1] - line[0]))
        round_: Line = line[0] + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return round_
    return line
