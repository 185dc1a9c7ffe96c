"""The squares that the nets are fed, and the way back from them to the frame.

Every crop comes with a matrix (2, 3) that takes the unit square of the decoders to frame pixels.
`exact` is a warp of exactly the square; the others repeat what published programs do, whole pixels
and all: their crop lies up to a pixel beside the square that their decoder assumes.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from mien.arrays import Image, Matrix, as_float
from mien.geometry import compose, invert, level_of_five, warp
from mien.types import Detection
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SIDE = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """A crop (256, 256, 3) BGR in the frame's dtype; matrix from the unit square to the frame."""

    image: Image
    matrix: Matrix


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Square:
    """A square in the frame: centre, side in pixels, and the direction that is level in it."""

    centre: Floats
    side: float
    across: Floats

    def moved(self, dx: float, dy: float) -> Square:
        """The same square elsewhere, in frame pixels."""
        return Square(centre=self.centre + np.array([dx, dy]), side=self.side, across=self.across)

    @property
    def matrix(self) -> Matrix:
        """(2, 3) unit square to frame."""
        turn = np.column_stack([self.across, (-self.across[1], self.across[0])])
        linear = self.side * turn
        return np.column_stack([linear, self.centre - linear @ (0.5, 0.5)])


def box_square(detection: Detection, *, side: float, lift: float, upright: bool) -> Square:
    """The square that a net wants around a box.

    side     the square's side, frame pixels
    lift     how far its centre lies above the box's, as a share of the box's height
    upright  turn it by the five points, where there are some
    """
    x0, y0, x1, y1 = detection.box
    across = np.array([1.0, 0.0])
    if upright and detection.points5 is not None:
        across = level_of_five(detection.points5)
    down = np.array([-across[1], across[0]])
    centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2]) - lift * (y1 - y0) * down
    return Square(centre=centre, side=max(side, 1.0), across=across)


def exact(image: Image, square: Square) -> View:
    """The square itself, turned and all; averaged where it shrinks."""
    pixels = np.array([[1 / SIDE, 0, 0.5 / SIDE], [0, 1 / SIDE, 0.5 / SIDE]])
    to_frame = compose(pixels, square.matrix)
    return View(image=warp(image, invert(to_frame), SIDE), matrix=square.matrix)


def whole_pixels(image: Image, square: Square) -> View:
    """As face-alignment and DeepFaceLab crop: corners cut to whole pixels, black outside."""
    (cx, cy), side = square.centre.tolist(), square.side
    x0, y0 = (int((1 / SIDE - 0.5) * side + c) for c in (cx, cy))
    x1, y1 = (int(0.5 * side + c) for c in (cx, cy))
    cut = _cut(image, x0, y0, x1, y1)
    crop = cv2.resize(cut, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    return View(image=crop, matrix=square.matrix)


def whole_pixels_faceswap(image: Image, square: Square) -> View:
    """As faceswap crops: centre and half side rounded, its own kinds of resizing."""
    cx, cy = np.rint(square.centre).astype(int).tolist()
    half = round(square.side / 2)
    less = round(square.side / SIDE)
    x0, y0, x1, y1 = cx - half + less, cy - half + less, cx + half, cy + half
    cut = _cut(image, x0, y0, x1, y1)
    kind = cv2.INTER_CUBIC if cut.shape[0] < SIDE else cv2.INTER_AREA
    crop = cv2.resize(cut, (SIDE, SIDE), interpolation=kind)
    matrix = np.array([[cut.shape[1], 0, x0], [0, cut.shape[0], y0]], np.float64)
    return View(image=crop, matrix=matrix)


def prepare(image: Image) -> NDArray[np.float32]:
    """(3, 256, 256) RGB 0..1 of a crop."""
    unit = as_float(image)
    if image.dtype == np.float32:  # a float plate may hold highlights above 1, and holes
        unit = np.clip(np.nan_to_num(unit), 0, 1)
    return unit[..., ::-1].transpose(2, 0, 1)


def _cut(image: Image, x0: int, y0: int, x1: int, y1: int) -> Image:
    """Pixels [x0, x1) x [y0, y1), at least one, black where the frame ends."""
    x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
    height, width = image.shape[:2]
    canvas = np.zeros((y1 - y0, x1 - x0, 3), image.dtype)
    left, top = max(x0, 0), max(y0, 0)
    right, bottom = min(x1, width), min(y1, height)
    if left < right and top < bottom:
        canvas[top - y0 : bottom - y0, left - x0 : right - x0] = image[top:bottom, left:right]
    return canvas
