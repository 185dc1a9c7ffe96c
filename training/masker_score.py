"""How well a masker does on people whom it never saw: `score` gives the numbers of a model card.

Truth is what the mesh draws, up to the hairline, less what was painted over it.  The things
painted have textures and skin of the held-out side, so neither was ever learned from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mien.arrays import Image, Mask, as_float
from mien.geometry import crop_to_bgr, make_crop
from mien.onnx import open_session
from mien.types import Crop, CropSpec, Face, FaceType, Frame
from mien_mask_bisenet.masks import enlarge, soft_mask
from numpy.typing import NDArray

from .masker_labels import CLASSES, Labels, draw
from .masker_occluders import PAINTERS, Painter, Rng, Scene, add_occluders, paint_real_hand
from .masker_samples import Labelled, Stock, read_stock
from .masker_shapes import as_picture

Predict = Callable[[Sequence[Crop]], Sequence[Mask]]
Classify = Callable[[Sequence[Crop]], Sequence[Labels]]
FACE = tuple(range(1, len(CLASSES)))
# Shares of the face that a painted thing hides: less tells nothing, more leaves no face.
_LEAST_HIDDEN, _MOST_HIDDEN = 0.05, 0.6
_BATCH = 8


def overlap(mask: NDArray[Any], truth: NDArray[Any]) -> float:
    """Intersection over union of two shapes; 1 where both are empty."""
    first, second = mask > 0.5, truth > 0.5
    either = int((first | second).sum())
    return int((first & second).sum()) / either if either else 1.0


def crop_of(labelled: Labelled, spec: CropSpec) -> tuple[Crop, Labels]:
    """The crop that the program would cut, and the class of each of its pixels."""
    points = labelled.outlines.points68
    box = (*points.min(0).tolist(), *points.max(0).tolist())
    crop = make_crop(Frame(index=0, image=labelled.image), Face(box=box, landmarks=points), spec)
    return crop, draw(labelled.outlines, crop.matrix, spec.size)


def choose_painter(rng: Rng, stock: Stock) -> Painter:
    """Any painter, one as often as the other; filmed hands only where the stock has some."""
    painters = [each for each, _ in PAINTERS if stock.hands or each is not paint_real_hand]
    return painters[int(rng.integers(len(painters)))]


def hide_part(crop: Crop, labels: Labels, stock: Stock, seed: int) -> tuple[Crop, Labels, str]:
    """The crop with one thing painted over part of the face, what is left of the labels, and the
    thing's name."""
    rng = np.random.default_rng([7, seed])
    image = as_picture(255 * crop_to_bgr(crop.image, crop.spec))
    scene = Scene(
        image=image,
        points=crop.landmarks,
        textures=stock.textures,
        skins=stock.skins,
        hands=stock.hands,
    )
    while True:
        painter = choose_painter(rng, stock)
        painted, hidden = add_occluders(scene, rng, [painter])
        left = np.where(hidden > 0.5, 0, labels).astype(np.uint8)
        share = 1 - float((left > 0).sum()) / max(1, int((labels > 0).sum()))
        if _LEAST_HIDDEN <= share <= _MOST_HIDDEN:
            name = painter.__name__.removeprefix("paint_")
            return replace(crop, image=_as_spec(painted, crop.spec)), left, name


def score(
    predict: Predict, spec: CropSpec, stock: Stock, face: Sequence[int] = FACE
) -> dict[str, Any]:
    """Mean intersection over union of the face with and without things before it, by origin and
    by thing; and how much of pictures without a face is taken for one.

    face  the classes that make up the truth
    """
    made = [crop_of(each, spec) for each in stock.faces]
    whole = _overlaps(predict, made, face)
    covered = [hide_part(*pair, stock, seed) for seed, pair in enumerate(made)]
    seen = _overlaps(predict, [(crop, labels) for crop, labels, _ in covered], face)
    origins = [each.picture.origin for each in stock.faces]
    empty = [_without_face(image, made[0][0]) for image in stock.textures]
    taken = [float((mask > 0.5).mean()) for mask in _in_batches(predict, empty)]
    return {
        "faces": len(made),
        "iou": _mean(whole),
        "iou_worst_tenth": _mean(sorted(whole)[: max(1, len(whole) // 10)]),
        "iou_by_origin": _by(origins, whole),
        "iou_occluded": _mean(seen),
        "iou_occluded_worst_tenth": _mean(sorted(seen)[: max(1, len(seen) // 10)]),
        "iou_by_thing": _by([name for *_, name in covered], seen),
        "taken_without_face": _mean(taken),
    }


def score_classes(classify: Classify, spec: CropSpec, stock: Stock) -> dict[str, float]:
    """Intersection over union of single classes, over all pictures together: a mouth that is shut
    has no overlap of its own."""
    made = [crop_of(each, spec) for each in stock.faces]
    truths = np.stack([labels for _, labels in made])
    seen = np.stack(_in_batches(classify, [crop for crop, _ in made]))
    return {
        name: round(overlap(seen == number, truths == number), 4)
        for number, name in enumerate(CLASSES)
    }


def score_net(path: Path, data: Path) -> dict[str, Any]:
    """The numbers of an ONNX file as the recipe writes it."""
    session = open_session(path, threads=1)
    stock = read_stock(data, held_out=True)
    spec = CropSpec(face_type=FaceType.WHOLE, size=256, order="rgb")
    face = np.array([name != "background" for name in CLASSES])

    def ask(crops: Sequence[Crop]) -> NDArray[np.float32]:
        fed = np.stack([crop.image for crop in crops]).transpose(0, 3, 1, 2)
        (scores,) = session.run(None, {"image": np.ascontiguousarray(fed)})
        return np.asarray(scores, np.float32)

    def predict(crops: Sequence[Crop]) -> list[Mask]:
        return list(soft_mask(ask(crops), face, spec.size)[..., None])

    def classify(crops: Sequence[Crop]) -> list[Labels]:
        return list(enlarge(ask(crops), spec.size).argmax(1).astype(np.uint8))

    report = score(predict, spec, stock)
    return report | {"iou_by_class": score_classes(classify, spec, stock)}


def _overlaps(
    predict: Predict, made: Sequence[tuple[Crop, Labels]], face: Sequence[int]
) -> list[float]:
    masks = _in_batches(predict, [crop for crop, _ in made])
    pairs = zip(masks, made, strict=True)
    return [overlap(mask[..., 0], np.isin(labels, face)) for mask, (_, labels) in pairs]


def _in_batches(ask: Callable[[Sequence[Crop]], Sequence[Any]], crops: Sequence[Crop]) -> list[Any]:
    starts = range(0, len(crops), _BATCH)
    return [each for start in starts for each in ask(crops[start : start + _BATCH])]


def _without_face(image: Image, like: Crop) -> Crop:
    side = like.spec.size
    return replace(like, image=_as_spec(cv2.resize(image, (side, side)), like.spec))


def _as_spec(image: Image, spec: CropSpec) -> Image:
    """A uint8 BGR picture as a crop of this spec holds it."""
    ordered = np.ascontiguousarray(image[..., ::-1]) if spec.order == "rgb" else image
    if spec.dtype == "uint8":
        return ordered
    return as_float(ordered) * np.float32(spec.high - spec.low) + np.float32(spec.low)


def _by(names: Sequence[str], values: Sequence[float]) -> dict[str, float]:
    groups: dict[str, list[float]] = defaultdict(list)
    for name, value in zip(names, values, strict=True):
        groups[name].append(value)
    return {name: _mean(group) for name, group in sorted(groups.items())}


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 4)
