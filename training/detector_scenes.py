"""Scenes to learn detection from, composed on the fly: faces of any size, turn, light and quality
on pictures without faces, crops of portraits and of clips, and things that only look like faces.

A scene depends on its random generator and the supply alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from mien.arrays import Image
from numpy.typing import NDArray

from .detector_looks import change_light, degrade, make_texture
from .detector_stock import Stock, Supply

Array = NDArray[np.float32]
Rng = np.random.Generator

# Parts of a cut face that must be in the picture for it to count; below that nothing counts there.
VISIBLE = 0.55
SMALLEST, LARGEST = 12.0, 1.05
TURNS = 18.0
# Part of the scenes that show something which was taken for a face.
HARD = 0.15
MIRRORED = (1, 0, 2, 4, 3)


@dataclass(slots=True, kw_only=True, eq=False)
class Scene:
    """A picture (H, W, 3) uint8 BGR under construction, and what is to be found in it.

    boxes   faces that count: box (4,) and points (5, 2);  ignore  boxes where nothing counts
    taken   boxes that must not be painted over
    """

    image: Image
    boxes: list[Array] = field(default_factory=list)
    points: list[Array] = field(default_factory=list)
    ignore: list[Array] = field(default_factory=list)

    def add(self, box: Array, points: Array) -> None:
        """A face that lies where `box` says; what the border cuts off is cut off the box."""
        height, width = self.image.shape[:2]
        cut = np.clip(box, 0, (width, height, width, height)).astype(np.float32)
        area, seen = _area(box), _area(cut)
        if seen <= 0.02 * area:
            return
        if seen < VISIBLE * area or min(cut[2:] - cut[:2]) < 0.75 * SMALLEST:
            self.ignore.append(cut)
        else:
            self.boxes.append(cut)
            self.points.append(points.astype(np.float32))

    @property
    def taken(self) -> Array:
        """All places that must not be painted over: (n, 4)."""
        return np.array([*self.boxes, *self.ignore], np.float32).reshape(-1, 4)


def compose(rng: Rng, supply: Supply, height: int, width: int) -> Scene:
    """One scene of the given size."""
    kind = rng.random()
    if supply.hard and rng.random() < HARD:
        scene = _look_again(rng, supply, height, width)
    elif kind < 0.40:
        scene = _paste_faces(rng, supply, height, width)
    elif kind < 0.64:
        scene = _look_at(rng, _pick(rng, supply.portraits), supply, height, width)
    elif kind < 0.84:
        scene = _look_at(rng, _pick(rng, supply.frames), supply, height, width)
    else:
        scene = Scene(image=_background(rng, supply, height, width))
        _paste_decoys(rng, supply, scene, int(rng.integers(0, 5)))
    if scene.boxes and rng.random() < 0.25:
        _cover(rng, supply, scene)
    if rng.random() < 0.06:
        _letter_box(rng, scene)
    scene.image = degrade(rng, scene.image)
    return scene


def compose_one(
    rng: Rng, supply: Supply, height: int, width: int, *, side: float, turn: float
) -> Scene:
    """A scene of one whole face, `side` pixels high, turned by `turn` degrees; for evaluation."""
    scene = Scene(image=_background(rng, supply, height, width))
    stock = _pick(rng, [each for each in supply.portraits if len(each.boxes) == 1])
    box = stock.boxes[0]
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
    scale = side / float(2 * half[1])
    reach = np.minimum(scale * np.hypot(*half) + 2, np.array([width, height]) / 2)
    target = rng.uniform(reach, (width, height) - reach)
    matrix = _similarity(middle, target, scale, turn, False)
    own = np.array(stock.image.shape[1::-1])
    _blend(rng, stock, scene, matrix, (np.zeros(2), own), round_shape=False, label=True)
    return scene


# --- scenes -------------------------------------------------------------------------------------


def _paste_faces(rng: Rng, supply: Supply, height: int, width: int) -> Scene:
    scene = Scene(image=_background(rng, supply, height, width))
    if rng.random() < 0.3:
        _paste_decoys(rng, supply, scene, int(rng.integers(1, 3)))
    many = rng.random() < 0.35
    # Most faces of a crowd are small, and small ones are the hardest to learn.
    limit = (0.15 if rng.random() < 0.5 else 0.35) if many else LARGEST
    for _ in range(int(rng.integers(5, 16) if many else rng.integers(1, 5))):
        side = _log_uniform(rng, SMALLEST, limit * min(height, width))
        _paste(rng, _pick(rng, supply.portraits), scene, side)
    return scene


def _look_at(rng: Rng, stock: Stock, supply: Supply, height: int, width: int) -> Scene:
    """A window on a picture with its own background, on another one where it ends."""
    own = np.array(stock.image.shape[1::-1], np.float32)
    sides = (stock.boxes[:, 3] - stock.boxes[:, 1]).max(initial=0)
    if sides and rng.random() < 0.7:
        wanted = _log_uniform(rng, 14, LARGEST * min(height, width))
        scale = min(wanted / float(sides), 3.0)
        place = int(rng.integers(len(stock.boxes)))
        centre = (stock.boxes[place, :2] + stock.boxes[place, 2:]) / 2
        target = rng.uniform(0.1, 0.9, 2) * (width, height)
    else:
        scale = float(np.exp(rng.uniform(np.log(0.5), np.log(3.0)))) * max(width, height) / max(own)
        centre = rng.uniform(0.15, 0.85, 2) * own
        target = np.array([width, height]) / 2
    return _window(rng, stock, supply, (height, width), (centre, target, scale))


def _look_again(rng: Rng, supply: Supply, height: int, width: int) -> Scene:
    """A window on a place that was taken for a face, at about the size at which it was."""
    kind, index, box = _pick(rng, supply.hard)
    stock: Stock = getattr(supply, kind)[index]
    centre = np.array([box[0] + box[2], box[1] + box[3]]) / 2
    shown = 2.0 if kind == "backgrounds" else 1.0
    scale = shown * float(np.exp(rng.uniform(np.log(0.6), np.log(1.7))))
    target = rng.uniform(0.15, 0.85, 2) * (width, height)
    return _window(rng, stock, supply, (height, width), (centre, target, scale))


def _window(
    rng: Rng, stock: Stock, supply: Supply, shape: tuple[int, int], view: tuple[Any, Any, float]
) -> Scene:
    """A picture with its own background; view: its point, where that comes to lie, and scale."""
    height, width = shape
    centre, target, scale = view
    matrix = _similarity(centre, target, scale, _turn(rng), rng.random() < 0.5)
    copy, shrink = _copy_for(stock, scale)
    to_scene = _before(matrix, shrink)
    size = (width, height)
    if rng.random() < 0.5:
        warped = cv2.warpAffine(copy, to_scene, size, flags=1, borderMode=cv2.BORDER_REPLICATE)
    else:
        warped = _background(rng, supply, height, width)
        cv2.warpAffine(copy, to_scene, size, dst=warped, flags=1, borderMode=cv2.BORDER_TRANSPARENT)
    scene = Scene(image=change_light(rng, warped, 0.6))
    _add_labels(scene, stock, matrix)
    return scene


def _background(rng: Rng, supply: Supply, height: int, width: int) -> Image:
    """A picture without faces."""
    if rng.random() < 0.12:
        return make_texture(rng, height, width)
    stock = _pick(rng, supply.backgrounds)
    own = np.array(stock.image.shape[1::-1], np.float32)
    quarter = int(rng.integers(4)) * 90 if rng.random() < 0.4 else 0
    scale = float(np.exp(rng.uniform(np.log(1.0), np.log(3.0)))) * max(height, width) / min(own)
    if rng.random() < 0.3:
        scale /= 2.5
    centre = rng.uniform(0.25, 0.75, 2) * own
    middle = np.array([width, height]) / 2
    matrix = _similarity(centre, middle, scale, quarter + rng.normal(0, 6), rng.random() < 0.5)
    copy, shrink = _copy_for(stock, scale)
    image = cv2.warpAffine(
        copy, _before(matrix, shrink), (width, height), flags=1, borderMode=cv2.BORDER_REFLECT
    )
    if rng.random() < 0.15:
        image = np.ascontiguousarray(image[..., rng.permutation(3)])
    return change_light(rng, image, 0.7)


# --- pasting ------------------------------------------------------------------------------------


def _paste(rng: Rng, stock: Stock, scene: Scene, side: float) -> None:
    """Put the faces of a portrait into the scene, the main one `side` pixels high."""
    height, width = scene.image.shape[:2]
    box = stock.boxes[0]
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
    scale = side / float(2 * half[1])
    reach = min(side / 2, 0.3 * min(height, width))
    target = np.array([rng.uniform(-0.1, 1.1) * width, rng.uniform(-0.1, 1.1) * height])
    target = np.clip(target, -reach / 2, (width + reach / 2, height + reach / 2))
    matrix = _similarity(middle, target, scale, _turn(rng), rng.random() < 0.5)
    shape = rng.random()
    if shape < 0.55:  # a head
        low, high = (
            middle - half * rng.uniform(1.15, 1.9, 2),
            middle + half * rng.uniform(1.1, 1.7, 2),
        )
    elif shape < 0.8:  # a window
        low, high = (
            middle - half * rng.uniform(1.2, 2.2, 2),
            middle + half * rng.uniform(1.2, 2.2, 2),
        )
    else:  # the whole picture
        low, high = np.zeros(2), np.array(stock.image.shape[1::-1])
    _blend(rng, stock, scene, matrix, (low, high), round_shape=shape < 0.55, label=True)


def _paste_decoys(rng: Rng, supply: Supply, scene: Scene, count: int) -> None:
    """Parts of portraits that are no face: hair, clothes, an ear, a chin, a face in disorder."""
    height, width = scene.image.shape[:2]
    for _ in range(count):
        stock = _pick(rng, supply.portraits)
        if len(stock.boxes) != 1 or len(stock.ignore):
            continue
        if rng.random() < 0.3:
            stock = _disorder(rng, stock)
            low: Any = stock.boxes[0, :2]
            high: Any = stock.boxes[0, 2:]
        else:
            own = np.array(stock.image.shape[1::-1], np.float32)
            size = rng.uniform(0.15, 0.5, 2) * own
            low = rng.uniform(0, 1, 2) * (own - size)
            high = low + size
            window = np.concatenate([low, high])
            if _shared(window[None], stock.boxes)[0, 0] > 0.15 * _area(stock.boxes[0]):
                continue
        side = _log_uniform(rng, 12, 0.8 * min(height, width))
        scale = side / float(max(high - low))
        target = rng.uniform(0, 1, 2) * (width, height)
        matrix = _similarity((low + high) / 2, target, scale, rng.uniform(-180, 180), False)
        _blend(rng, stock, scene, matrix, (low, high), round_shape=rng.random() < 0.5, label=False)


def _blend(
    rng: Rng,
    stock: Stock,
    scene: Scene,
    matrix: Array,
    window: tuple[Any, Any],
    *,
    round_shape: bool,
    label: bool,
) -> None:
    """Paint the window (low, high corner) of a picture on the scene with soft edges."""
    height, width = scene.image.shape[:2]
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    own = np.array(stock.image.shape[1::-1], np.float32)
    low, high = np.clip(window[0], 0, own), np.clip(window[1], 0, own)
    corners = _move(np.array([low, (high[0], low[1]), high, (low[0], high[1])]), matrix)
    x0, y0 = np.floor(np.maximum(corners.min(0) - 1, 0)).astype(int)
    x1, y1 = np.ceil(np.minimum(corners.max(0) + 1, (width, height))).astype(int)
    if x1 - x0 < 4 or y1 - y0 < 4:
        return
    place = np.array([[x0, y0, x1, y1]], np.float32)
    if len(scene.taken) and _shared(place, scene.taken).max() > 0:
        return
    copy, shrink = _copy_for(stock, scale)
    local = _before(matrix, shrink).copy()
    local[:, 2] -= (x0, y0)
    alpha = _soft_shape(rng, copy.shape, low * shrink, high * shrink, round_shape)
    size = (int(x1 - x0), int(y1 - y0))
    face = cv2.warpAffine(copy, local, size, flags=1, borderMode=cv2.BORDER_REPLICATE)
    weight = cv2.warpAffine(alpha, local, size, flags=1)[..., None].astype(np.float32) / 255
    face = change_light(rng, face, 0.5).astype(np.float32)
    under = scene.image[y0:y1, x0:x1]
    scene.image[y0:y1, x0:x1] = np.rint(under + (face - under) * weight)
    if label:
        _add_labels(scene, stock, matrix)


def _soft_shape(
    rng: Rng, shape: tuple[int, ...], low: Any, high: Any, round_shape: bool
) -> NDArray[np.uint8]:
    """(H, W) uint8: 255 inside the window or its ellipse, soft at the edge."""
    alpha = np.zeros(shape[:2], np.uint8)
    soft = rng.uniform(0.02, 0.12) * float(min(high - low))
    inner_low, inner_high = low + soft, high - soft
    if round_shape:
        centre, axes = (inner_low + inner_high) / 2, (inner_high - inner_low) / 2
        cv2.ellipse(
            alpha, np.rint(centre).astype(int).tolist(), np.rint(axes).astype(int).tolist(),
            0, 0, 360, 255, -1,
        )  # fmt: skip
    else:
        left, top = np.rint(inner_low).astype(int)
        right, bottom = np.rint(inner_high).astype(int)
        alpha[max(top, 0) : bottom, max(left, 0) : right] = 255
    blur = 2 * int(soft) + 1
    return np.asarray(cv2.blur(alpha, (blur, blur))) if blur > 1 else alpha


def _disorder(rng: Rng, stock: Stock) -> Stock:
    """The picture with the parts of its face exchanged."""
    x0, y0, x1, y1 = np.clip(stock.boxes[0], 0, None).astype(int)
    image = stock.image.copy()
    face = image[y0:y1, x0:x1]
    rows, columns = face.shape[0] // 3, face.shape[1] // 3
    if min(rows, columns) < 4:
        return stock
    tiles = [
        face[i * rows : (i + 1) * rows, j * columns : (j + 1) * columns].copy()
        for i in range(3)
        for j in range(3)
    ]
    for place, which in enumerate(rng.permutation(9)):
        i, j = divmod(place, 3)
        turned = np.rot90(tiles[which], 2 * int(rng.integers(2)))
        face[i * rows : (i + 1) * rows, j * columns : (j + 1) * columns] = turned
    copies = [image]
    for old in stock.copies[1:]:
        copies.append(cv2.resize(image, old.shape[1::-1], interpolation=cv2.INTER_AREA))
    return Stock(copies=tuple(copies), boxes=stock.boxes, points=stock.points, ignore=stock.ignore)


def _cover(rng: Rng, supply: Supply, scene: Scene) -> None:
    """Something in front of a face: a band or a blob of skin, of a plain colour or of a picture."""
    height, width = scene.image.shape[:2]
    for box in scene.boxes:
        if rng.random() < 0.4:
            continue
        size = box[2:] - box[:2]
        centre = box[:2] + rng.uniform(0.0, 1.0, 2) * size
        axes = size * rng.uniform(0.12, 0.38, 2)
        mask = np.zeros((height, width), np.uint8)
        turn = float(rng.uniform(0, 180))
        if rng.random() < 0.5:
            cv2.ellipse(
                mask, np.rint(centre).astype(int).tolist(), np.rint(axes).astype(int).tolist(),
                turn, 0, 360, 255, -1,
            )  # fmt: skip
        else:
            corners = cv2.boxPoints((centre.tolist(), (2 * axes * (1, 0.7)).tolist(), turn))
            cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], 255)
        where = mask > 0
        look = rng.random()
        if look < 0.45:  # skin, as of a hand
            x, y = np.clip((box[:2] + size * 0.5).astype(int), 0, (width - 1, height - 1))
            tone = scene.image[y, x].astype(np.float32) * rng.uniform(0.7, 1.2)
            noise = cv2.resize(rng.normal(0, 10, (6, 6)).astype(np.float32), (width, height))
            paint = np.clip(tone + noise[..., None], 0, 255)
        elif look < 0.7:
            paint = np.broadcast_to(rng.integers(0, 256, 3), scene.image.shape)
        else:
            paint = _background(rng, supply, height, width)
        scene.image[where] = paint[where]


def _letter_box(rng: Rng, scene: Scene) -> None:
    """Black bars, as a clip of another shape has them; a face counts by what they leave of it."""
    height, width = scene.image.shape[:2]
    bar = int(rng.uniform(0.05, 0.2) * height)
    sides = rng.random() < 0.4
    low, high = ((bar, 0), (width - bar, height)) if sides else ((0, bar), (width, height - bar))
    kept = np.zeros_like(scene.image)
    kept[low[1] : high[1], low[0] : high[0]] = scene.image[low[1] : high[1], low[0] : high[0]]
    boxes, points, scene.boxes, scene.points = scene.boxes, scene.points, [], []
    scene.image = kept
    for box, marks in zip(boxes, points, strict=True):
        cut = np.clip(box, np.tile(low, 2), np.tile(high, 2)).astype(np.float32)
        if _area(cut) >= 0.7 * _area(box):
            scene.add(cut, marks)
        elif _area(cut) > 0:
            scene.ignore.append(cut)


# --- small parts --------------------------------------------------------------------------------


def _add_labels(scene: Scene, stock: Stock, matrix: Array) -> None:
    mirrored = float(np.linalg.det(matrix[:, :2])) < 0
    for box, marks in zip(stock.boxes, stock.points, strict=True):
        moved = _move(marks, matrix)
        scene.add(move_box(box, matrix), moved[list(MIRRORED)] if mirrored else moved)
    for box in stock.ignore:
        scene.ignore.append(move_box(box, matrix))


def move_box(box: Array, matrix: Array) -> Array:
    """The box of a moved face: of the ellipse in the box, since a face is no rectangle."""
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
    reach = np.sqrt(((matrix[:, :2] * half) ** 2).sum(axis=1))
    moved = _move(middle[None], matrix)[0]
    return np.concatenate([moved - reach, moved + reach]).astype(np.float32)


def _similarity(centre: Any, target: Any, scale: float, degrees: float, mirror: bool) -> Array:
    """(2, 3): puts `centre` on `target`, turned and enlarged."""
    angle = np.deg2rad(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if mirror:
        turn = turn * (-1, 1)
    move = np.asarray(target) - turn @ np.asarray(centre)
    return np.column_stack([turn, move]).astype(np.float32)


def _turn(rng: Rng) -> float:
    """Degrees that a face is turned by: mostly few, at times up to 65."""
    return float(rng.uniform(-65, 65) if rng.random() < 0.3 else rng.normal(0, TURNS))


def _copy_for(stock: Stock, scale: float) -> tuple[Image, float]:
    """(the copy that is shrunk to no less than half, its size over that of the first copy)."""
    level = int(np.clip(np.floor(np.log2(max(1 / scale, 1.0)) + 0.25), 0, len(stock.copies) - 1))
    copy = stock.copies[level]
    return copy, copy.shape[1] / stock.image.shape[1]


def _before(matrix: Array, shrink: float) -> Array:
    """The matrix for a copy that is `shrink` times as large as the picture it was made for."""
    out = matrix.copy()
    out[:, :2] /= shrink
    # Pixel centres: p of the copy is (p + 1/2) / shrink - 1/2 of the picture.
    out[:, 2] += matrix[:, :2].sum(axis=1) * (0.5 / shrink - 0.5)
    return out


def _move(points: Any, matrix: Array) -> Array:
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], np.float32)


def _area(box: Array) -> float:
    return float(max(box[2] - box[0], 0) * max(box[3] - box[1], 0))


def _shared(first: Array, second: Array) -> Array:
    """(n, m) areas that boxes share."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    return np.asarray(np.prod(np.maximum(high - low, 0), axis=2), np.float32)


def _log_uniform(rng: Rng, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(max(high, low + 1)))))


def _pick(rng: Rng, among: Any) -> Any:
    return among[int(rng.integers(len(among)))]
