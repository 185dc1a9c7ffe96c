"""What befalls a picture of a face: light, blur, noise, compression, and things in front of it."""

from __future__ import annotations

import cv2
import numpy as np
from mien.arrays import Image
from numpy.typing import NDArray

Rng = np.random.Generator
Floats = NDArray[np.float32]

_GREY = np.array([[0.114], [0.587], [0.299]], np.float32)


def spoil(rng: Rng, image: Image, textures: list[Image]) -> Image:
    """A face crop (S, S, 3) uint8 BGR as a worse camera on a worse day would give it."""
    side = image.shape[0]
    if rng.random() < 0.25:
        image = _cover(rng, image, textures)
    if rng.random() < 0.06:
        image = _cut_off(rng, image)
    if rng.random() < 0.25:
        small = max(int(side * rng.uniform(0.18, 0.8)), 12)
        less = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        kind = cv2.INTER_CUBIC if rng.random() < 0.5 else cv2.INTER_LINEAR
        image = cv2.resize(less, (side, side), interpolation=kind)
    if rng.random() < 0.15:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 2.2)))
    elif rng.random() < 0.06:
        image = _shake(rng, image)
    image = _light(rng, image)
    if rng.random() < 0.3:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 75))]
        packed = cv2.imencode(".jpg", image, quality)[1]
        return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))
    return image


def _light(rng: Rng, image: Image) -> Image:
    """Exposure, contrast, tint, a shadow from one side, grey pictures and sensor noise."""
    seen = image.astype(np.float32) / 255
    if rng.random() < 0.8:
        seen = seen ** np.float32(np.exp(rng.normal(0, 0.3)))
        gain = np.exp(rng.normal(0, 0.12, 3)) * np.exp(rng.normal(0, 0.2))
        seen = seen * gain.astype(np.float32)
    if rng.random() < 0.2:
        seen = seen * _shadow(rng, image.shape[0])[..., None]
    if rng.random() < 0.06:
        seen = seen * np.float32(rng.uniform(0.08, 0.4))
    if rng.random() < 0.2:
        seen = np.repeat(seen @ _GREY, 3, axis=2)
    if rng.random() < 0.35:
        amount = rng.exponential(0.025)
        seen = seen + rng.normal(0, amount, seen.shape).astype(np.float32)
    return (np.clip(seen, 0, 1) * 255 + 0.5).astype(np.uint8)


def _shadow(rng: Rng, side: int) -> Floats:
    """(side, side) factors that fall off along a random direction."""
    angle, soft = rng.uniform(0, 2 * np.pi), rng.uniform(0.02, 0.5)
    ys, xs = np.mgrid[:side, :side].astype(np.float32) / side - 0.5
    along = xs * np.cos(angle) + ys * np.sin(angle) - rng.uniform(-0.3, 0.3)
    dark = rng.uniform(0.2, 0.8)
    return np.asarray(dark + (1 - dark) / (1 + np.exp(-along / soft * 4)), np.float32)


def _shake(rng: Rng, image: Image) -> Image:
    length = int(rng.integers(3, 10))
    kernel = np.zeros((length, length), np.float32)
    middle = (length - 1) / 2
    angle = rng.uniform(0, np.pi)
    reach = np.array([np.cos(angle), np.sin(angle)]) * middle
    start, end = (np.rint(middle + sign * reach).astype(int).tolist() for sign in (-1, 1))
    cv2.line(kernel, start, end, 1.0)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def _cut_off(rng: Rng, image: Image) -> Image:
    """Black beyond a line, as where the frame ends in the face."""
    side = image.shape[0]
    kept = int(side * rng.uniform(0.6, 0.95))
    turns = int(rng.integers(4))
    cut = np.rot90(image, turns).copy()
    cut[kept:] = 0
    return np.ascontiguousarray(np.rot90(cut, -turns))


def _cover(rng: Rng, image: Image, textures: list[Image]) -> Image:
    """Something in front of the face: an even or textured patch, or strands of hair."""
    side = image.shape[0]
    if rng.random() < 0.3:
        return _strands(rng, image)
    mask = np.zeros((side, side), np.uint8)
    centre = rng.uniform(0.05, 0.95, 2) * side
    radii = rng.uniform(0.06, 0.28, 2) * side
    if rng.random() < 0.5:
        size = tuple(np.maximum(np.rint(radii).astype(int), 1).tolist())
        place = tuple(np.rint(centre).astype(int).tolist())
        cv2.ellipse(mask, place, size, float(rng.uniform(0, 180)), 0, 360, 255, -1)
    else:
        count = int(rng.integers(3, 8))
        angles = np.sort(rng.uniform(0, 2 * np.pi, count))
        spokes = np.stack([np.cos(angles), np.sin(angles)], 1) * rng.uniform(0.5, 1.2, (count, 1))
        cv2.fillPoly(mask, [np.rint(centre + spokes * radii).astype(np.int32)], 255)
    if rng.random() < 0.7:
        patch = textures[int(rng.integers(len(textures)))]
        y, x = (int(rng.integers(0, patch.shape[axis] - side + 1)) for axis in (0, 1))
        over = patch[y : y + side, x : x + side]
    else:
        over = np.broadcast_to(rng.integers(0, 256, 3).astype(np.uint8), image.shape)
    soft = cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(0.4, 1.5)))
    alpha = soft[..., None].astype(np.float32) / 255
    return (image + alpha * (over.astype(np.float32) - image)).astype(np.uint8)


def _strands(rng: Rng, image: Image) -> Image:
    drawn = image.copy()
    side = image.shape[0]
    colour = rng.integers(0, 200, 3)
    start = rng.uniform(-0.1, 1.1, 2) * (side, side * 0.4)
    for _ in range(int(rng.integers(3, 40))):
        bend = start + rng.normal(0, 0.2, 2) * side + (0, 0.3 * side)
        end = bend + rng.normal(0, 0.12, 2) * side + (0, 0.35 * side)
        steps = np.linspace(0, 1, 12)[:, None]
        curve = (1 - steps) ** 2 * start + 2 * steps * (1 - steps) * bend + steps**2 * end
        tone = np.clip(colour + rng.normal(0, 25, 3), 0, 255).tolist()
        line = np.rint(curve * 8).astype(np.int32)
        cv2.polylines(drawn, [line], False, tone, int(rng.integers(1, 3)), cv2.LINE_AA, 3)
        start = start + rng.normal(0, 0.02, 2) * side
    return drawn
