"""DeepFaceLab's random warp, turn, shift and zoom, number for number.

Training itself makes its warps in batches on the device (`augment`); this is for those who must
repeat the original: its field is symmetric (the shift down is the transpose of the shift right),
and what the net sees lies half a pixel beside what it shall give back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...arrays import Matrix

LEAST_SIDE = 64
_FAR = 2.5
_STRENGTH = 0.24


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ParityWarp:
    """What happens to one face.

    side    pixels at which it happens, at least 64;  wanted  pixels asked for
    across  (side, side) float32, from which column each pixel comes; rows are the transpose
    matrix  (2, 3), picture to moved picture;  flip  mirror afterwards
    """

    side: int
    wanted: int
    across: NDArray[np.float32]
    matrix: Matrix
    flip: bool

    def apply(
        self, image: NDArray[np.float32], *, warp: bool, move: bool = True, border: bool = True
    ) -> NDArray[np.float32]:
        """The picture (side, side, C) float32, warped, moved and mirrored.

        border  the edge pixels go on outside where it is moved; black for masks
        """
        result: NDArray[Any] = _sized(image, self.side)
        cubic = cv2.INTER_CUBIC if border else cv2.INTER_LINEAR
        if warp:
            rows = np.ascontiguousarray(self.across.T)
            result = cv2.remap(result, self.across, rows, cubic)
        if move:
            around = cv2.BORDER_REPLICATE if border else cv2.BORDER_CONSTANT
            size = (self.side, self.side)
            result = cv2.warpAffine(result, self.matrix, size, flags=cubic, borderMode=around)
        if self.flip:
            result = result[:, ::-1]
        result = _sized(np.ascontiguousarray(result), self.wanted)
        return np.asarray(result, np.float32).reshape(*result.shape[:2], -1)


def draw(
    seed: int,
    side: int,
    *,
    flip: bool,
    zoom: float = 0.15,
    rotation: float = 10.0,
    shift: float = 0.05,
) -> ParityWarp:
    """The warp of a seed.

    zoom  0.15 draws a scale of 1 / 1.15 to 1.15;  shift  of the side;  rotation  degrees
    """
    used = max(side, LEAST_SIDE)
    moves, bends = np.random.RandomState(seed), np.random.RandomState(seed)
    angle = moves.uniform(-rotation, rotation)
    scale = moves.uniform(1 / (1 + zoom), 1 + zoom)
    right, down = moves.uniform(-shift, shift), moves.uniform(-shift, shift)
    mirrored = bool(flip and moves.randint(10) < 4)
    matrix = cv2.getRotationMatrix2D((used // 2, used // 2), angle, scale)
    moved: Matrix = np.array(matrix, np.float64)
    moved[:, 2] += np.array([right * used, down * used])
    return ParityWarp(
        side=used, wanted=side, across=_across(bends, used), matrix=moved, flip=mirrored
    )


def _across(rng: np.random.RandomState, side: int) -> NDArray[np.float32]:
    cell = (side // 2, side // 4, side // 8)[rng.randint(3)]
    nodes = side // cell + 1
    grid = np.tile(np.linspace(0, side, nodes), (nodes, 1))
    first, second = _normals(rng, nodes - 2), _normals(rng, nodes - 2)
    grid[1:-1, 1:-1] += (first + second.T) * _STRENGTH * cell
    size = (side + cell, side + cell)
    smooth = cv2.resize(grid.astype(np.float32), size)
    half = cell // 2
    return np.ascontiguousarray(smooth[half:-half, half:-half])


def _normals(rng: np.random.RandomState, side: int) -> NDArray[np.float64]:
    """(side, side) normal numbers, none further out than 2.5 deviations, as parts of that."""
    drawn: list[float] = []
    while len(drawn) < side * side:
        number = rng.normal()
        if abs(number) <= _FAR:
            drawn.append(number / _FAR)
    return np.array(drawn).reshape(side, side)


def _sized(image: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    if image.shape[:2] == (side, side):
        return image
    resized = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray(resized, np.float32).reshape(side, side, -1)
