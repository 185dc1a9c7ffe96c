"""Samples for the masker: crops as the program will cut them, in any light, with anything in front.

Every sample follows from the seed and its number alone, so a training that was interrupted goes on
with the samples it would have seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from mien.arrays import Image, Matrix
from mien.geometry import compose, crop_matrix, transform
from mien.types import FaceType
from numpy.typing import NDArray

from .data import Picture, is_held_out, read_image, read_pictures
from .masker_hands import read_hands
from .masker_labels import (
    Labels,
    Outlines,
    draw,
    find_triangles,
    is_usable,
    mark_unknown,
    trace,
)
from .masker_occluders import Rng, Scene, add_occluders, choose_painters
from .masker_shapes import as_picture

FACE_TYPES = (FaceType.WHOLE, FaceType.FULL, FaceType.HEAD)
_TYPE_CHANCES = (0.65, 0.23, 0.12)
_NO_FACE_CHANCE = 0.04
_OCCLUDED_CHANCE = 0.62


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labelled:
    """A picture in memory with the outlines of its face."""

    picture: Picture
    image: Image
    outlines: Outlines


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stock:
    """All that samples are made of; one side of the split.  Hands were filmed on one side only."""

    faces: Sequence[Labelled]
    textures: Sequence[Image]
    skins: Sequence[Image]
    hands: Sequence[Image] = ()


def read_stock(data: Path, *, held_out: bool) -> Stock:
    """The stock of one side of the split.  data  the folder that holds `faces/` and `clips/`."""
    everyone = read_pictures(data / "faces")
    triangles = find_triangles([each for each in everyone if is_usable(each)])
    chosen = [each for each in everyone if is_held_out(each) == held_out]
    faces = [
        Labelled(picture=each, image=read_image(each), outlines=trace(each, triangles))
        for each in chosen
        if is_usable(each)
    ]
    textures = [read_image(each) for each in chosen if not each.faces]
    return Stock(
        faces=faces,
        textures=textures,
        skins=[skin_patch(each) for each in faces],
        hands=[] if held_out else read_hands(data),
    )


def skin_patch(labelled: Labelled) -> Image:
    """A square of skin between eye and mouth, at least 8 pixels wide."""
    points = labelled.outlines.points68
    x, y = points[[30, 36, 39, 48]].mean(0)
    half = max(4.0, 0.22 * float(np.linalg.norm(points[45] - points[36])))
    height, width = labelled.image.shape[:2]
    x, y = np.clip(x, half, width - half), np.clip(y, half, height - half)
    return labelled.image[int(y - half) : int(y + half), int(x - half) : int(x + half)].copy()


def make_sample(stock: Stock, rng: Rng, size: int) -> tuple[Image, Labels]:
    """A crop (size, size, 3) uint8 BGR, and the class of each of its pixels, UNKNOWN where nobody
    knows."""
    if rng.random() < _NO_FACE_CHANCE:
        return _without_face(stock, rng, size)
    labelled = stock.faces[int(rng.integers(len(stock.faces)))]
    matrix = jittered_matrix(labelled.outlines.points68, rng, size)
    image, inside = _take(stock, labelled.image, matrix, rng, size)
    labels = mark_unknown(draw(labelled.outlines, matrix, size), image, labelled.outlines, matrix)
    labels[~inside] = 0
    if rng.random() < _OCCLUDED_CHANCE:
        scene = Scene(
            image=image,
            points=transform(matrix, labelled.outlines.points68),
            textures=stock.textures,
            skins=stock.skins,
            hands=stock.hands,
        )
        count = int(rng.choice([1, 2, 3], p=[0.6, 0.3, 0.1]))
        image, hidden = add_occluders(scene, rng, choose_painters(rng, count))
        labels[hidden > 0.5] = 0
    return change_look(image, rng), labels


def jittered_matrix(points: NDArray[np.float32], rng: Rng, size: int) -> Matrix:
    """Picture to crop: of some face type, as if an aligner had erred, perhaps mirrored."""
    face_type = FACE_TYPES[rng.choice(len(FACE_TYPES), p=_TYPE_CHANCES)]
    matrix = crop_matrix(points, face_type, size)
    angle = np.deg2rad(rng.normal(0, 30 if rng.random() < 0.1 else 7))
    scale = np.exp(rng.normal(0, 0.09))
    stretch = np.exp(rng.normal(0, 0.04))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.diag([stretch, 1 / stretch])
    if rng.random() < 0.5:
        linear = linear @ np.diag([-1.0, 1.0])
    centre = np.full(2, (size - 1) / 2)
    moved = centre + rng.normal(0, 0.035, 2) * size - linear @ centre
    return compose(matrix, np.column_stack([linear, moved]))


def _take(
    stock: Stock, image: Image, matrix: Matrix, rng: Rng, size: int
) -> tuple[Image, NDArray[np.bool_]]:
    """The crop, and where it shows the picture; around it black, the edge, or another picture."""
    zoom = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    how = cv2.INTER_AREA if zoom < 0.5 else cv2.INTER_LINEAR
    shape = (size, size)
    inside = cv2.warpAffine(np.full(image.shape[:2], 255, np.uint8), matrix, shape) > 127
    kind = rng.random()
    if kind < 0.35:
        return cv2.warpAffine(image, matrix, shape, flags=how), inside
    crop = cv2.warpAffine(image, matrix, shape, flags=how, borderMode=cv2.BORDER_REPLICATE)
    if kind < 0.6:
        around = stock.textures[int(rng.integers(len(stock.textures)))]
        crop = np.where(inside[..., None], crop, cv2.resize(around, shape))
    return crop, inside


def _without_face(stock: Stock, rng: Rng, size: int) -> tuple[Image, Labels]:
    source = stock.textures[int(rng.integers(len(stock.textures)))]
    side = int(rng.uniform(0.3, 1.0) * min(source.shape[:2]))
    y, x = (int(rng.integers(0, limit - side + 1)) for limit in source.shape[:2])
    image = cv2.resize(source[y : y + side, x : x + side], (size, size))
    return change_look(image, rng), np.zeros((size, size), np.uint8)


def change_look(image: Image, rng: Rng) -> Image:
    """The same scene in another light, through another camera, after another codec."""
    size = image.shape[0]
    if rng.random() < 0.35:
        small = int(size * rng.uniform(0.2, 0.8))
        how = cv2.INTER_LINEAR if rng.random() < 0.7 else cv2.INTER_CUBIC
        reduced = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        image = cv2.resize(reduced, (size, size), interpolation=how)
    if rng.random() < 0.2:
        image = _blurred(image, rng)
    image = cv2.LUT(image, _tone_table(rng))
    if rng.random() < 0.3:
        ramp = np.linspace(-1, 1, size, dtype=np.float32)
        slope = rng.normal(0, 0.3, 2)
        light = np.float32(1) + ramp * np.float32(slope[0]) + ramp[:, None] * np.float32(slope[1])
        image = as_picture(image * np.clip(light, 0.25, 2)[..., None])
    if rng.random() < 0.3:
        grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        part = 1.0 if rng.random() < 0.5 else rng.uniform(-0.4, 0.9)
        image = cv2.addWeighted(grey, part, image, 1 - part, 0)
    if rng.random() < 0.35:
        noise = rng.standard_normal(image.shape, np.float32) * np.float32(rng.uniform(1, 14))
        image = as_picture(image + noise)
    if rng.random() < 0.35:
        quality = int(rng.integers(18, 90))
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return image


def _blurred(image: Image, rng: Rng) -> Image:
    size = image.shape[0]
    if rng.random() < 0.6:
        return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 2.2) * size / 256 + 0.1)
    length = int(rng.integers(3, 4 + size // 20))
    line = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi)
    reach = np.array([np.cos(angle), np.sin(angle)]) * (length - 1) / 2
    middle = (length - 1) / 2
    ends = [tuple(np.rint(middle + sign * reach).astype(int).tolist()) for sign in (-1, 1)]
    cv2.line(line, ends[0], ends[1], 1.0)
    return cv2.filter2D(image, -1, line / line.sum())


def _tone_table(rng: Rng) -> NDArray[np.uint8]:
    """(1, 256, 3): gamma, contrast, exposure and a cast, now and then very dark."""
    level = np.linspace(0, 1, 256)[:, None]
    gamma = np.exp(rng.normal(0, 0.3))
    gain = np.exp(rng.normal(0, 0.18)) * np.exp(rng.normal(0, 0.06, 3))
    if rng.random() < 0.07:
        gain = gain * rng.uniform(0.15, 0.5)
    lifted = level**gamma * gain + rng.normal(0, 0.04)
    return as_picture(255 * lifted)[None]
