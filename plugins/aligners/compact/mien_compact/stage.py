"""The aligner: a batch of detected faces in, 68 points of each out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mien.arrays import Image, Matrix, as_float
from mien.geometry import invert, mirror, transform, warp
from mien.geometry.boxes import overlap
from mien.stages import Context, FaceQuery, Session, StageBase
from mien.types import Landmarks
from numpy.typing import NDArray

from . import NET, Options
from .crops import SIDE, box_matrix, points_matrix

Floats = NDArray[np.float32]
Box = tuple[float, float, float, float]

ALIKE = 0.7  # boxes of one face in two frames share at least this
EVERY = 4  # frames of which one is looked at twice

# How far the votes for a point lie apart, per side of the crop, where the net is at a loss.  On
# held-out faces it is 0.006 (95 %: below 0.009), where there is no face 0.07 (95 %: above 0.026).
LOST = 0.04


class CompactAligner(StageBase):
    """Finds the 68 points of detected faces, as floats in frame pixels.

    The first crop is a square laid by the detector's box, upright by its five points where it
    gives them; each further one is laid by the points just found, or by those on the way between
    two frames where the face was looked at.  The score says how near
    together the votes lie from which the net makes its points; it is no probability.
    """

    def __init__(self, options: Options, context: Context) -> None:
        self.batch_size = options.batch_size
        self._options, self._context = options, context
        self._session: Session | None = None

    def open(self) -> None:
        """Open the shipped net."""
        self._session = self._context.onnx(self._context.weights(NET))

    def close(self) -> None:
        """Let the session go."""
        self._session = None

    def __call__(self, batch: Sequence[FaceQuery], /) -> list[Landmarks]:
        """The landmarks of each face."""
        if not batch:
            return []
        images = [query.frame.image for query in batch]
        if self._options.passes == 1:
            matrices = [box_matrix(query.detection, self._options.margin) for query in batch]
        else:
            matrices = [points_matrix(face) for face in self._first_look(batch)]
        for _ in range(self._options.passes - 2):
            points, _ = self._look(images, matrices, flip=False)
            matrices = [points_matrix(face) for face in points]
        points, spread = self._look(images, matrices, flip=self._options.flip)
        scores = np.clip(1 - spread / LOST, 0, 1).tolist()
        return [
            Landmarks(points=face, score=score) for face, score in zip(points, scores, strict=True)
        ]

    def _first_look(self, batch: Sequence[FaceQuery]) -> list[Floats]:
        """Where the points of each face are, more or less: enough to lay the next crop.

        Of a face that is seen in frame after frame only a few are looked at; in those between, the
        points lie on the way, as the boxes do.  That is quicker, and steadier too.
        """
        chains = chained(batch)
        seen = sorted({place for chain in chains for place in (*chain[::EVERY], chain[-1])})
        matrices = [box_matrix(batch[n].detection, self._options.margin) for n in seen]
        found, _ = self._look([batch[n].frame.image for n in seen], matrices, flip=False)
        points = dict(zip(seen, found, strict=True))
        for chain in chains:
            for start in range(0, len(chain) - 1, EVERY):
                first, *between, last = chain[start : start + EVERY + 1]
                for number, place in enumerate(between, 1):
                    part = np.float32(number / (len(between) + 1))
                    before, after = (
                        moved(points[end], batch[end].detection.box, batch[place].detection.box)
                        for end in (first, last)
                    )
                    points[place] = before + (after - before) * part
        return [points[place] for place in range(len(batch))]

    def _look(
        self, images: Sequence[Image], matrices: Sequence[Matrix], *, flip: bool
    ) -> tuple[list[Floats], Floats]:
        """Points (68, 2) of each picture seen through its matrix, in frame pixels; spread (N,)."""
        if self._session is None:
            raise RuntimeError("the aligner is called before open()")
        count = len(images)
        crops = np.empty((2 * count if flip else count, 3, SIDE, SIDE), np.float32)
        for place, (image, matrix) in enumerate(zip(images, matrices, strict=True)):
            crops[place] = take(image, matrix)
        if flip:
            crops[count:] = crops[:count, :, :, ::-1]
        unit, spread = self._session.run(None, {"image": crops})
        seen = unit.astype(np.float32) * SIDE - np.float32(0.5)
        if flip:
            back = np.stack([mirror(face, SIDE) for face in seen[count:]])
            seen, spread = (seen[:count] + back) / 2, (spread[:count] + spread[count:]) / 2
        found = [transform(invert(m), face) for m, face in zip(matrices, seen, strict=True)]
        return found, spread.mean(axis=1)


def chained(batch: Sequence[FaceQuery]) -> list[list[int]]:
    """Places of the batch that show one face in frame after frame, each in one list."""
    chains: list[list[int]] = []
    for place, query in enumerate(batch):
        chain = next((each for each in chains if follows(query, batch[each[-1]])), None)
        if chain is None:
            chains.append([place])
        else:
            chain.append(place)
    return chains


def follows(query: FaceQuery, earlier: FaceQuery) -> bool:
    """Whether both are the same face, in one frame and the next."""
    near = overlap(query.detection.box, earlier.detection.box) >= ALIKE
    upright = query.detection.roll == earlier.detection.roll
    return query.frame.index == earlier.frame.index + 1 and near and upright


def moved(points: Floats, box: Box, to: Box) -> Floats:
    """Points of a face in `box` as they lie where the box is `to`."""
    first, second = np.reshape(box, (2, 2)), np.reshape(to, (2, 2))
    zoom = np.linalg.norm(second[1] - second[0]) / np.linalg.norm(first[1] - first[0])
    there: Floats = ((points - first.mean(0)) * zoom + second.mean(0)).astype(np.float32)
    return there


def take(image: Image, matrix: Matrix) -> Floats:
    """The crop as the net wants it: (3, 96, 96) RGB 0..1, black where the frame ends."""
    crop = as_float(warp(image, matrix, SIDE))
    if image.dtype == np.float32:  # a float plate may hold highlights above 1, and holes
        crop = np.clip(np.nan_to_num(crop), 0, 1)
    return crop[..., ::-1].transpose(2, 0, 1)
