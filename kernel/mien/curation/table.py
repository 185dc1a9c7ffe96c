"""What was measured of many faces: columns by name, one row a face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Group(IntFlag):
    """Measurements that are made together: what is known, what the picture shows, how sharp, who.

    Only the last needs a plugin: an embedder.
    """

    RECORD = 1
    PICTURE = 2
    SHARP = 4
    IDENTITY = 8


@dataclass(frozen=True, slots=True)
class Column:
    """One measurement: its group, shape and dtype of a row; None in a shape is any length."""

    group: Group
    shape: tuple[int | None, ...] = ()
    dtype: Any = np.float64


HASH_WORDS = 4
THUMB = 32

COLUMNS: Mapping[str, Column] = {
    "yaw": Column(Group.RECORD),
    "pitch": Column(Group.RECORD),
    "roll": Column(Group.RECORD),
    "rect": Column(Group.RECORD),
    "size": Column(Group.RECORD),
    "side": Column(Group.RECORD),
    "distance": Column(Group.RECORD),
    "mouth": Column(Group.RECORD),
    "eyes": Column(Group.RECORD),
    "frame": Column(Group.RECORD),
    "number": Column(Group.RECORD),
    "landmarks": Column(Group.RECORD, (68, 2), np.float32),
    "brightness": Column(Group.PICTURE),
    "hue": Column(Group.PICTURE),
    "black": Column(Group.PICTURE),
    "black-share": Column(Group.PICTURE),
    "blue": Column(Group.PICTURE),
    "green": Column(Group.PICTURE),
    "red": Column(Group.PICTURE),
    "light": Column(Group.PICTURE),
    "shade": Column(Group.PICTURE),
    "colours": Column(Group.PICTURE, (3, 256), np.uint32),
    "grey": Column(Group.PICTURE, (256,), np.uint32),
    "masked-grey": Column(Group.PICTURE, (256,), np.uint32),
    "hash": Column(Group.PICTURE, (HASH_WORDS,), np.uint64),
    "thumb": Column(Group.PICTURE, (THUMB, THUMB, 3), np.uint8),
    "blur": Column(Group.SHARP),
    "motion-blur": Column(Group.SHARP),
    "laplacian": Column(Group.SHARP),
    "blur-fft": Column(Group.SHARP),
    "sharpness": Column(Group.SHARP),
    "identity": Column(Group.IDENTITY, (None,), np.float32),
}
"""yaw, pitch, roll  radians, as `mien.geometry.pose` has them; not a number where none fits
rect      area of the face's box, square pixels of the frame
size      side of the mean face's square in the frame, pixels;  side  of the stored crop
distance  mean distance of the landmarks from the mean face, in units of its square
mouth, eyes  how far they are open: gap over the length of the nose
frame, number  index of the frame, and of the face in it
landmarks in the unit space of the mean face
brightness, hue  means of HSV's V and H, 0..255 and 0..179;  black  samples that are 0, of all
black-share  per cent of pixels that are black;  blue, green, red  means, 0..255
light     mean grey of the face within its outline, 0..255
shade     how much brighter the picture's right half of the face is than its left, -2..2
colours, grey, masked-grey  counts by value: of B, G, R; of grey; of grey, black outside the face
hash      256 bits, alike for pictures that look alike;  thumb  the picture, reduced
blur      CPBD of the face in grey, 0..1, larger is sharper; and three other measures of it
sharpness  of the face at 256 pixels, without the edge that a mask would make; larger is sharper
identity  the embedder's unit vector; zeros for a face that it cannot be asked about
"""

ALL = Group.RECORD | Group.PICTURE | Group.SHARP
"""All that needs no plugin."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Measurements of faces, in the order of their paths.

    paths  of the faces;  origins  of what picture each was taken
    values  by column; a column that was not measured is missing
    """

    paths: tuple[Path, ...]
    origins: tuple[str, ...]
    values: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        """How many faces."""
        return len(self.paths)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """A column, (N, ...)."""
        return self.values[name]

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> Table:
        """Some of the faces, in this order."""
        places = np.asarray(rows, dtype=np.int64)
        return Table(
            tuple(self.paths[row] for row in places),
            tuple(self.origins[row] for row in places),
            {name: column[places] for name, column in self.values.items()},
        )


def columns_of(groups: Group) -> tuple[str, ...]:
    """The names of all columns of these groups."""
    return tuple(name for name, column in COLUMNS.items() if column.group & groups)
