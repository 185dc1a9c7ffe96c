"""Training samples of the aligner: a crop of a face, its 68 points, and how far each is trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from mien.arrays import Image, Matrix
from mien.geometry import mirror, transform
from mien_compact.crops import MARGIN, SIDE, points_matrix
from numpy.typing import NDArray

from .aligner_heads import HeadTurner, turned_points
from .aligner_looks import spoil
from .data import (
    FaceLabel,
    Picture,
    human_points68,
    is_held_out,
    learning_clips,
    read_clips,
    read_frames,
    read_image,
    read_pictures,
)

Floats = NDArray[np.float32]
Rng = np.random.Generator

# A face larger than this in its stored picture is made smaller once, so that no sample aliases.
_STORED_FACE = 112.0
_HUMAN_WEIGHT = 3.0
_WIDE_TRUST = 0.8  # of a teacher that is itself unsure
_WIDEST = 80.0  # degrees to the side, for turned heads
_CLIP_SHARE = 0.08


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Item:
    """A face to make samples of.

    points  (68, 2) pixels of `image`;  weights  (68,) how far each is trusted
    mesh    (478, 3) pixels of `image`, where the head can be turned
    chance  how often it is drawn when hard faces are wanted, against 1 for an easy one
    """

    image: Image
    points: Floats
    weights: Floats
    mesh: Floats | None
    yaw: float
    chance: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """image (S, S, 3) uint8 BGR; points (68, 2) 0..1 of the crop; weights (68,); size 0..1."""

    image: Image
    points: Floats
    weights: Floats
    size: float


class Stock:
    """All faces of the learning side, small, in memory; draws samples of them."""

    def __init__(self, data: Path) -> None:
        pictures = read_pictures(data / "faces")
        learn = [each for each in pictures if not is_held_out(each)]
        self.items = [each for each in map(_picture_item, learn) if each is not None]
        self.frames = _clip_items(data / "clips")
        self.textures = [_texture(read_image(each)) for each in learn if not each.faces]
        frontal = [
            each.mesh
            for each in learn
            if each.mesh is not None and each.faces[0].trusted and abs(each.faces[0].yaw) < 4
        ]
        self.turner = HeadTurner(np.stack(frontal))

    def draw(
        self, rng: Rng, side: int, *, hard: bool = False, mild: bool = False, turned: float = 0.25
    ) -> Sample:
        """One sample of `side` pixels.

        hard    faces seen from the side, and made-up people, come more often
        mild    half of the pictures stay as the camera gave them
        turned  share of heads drawn again from another side, where there is a mesh
        """
        among = self.frames if rng.random() < _CLIP_SHARE else self.items
        if hard:
            ladder = np.cumsum([each.chance for each in among])
            item = among[int(np.searchsorted(ladder, rng.random() * ladder[-1]))]
        else:
            item = among[int(rng.integers(len(among)))]
        if item.mesh is not None and rng.random() < turned:
            image, points = self._turned(rng, item, side)
        else:
            stretch = _stretch(rng, item.points)
            matrix = _jittered(rng, transform(stretch, item.points), side)
            both = _compose(stretch, matrix)
            border = cv2.BORDER_CONSTANT if rng.random() < 0.7 else cv2.BORDER_REPLICATE
            image = cv2.warpAffine(
                item.image, both, (side, side), flags=cv2.INTER_LINEAR, borderMode=border
            )
            points = transform(both, item.points)
        weights = item.weights
        if rng.random() < 0.5:
            image = np.ascontiguousarray(image[:, ::-1])
            points = mirror(points, side)
            weights = mirror(np.stack([weights, weights], axis=1), 0)[:, 1]
        if not (mild and rng.random() < 0.5):
            image = spoil(rng, image, self.textures)
        extent = np.ptp(points, axis=0).max() / side
        unit = ((points + 0.5) / side).astype(np.float32)
        return Sample(image=image, points=unit, weights=weights, size=float(extent))

    def _turned(self, rng: Rng, item: Item, side: int) -> tuple[Image, Floats]:
        """The head from another side; mostly further to the side to which it looks already."""
        if item.mesh is None:
            raise ValueError("an item without a mesh cannot be turned")
        way = np.sign(item.yaw) if abs(item.yaw) > 8 and rng.random() < 0.85 else 1
        way = way if abs(item.yaw) > 8 else rng.choice([-1, 1])
        room = _WIDEST - abs(item.yaw)
        yaw = way * rng.uniform(8, max(room, 15)) if rng.random() < 0.75 else rng.normal(0, 10)
        pitch = float(np.clip(rng.normal(0, 12), -28, 28))
        before, after = self.turner.turn(item.image, item.mesh, float(yaw), pitch)
        points = turned_points(after)
        matrix = _jittered(rng, points, side)
        image = self.turner.draw(item.image, before, after, matrix, side)
        return image, transform(matrix, points)


def _jittered(rng: Rng, points: Floats, side: int) -> Matrix:
    """The crop of `side` pixels around points, off by what detectors and first looks are off."""
    matrix = points_matrix(points) * (side / SIDE)
    wide = rng.random() < 0.6  # else nearly as exact as the second look
    zoom = np.exp(np.clip(rng.normal(0, 0.11 if wide else 0.04), -0.3, 0.3))
    shift = rng.normal(0, 0.05 if wide else 0.015, 2) * side
    roll = rng.uniform(-50, 50) if rng.random() < 0.22 else rng.normal(0, 8 if wide else 3)
    a = np.deg2rad(roll)
    turn = zoom * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    middle = np.full(2, side / 2)
    return _compose(matrix, np.column_stack([turn, middle - turn @ middle + shift]))


def _stretch(rng: Rng, points: Floats) -> Matrix:
    """Longer, shorter and skewed faces, in the picture's own pixels."""
    if rng.random() < 0.4:
        return np.eye(2, 3)
    linear = np.eye(2) + rng.normal(0, 0.05, (2, 2))
    middle = points.mean(axis=0).astype(np.float64)
    return np.column_stack([linear, middle - linear @ middle])


