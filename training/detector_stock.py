"""What detection scenes are made of: portraits, frames of clips, pictures without faces; in memory.

Everything is read once and kept as uint8, with halved copies beside it, so that a face can be put
into a scene at any size without aliasing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from mien.arrays import Image
from numpy.typing import NDArray

from .data import (
    FaceLabel,
    is_held_out,
    learning_clips,
    read_clips,
    read_frames,
    read_image,
    read_pictures,
)

Array = NDArray[np.float32]

FRAME_SIDE = 640
SMALLEST_COPY = 24


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stock:
    """A picture and its faces.

    copies  the picture, its half, its quarter, ...
    boxes   (n, 4);  points (n, 5, 2);  ignore (m, 4), all in pixels of the first copy
    """

    copies: tuple[Image, ...]
    boxes: Array
    points: Array
    ignore: Array

    @property
    def image(self) -> Image:
        """The picture at its full size."""
        return self.copies[0]


# A place in the stock: which of the supply's sequences, which picture of it, and the box there.
Place = tuple[str, int, tuple[float, float, float, float]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Supply:
    """All that scenes are made of; `hard` are places that the net took for faces."""

    portraits: Sequence[Stock]
    frames: Sequence[Stock]
    backgrounds: Sequence[Stock]
    hard: Sequence[Place] = ()


def read_supply(data: Path, step: int = 6) -> Supply:
    """Everything that may be learned from; of the clips every `step`-th frame."""
    pictures = [each for each in read_pictures(data / "faces") if not is_held_out(each)]
    portraits: list[Stock] = []
    backgrounds: list[Stock] = []
    for picture in pictures:
        stock = make_stock(read_image(picture), picture.faces, picture.ignore)
        (portraits if picture.faces else backgrounds).append(stock)
    frames = []
    for clip in learning_clips(read_clips(data / "clips")):
        for truth, image in read_frames(clip, step):
            frames.append(make_stock(image, truth.faces, truth.ignore, FRAME_SIDE))
    return Supply(portraits=portraits, frames=frames, backgrounds=backgrounds)


def make_stock(
    image: Image,
    faces: Sequence[FaceLabel],
    ignore: Sequence[tuple[float, float, float, float]],
    most: int = 0,
) -> Stock:
    """A picture with its labels, its longer side reduced to `most` (0: as it is)."""
    scale = min(1.0, most / max(image.shape[:2])) if most else 1.0
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    copies = [np.ascontiguousarray(image)]
    while min(copies[-1].shape[:2]) >= 2 * SMALLEST_COPY:
        copies.append(cv2.resize(copies[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    return Stock(
        copies=tuple(copies),
        boxes=np.array([face.box for face in faces], np.float32).reshape(-1, 4) * scale,
        points=np.array([face.points5 for face in faces], np.float32).reshape(-1, 5, 2) * scale,
        ignore=np.array(ignore, np.float32).reshape(-1, 4) * scale,
    )
