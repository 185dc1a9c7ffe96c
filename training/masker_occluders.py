"""Things in front of a face, painted: what the masker learns to leave out.

Each painter gets a `Scene` and gives a layer: a picture and how much of it covers the face.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from mien.arrays import Image

from .data import Array
from .masker_shapes import (
    FINER,
    Cover,
    Plane,
    as_picture,
    disc,
    filled,
    fixed,
    reduced,
    rotation,
    stroke,
)

Rng = np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """What a painter may look at.

    image     (S, S, 3) uint8 BGR crop;  points  (68, 2) landmarks in it
    textures  pictures of anything but faces;  skins  patches of other people's skin
    hands     cut-outs (h, w, 4) of real hands, as `masker_hands` makes them; may be empty
    """

    image: Image
    points: Array
    textures: Sequence[Image]
    skins: Sequence[Image]
    hands: Sequence[Image] = ()

    @property
    def size(self) -> int:
        """Side of the crop."""
        return int(self.image.shape[0])

    @property
    def reach(self) -> float:
        """Distance from brow to chin, the measure of everything that is painted."""
        return float(np.linalg.norm(self.points[8] - self.points[27])) + 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """A painted thing: picture (S, S, 3) uint8 BGR and cover (S, S) float32 0..1.

    occludes  whether what it covers is no longer face; thin frames of glasses leave it face
    """

    picture: Image
    cover: Cover
    occludes: bool = True


Painter = Callable[[Scene, Rng], Layer]


def paint_blob(scene: Scene, rng: Rng) -> Layer:
    """A round or ragged patch of some texture or of somebody's skin."""
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    wave = sum(
        rng.normal(0, 0.35 / k) * np.cos(k * angle + rng.uniform(0, 6.3)) for k in range(1, 7)
    )
    radius = scene.reach * rng.uniform(0.12, 0.5) * np.exp(0.6 * np.asarray(wave))
    line = np.stack([np.cos(angle), np.sin(angle)], 1) * radius[:, None]
    line = line * (1, rng.uniform(0.5, 1.5)) + _somewhere(scene, rng)
    return Layer(picture=_surface(scene, rng), cover=filled(scene.size, [line]))


def paint_board(scene: Scene, rng: Rng) -> Layer:
    """A book, telephone, paper or arm: a turned rectangle of a colour or texture."""
    half = scene.reach * rng.uniform(0.1, 0.6, 2)
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * half * rng.uniform(0.8, 1.2, (4, 2))
    line = corners @ rotation(rng.uniform(0, 6.3)).T + _somewhere(scene, rng)
    return Layer(picture=_surface(scene, rng), cover=filled(scene.size, [line]))


def paint_hand(scene: Scene, rng: Rng) -> Layer:
    """A palm with fingers, of the colour of this face or another, shaded as something round."""
    width = scene.reach * rng.uniform(0.1, 0.2)
    turn = rotation(rng.uniform(0, 6.3))
    goal = _somewhere(scene, rng)
    count = int(rng.integers(1, 6))
    spread = rng.uniform(0.0, 0.22)
    length = rng.uniform(2.4, 4.6) * width
    shapes: list[Cover] = []
    for finger in range(count):
        place = finger - (count - 1) / 2
        root = np.array([place * width * rng.uniform(0.9, 1.15), 0.0])
        heading = place * spread + rng.normal(0, 0.06)
        joints = [root]
        for part in (0.5, 0.3, 0.24):
            step = np.array([np.sin(heading), -np.cos(heading)]) * length * part
            joints.append(joints[-1] + step * rng.uniform(0.85, 1.1))
            heading += rng.normal(0, 0.22)
        line = np.array(joints) @ turn.T + goal
        shapes.append(stroke(scene.size, line, width * rng.uniform(0.8, 1.05)))
    if rng.random() < 0.75:
        angle = np.linspace(0, 2 * np.pi, 32)
        palm = np.stack([np.cos(angle), np.sin(angle)], 1)
        palm *= (width * (count + 0.6) / 2, width * rng.uniform(1.2, 2.4))
        palm[:, 1] += width * rng.uniform(0.6, 1.6)
        shapes.insert(0, filled(scene.size, [palm @ turn.T + goal]))
    grain = scene.skins[int(rng.integers(len(scene.skins)))] if rng.random() < 0.7 else None
    if grain is not None:
        grain = cv2.resize(grain, (scene.size, scene.size))
    picture, cover = _shaded(shapes, _skin(scene, rng), width, rng, grain)
    return Layer(picture=picture, cover=cover)


