"""What people drew on faces: polygons that include or exclude, as files, masks and pictures."""

from __future__ import annotations

from .files import (
    FOLDER,
    companions,
    label_path,
    of_face,
    read_label,
    remove_label,
    with_polygons,
    write_label,
)
from .labelme import from_labelme, to_labelme
from .overlay import draw_label
from .shapes import EXCLUDE, INCLUDE, Label, Shape, rasterise

__all__ = [
    "EXCLUDE",
    "FOLDER",
    "INCLUDE",
    "Label",
    "Shape",
    "companions",
    "draw_label",
    "from_labelme",
    "label_path",
    "of_face",
    "rasterise",
    "read_label",
    "remove_label",
    "to_labelme",
    "with_polygons",
    "write_label",
]