def _compose(first: Matrix, then: Matrix) -> Matrix:
    linear = then[:, :2]
    return np.column_stack([linear @ first[:, :2], linear @ first[:, 2] + then[:, 2]])


def _picture_item(picture: Picture) -> Item | None:
    """The main face of a picture, or None where its labels do not deserve it."""
    if not picture.faces:
        return None
    face = picture.faces[0]
    trust = 1.0 if face.trusted else _WIDE_TRUST
    if not face.trusted and (abs(face.yaw) < 33 or disagreement(face) > 0.08):
        return None
    points, weights = face.points68.copy(), np.full(68, trust, np.float32)
    index, human = human_points68(picture)
    points[index] = human
    weights[index] *= _HUMAN_WEIGHT
    mesh = picture.mesh
    item = _shrunk(read_image(picture), points, weights, mesh, face.yaw)
    return replace(item, chance=_chance(face.yaw) + 0.4 * (picture.origin == "sfhq-t2i"))


def _chance(yaw: float) -> float:
    """How often a face is drawn when hard ones are wanted."""
    return 3.0 if abs(yaw) >= 33 else 2.0 if abs(yaw) >= 20 else 1.0


def disagreement(face: FaceLabel) -> float:
    """How far two detectors' five points lie from those of the mesh, per size of the face."""
    p = face.points68
    five = np.stack([p[36:42].mean(0), p[42:48].mean(0), p[30], p[48], p[54]])
    size = np.ptp(p, axis=0).max()
    return float(np.linalg.norm(five - face.points5, axis=1).mean() / size)


def _shrunk(image: Image, points: Floats, weights: Floats, mesh: Floats | None, yaw: float) -> Item:
    """The item with a picture in which the face has the stored size at most."""
    factor = min(_STORED_FACE / float(np.ptp(points, axis=0).max()), 1.0)
    if factor < 1:
        height, width = image.shape[:2]
        size = (max(round(width * factor), 1), max(round(height * factor), 1))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        exact = np.array([size[0] / width, size[1] / height], np.float32)
        points = (points + 0.5) * exact - 0.5
        if mesh is not None:
            flat = (mesh[:, :2] + 0.5) * exact - 0.5
            mesh = np.column_stack([flat, mesh[:, 2] * exact.mean()])
    return Item(
        image=image, points=points, weights=weights, mesh=mesh, yaw=yaw, chance=_chance(yaw)
    )


def _clip_items(folder: Path) -> list[Item]:
    """Faces of the learning clips, some thirty frames of each, cut out with room to turn."""
    items = []
    for clip in learning_clips(read_clips(folder)):
        step = max(len(clip.frames) // 30, 1)
        for truth, image in read_frames(clip, step):
            items += [_cut_out(image, face) for face in truth.faces if _usable(face)]
    return items


def _usable(face: FaceLabel) -> bool:
    if face.trusted:
        return True
    return abs(face.yaw) >= 33 and disagreement(face) < 0.08


def _cut_out(image: Image, face: FaceLabel) -> Item:
    low, high = face.points68.min(axis=0), face.points68.max(axis=0)
    reach = 1.1 * MARGIN * float((high - low).max())
    centre = (low + high) / 2
    limit = np.array([image.shape[1], image.shape[0]])
    x0, y0 = np.clip(np.floor(centre - reach), 0, limit).astype(int).tolist()
    x1, y1 = np.clip(np.ceil(centre + reach), 0, limit).astype(int).tolist()
    points = (face.points68 - (x0, y0)).astype(np.float32)
    weights = np.full(68, 1.0 if face.trusted else _WIDE_TRUST, np.float32)
    return _shrunk(np.ascontiguousarray(image[y0:y1, x0:x1]), points, weights, None, face.yaw)


def _texture(image: Image) -> Image:
    """At least as large as a crop, to cut patches from."""
    short = min(image.shape[:2])
    if short >= 2 * SIDE:
        return image
    factor = 2 * SIDE / short
    size = (round(image.shape[1] * factor) + 1, round(image.shape[0] * factor) + 1)
    return cv2.resize(image, size)


def stack(samples: Sequence[Sample]) -> tuple[Floats, Floats, Floats, Floats]:
    """images (N, 3, S, S) RGB 0..1, points (N, 68, 2), weights (N, 68), sizes (N,)."""
    pictures = np.stack([each.image for each in samples])[..., ::-1]
    chw = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))
    images = np.asarray(chw.astype(np.float32) / 255, np.float32)
    points = np.stack([each.points for each in samples])
    weights = np.stack([each.weights for each in samples])
    return images, points, weights, np.array([each.size for each in samples], np.float32)