def paint_real_hand(scene: Scene, rng: Rng) -> Layer:
    """A hand that was filmed, turned and sized at will, mostly in the colour of this face."""
    if not scene.hands:
        return paint_hand(scene, rng)
    hand = scene.hands[int(rng.integers(len(scene.hands)))]
    middle = np.array([hand.shape[1], hand.shape[0]]) / 2
    scale = scene.reach * rng.uniform(0.5, 1.5) / max(hand.shape[:2])
    linear = scale * rotation(rng.uniform(0, 6.3)) @ np.diag([rng.choice([-1, 1]), 1.0])
    matrix = np.column_stack([linear, _somewhere(scene, rng) - linear @ middle])
    how = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR
    seen = cv2.warpAffine(hand, matrix, (scene.size, scene.size), flags=how)
    picture = seen[..., :3].astype(np.float32)
    if rng.random() < 0.85:
        tone = hand[..., :3][hand[..., 3] > 128].reshape(-1, 3).mean(0)
        picture *= (_skin(scene, rng) / np.maximum(tone, 8)).astype(np.float32)
    return Layer(picture=as_picture(picture), cover=seen[..., 3] / np.float32(255))


def paint_hair(scene: Scene, rng: Rng) -> Layer:
    """A lock or curtain of strands, from above or from a side of the face."""
    down = scene.points[8] - scene.points[27]
    start = scene.points[rng.integers(17, 27)] + rng.normal(0, 0.2, 2) * scene.reach
    start = start - down * rng.uniform(0.2, 0.8)
    fall = down * rng.uniform(0.4, 1.6)
    side = np.array([-fall[1], fall[0]]) * rng.normal(0, 0.3)
    colour = rng.uniform(5, 80) * np.array([0.6, 0.8, 1.0]) * rng.uniform(0.6, 2.4)
    wide = scene.reach * rng.uniform(0.03, 0.35)
    count = int(rng.integers(10, 30) + 140 * wide / scene.reach)
    picture = np.empty((scene.size, scene.size, 3), np.float32)
    picture[:] = colour
    cover = np.zeros((scene.size * FINER,) * 2, np.uint8)
    time = np.linspace(0, 1, 9)[:, None]
    roots = start + rng.normal(0, 1, (count, 2)) * wide * (1, 0.25)
    bows = side * rng.uniform(0.6, 1.3, (count, 1)) + rng.normal(0, 0.04, (count, 2)) * scene.reach
    ends = fall * rng.uniform(0.6, 1.1, (count, 1))
    for root, bow, end in zip(roots, bows, ends, strict=True):
        strand = root + end * time + bow * time * (1 - time) * 4
        thick = int(rng.integers(1, 2 + max(2, scene.size // 64)))
        cv2.polylines(cover, [fixed(strand, FINER)], False, 255, thick, cv2.LINE_AA, 4)
        shade = np.clip(colour * rng.uniform(0.5, 1.8), 0, 255).tolist()
        cv2.polylines(picture, [fixed(strand, 1)], False, shade, max(1, thick // 2), cv2.LINE_8, 4)
    if rng.random() < 0.5:  # strands lie close: no skin between them
        cv2.morphologyEx(cover, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8), dst=cover)
    return Layer(picture=as_picture(cv2.blur(picture, (2, 2))), cover=reduced(cover))


def paint_dark_glasses(scene: Scene, rng: Rng) -> Layer:
    """Opaque sunglasses on the eyes."""
    lenses = _lenses(scene, rng, rng.uniform(0.85, 1.25))
    bridge = np.stack([lenses[0].mean(0), lenses[1].mean(0)])
    cover = np.maximum(filled(scene.size, lenses), stroke(scene.size, bridge, scene.reach * 0.05))
    tone = rng.uniform(0, 60) * np.ones(3) * rng.uniform(0.6, 1.3, 3)
    ramp = np.linspace(0.6, rng.uniform(0.8, 2.2), scene.size, dtype=np.float32)[:, None, None]
    glare = _surface(scene, rng).astype(np.float32) * np.float32(rng.uniform(0, 0.25))
    return Layer(picture=as_picture(tone * ramp + glare), cover=cover)


def paint_thin_glasses(scene: Scene, rng: Rng) -> Layer:
    """Frames of glasses one can see through: the face stays face."""
    canvas = np.zeros((scene.size * FINER,) * 2, np.uint8)
    thick = max(1, round(scene.reach * rng.uniform(0.02, 0.07)))
    lenses = _lenses(scene, rng, rng.uniform(0.8, 1.15))
    cv2.polylines(canvas, [fixed(one, FINER) for one in lenses], True, 255, thick, cv2.LINE_AA, 4)
    inner = np.stack([one[np.argmin(np.abs(one - scene.points[27]).sum(1))] for one in lenses])
    ears = scene.points[[0, 16]]
    outer = [
        one[np.argmin(np.abs(one - ear).sum(1))] for one, ear in zip(lenses, ears, strict=True)
    ]
    lines = [inner, *(np.stack(pair) for pair in zip(outer, ears, strict=True))]
    cv2.polylines(canvas, [fixed(one, FINER) for one in lines], False, 255, thick, cv2.LINE_AA, 4)
    tone = np.full((scene.size, scene.size, 3), rng.uniform(0, 200)) * rng.uniform(0.6, 1.2, 3)
    return Layer(picture=as_picture(tone), cover=reduced(canvas), occludes=False)


def paint_microphone(scene: Scene, rng: Rng) -> Layer:
    """A ball with a grid on a stick, before the lower face."""
    goal = scene.points[rng.integers(48, 68)] + rng.normal(0, 0.18, 2) * scene.reach
    radius = scene.reach * rng.uniform(0.1, 0.28)
    away = rotation(rng.normal(0, 0.9)) @ np.array([0.0, 1.0]) * scene.size * 1.5
    stick = stroke(scene.size, np.stack([goal, goal + away]), radius * rng.uniform(0.6, 1.3))
    ball = disc(scene.size, goal, radius)
    tone = rng.uniform(10, 190)
    colour = np.full(3, tone) * rng.uniform(0.7, 1.2, 3)
    picture, cover = _shaded([stick, ball], colour, radius, rng)
    step = max(2, round(radius * rng.uniform(0.12, 0.3)))
    grid = (np.indices(cover.shape).sum(0) // step % 2 * 0.35 + 0.8).astype(np.float32)
    meshed = picture * np.where(ball > 0.5, grid, 1)[..., None]
    return Layer(picture=as_picture(meshed), cover=cover)


def paint_cup(scene: Scene, rng: Rng) -> Layer:
    """A cup or glass before the mouth: a shaded trapezium with a rim."""
    goal = scene.points[57] + rng.normal(0, 0.12, 2) * scene.reach
    top, bottom = scene.reach * rng.uniform(0.25, 0.5), scene.reach * rng.uniform(0.18, 0.4)
    height = scene.reach * rng.uniform(0.5, 1.1)
    corners = np.array([(-top, 0), (top, 0), (bottom, height), (-bottom, height)])
    turn = rotation(rng.normal(0, 0.3))
    cover = filled(scene.size, [corners @ turn.T + goal])
    across = np.indices(cover.shape)[1] - goal[0]
    round_ = np.clip(1.15 - (across / top) ** 2 * rng.uniform(0.3, 0.8), 0.2, 1.3)
    surface = _surface(scene, rng).astype(np.float32)
    rim = stroke(scene.size, corners[:2] @ turn.T + goal, scene.reach * 0.04)
    picture = surface * round_[..., None] + 90 * rim[..., None]
    return Layer(picture=as_picture(picture), cover=np.maximum(cover, rim))


def paint_cloth(scene: Scene, rng: Rng) -> Layer:
    """A cloth over nose, mouth and chin, with folds; its upper edge anywhere from eye to lip."""
    jaw = scene.points[2:15]
    edge = scene.points[rng.choice([28, 29, 30, 33])] - scene.points[8]
    top = np.stack([jaw[-1], scene.points[8] + edge * rng.uniform(0.8, 1.1), jaw[0]])
    middle = scene.points[30]
    line = np.concatenate([(jaw - middle) * rng.uniform(1.0, 1.25) + middle, top])
    folds = np.sin(np.indices((scene.size,) * 2)[0] * rng.uniform(0.05, 0.4) + rng.uniform(0, 6))
    picture = _surface(scene, rng).astype(np.float32) * (1 + 0.12 * folds[..., None])
    return Layer(picture=as_picture(picture), cover=filled(scene.size, [line]))


PAINTERS: tuple[tuple[Painter, float], ...] = (
    (paint_hand, 0.17),
    (paint_real_hand, 0.22),
    (paint_blob, 0.2),
    (paint_board, 0.08),
    (paint_hair, 0.1),
    (paint_dark_glasses, 0.05),
    (paint_thin_glasses, 0.08),
    (paint_microphone, 0.05),
    (paint_cup, 0.05),
    (paint_cloth, 0.05),
)


def choose_painters(rng: Rng, count: int) -> list[Painter]:
    """So many painters, each as often as its chance says."""
    chances = np.array([chance for _, chance in PAINTERS])
    places = rng.choice(len(PAINTERS), count, p=chances / chances.sum())
    return [PAINTERS[place][0] for place in places]


def add_occluders(scene: Scene, rng: Rng, painters: Sequence[Painter]) -> tuple[Image, Cover]:
    """The crop with things painted over it, and how much of each pixel they cover."""
    image = scene.image.astype(np.float32)
    hidden = np.zeros(image.shape[:2], np.float32)
    for painter in painters:
        layer = painter(scene, rng)
        cover = layer.cover
        if layer.occludes and rng.random() < 0.5:  # what lies on a face throws a shadow on it
            image *= 1 - _shadow(cover, scene.reach, rng)[..., None]
        softness = rng.uniform(0, 1.2) * scene.size / 256
        if softness > 0.3:
            cover = np.asarray(cv2.GaussianBlur(cover, (0, 0), softness), np.float32)
        image += (layer.picture - image) * cover[..., None]
        if layer.occludes:
            hidden = np.maximum(hidden, cover)
    return as_picture(image), hidden


def _shadow(cover: Cover, reach: float, rng: Rng) -> Cover:
    away = rng.normal(0, 0.04, 2) * reach
    moved = cv2.warpAffine(cover, np.array([[1, 0, away[0]], [0, 1, away[1]]]), cover.shape[::-1])
    soft = cv2.GaussianBlur(moved, (0, 0), max(0.5, reach * rng.uniform(0.02, 0.06)))
    return np.asarray(soft * np.float32(rng.uniform(0.15, 0.6)), np.float32)


def _shaded(
    shapes: Sequence[Cover], colour: Plane, width: float, rng: Rng, grain: Image | None = None
) -> tuple[Image, Cover]:
    """Shapes laid over each other, each bright along its middle and dark at its edge.

    grain  a picture whose pattern, not colour, is seen on the shapes
    """
    size = shapes[0].shape[0]
    picture = np.zeros((size, size, 3), np.float32)
    cover = np.zeros((size, size), np.float32)
    light = rng.normal(0, 0.2, 2)
    depth = rng.uniform(0.05, 0.5)
    tone = np.empty((size, size, 3), np.float32)
    tone[:] = colour
    if grain is not None:
        tone *= grain / np.maximum(grain.reshape(-1, 3).mean(0), 8)
    for shape in shapes:
        x, y, wide, high = cv2.boundingRect((shape > 0).astype(np.uint8))
        if not wide:
            continue
        part = (slice(max(0, y - 2), y + high + 2), slice(max(0, x - 2), x + wide + 2))
        inner = shape[part]
        far = cv2.distanceTransform((inner > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
        bulge = cv2.GaussianBlur(np.clip(far / (0.45 * width), 0, 1), (0, 0), 1 + width / 12)
        slope = cv2.Sobel(bulge, -1, 1, 0) * light[0] + cv2.Sobel(bulge, -1, 0, 1) * light[1]
        shade = 1 - depth * (1 - np.sqrt(np.clip(bulge, 0, 1))) + slope * width * 0.07
        lit = tone[part] * np.clip(shade, 0.2, 1.6)[..., None]
        picture[part] += (lit - picture[part]) * inner[..., None]
        np.maximum(cover[part], inner, out=cover[part])
    return as_picture(picture), cover


def _skin(scene: Scene, rng: Rng) -> Plane:
    """A colour (3,): that of this face's cheeks, or of somebody else's, in another light."""
    if rng.random() < 0.6:
        x, y = np.clip(np.rint(scene.points[rng.choice([1, 3, 13, 15, 30, 33])]), 2, scene.size - 3)
        patch = scene.image[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3]
        tone = patch.reshape(-1, 3).mean(0)
    else:
        tone = scene.skins[int(rng.integers(len(scene.skins)))].reshape(-1, 3).mean(0)
    return np.asarray(np.clip(tone * rng.uniform(0.7, 1.4) * rng.uniform(0.93, 1.07, 3), 4, 255))


def _surface(scene: Scene, rng: Rng) -> Image:
    """A texture, a plain colour with a little grain, or skin, as large as the crop."""
    size, kind = scene.size, rng.random()
    if kind < 0.5:
        source = scene.textures[int(rng.integers(len(scene.textures)))]
    elif kind < 0.75:
        source = scene.skins[int(rng.integers(len(scene.skins)))]
    else:
        grain = rng.normal(0, rng.uniform(0, 10), (size // 2, size // 2, 1))
        plain = np.clip(rng.uniform(0, 255, 3) + grain, 0, 255)
        return cv2.resize(plain.astype(np.uint8), (size, size))
    side = int(rng.uniform(0.3, 1.0) * min(source.shape[:2]))
    y, x = (int(rng.integers(0, limit - side + 1)) for limit in source.shape[:2])
    return cv2.resize(source[y : y + side, x : x + side], (size, size))


def _somewhere(scene: Scene, rng: Rng) -> Plane:
    """A place on or near the face."""
    low, high = scene.points.min(0), scene.points.max(0)
    return np.asarray(low + (high - low) * rng.uniform(-0.15, 1.15, 2))


def _lenses(scene: Scene, rng: Rng, factor: float) -> list[Plane]:
    across = scene.points[45] - scene.points[36]
    unit = across / (np.linalg.norm(across) + 1e-6)
    angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    power = rng.uniform(0.4, 1.0)  # 1 is an ellipse, less is squarer
    x = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power
    y = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power
    half = np.linalg.norm(across) * factor * np.array([0.29, rng.uniform(0.16, 0.27)])
    local = np.stack([x, y], 1) * half
    turn = np.array([[unit[0], -unit[1]], [unit[1], unit[0]]])
    return [local @ turn.T + scene.points[part].mean(0) for part in (slice(36, 42), slice(42, 48))]
