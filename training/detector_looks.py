"""Light, quality and texture of detection scenes: what cameras, codecs and wallpapers do."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from mien.arrays import Image

Rng = np.random.Generator


def change_light(rng: Rng, image: Image, chance: float) -> Image:
    """Exposure, contrast, gamma and white balance, or no colour at all; by a table per channel."""
    if rng.random() > chance:
        return image
    ramp = np.arange(256, dtype=np.float32) / 255
    gamma = np.exp(rng.normal(0, 0.3))
    gain = np.exp(rng.normal(0, 0.2)) * np.exp(rng.normal(0, 0.07, 3))
    lift = rng.normal(0, 0.06)
    table = (ramp[:, None] ** gamma) * gain + lift
    table = np.rint(np.clip(table, 0, 1) * 255).astype(np.uint8)
    lit: Image = cv2.LUT(image, table.reshape(1, 256, 3))
    if rng.random() < 0.12:
        lit = cv2.cvtColor(cv2.cvtColor(lit, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return lit


def degrade(rng: Rng, image: Image) -> Image:
    """Blur, lost detail, noise, darkness, compression; often none of them."""
    height, width = image.shape[:2]
    if rng.random() < 0.12:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    what = rng.random()
    if what < 0.10:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 1.8)))
    elif what < 0.16:
        image = cv2.filter2D(image, -1, _streak(rng))
    elif what < 0.24:
        less = float(rng.uniform(0.4, 0.9))
        small = cv2.resize(image, None, fx=less, fy=less, interpolation=cv2.INTER_AREA)
        image = cv2.resize(small, (width, height), interpolation=int(rng.integers(3)))
    elif what < 0.30:
        image = cv2.addWeighted(image, 1.8, cv2.GaussianBlur(image, (0, 0), 1.2), -0.8, 0)
    veil = rng.random()
    if veil < 0.09:  # dark
        image = cv2.convertScaleAbs(image, alpha=float(rng.uniform(0.12, 0.5)))
    elif veil < 0.21:  # flat, as against the light or through mist
        contrast = float(rng.uniform(0.25, 0.8))
        lift = float(rng.uniform(0, 1 - contrast) * 255)
        image = cv2.convertScaleAbs(image, alpha=contrast, beta=lift)
    if rng.random() < 0.25:
        deviation = float(rng.uniform(1, 12) if rng.random() < 0.8 else rng.uniform(12, 30))
        noise = np.empty(image.shape, np.int16)
        cv2.setRNGSeed(int(rng.integers(2**31 - 1)))
        cv2.randn(noise, (0,) * 3, (deviation,) * 3)  # type: ignore[call-overload]
        image = cv2.add(image, noise, dtype=cv2.CV_8U)
    if rng.random() < 0.35:
        quality = int(rng.integers(25, 90))
        _, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))
    return image


def _streak(rng: Rng) -> Image:
    """Kernel of a hand that shook."""
    length = int(rng.integers(3, 10)) | 1
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    turn = cv2.getRotationMatrix2D(((length - 1) / 2,) * 2, float(rng.uniform(0, 180)), 1)
    turned = cv2.warpAffine(kernel, turn, (length, length))
    return np.asarray(turned / max(turned.sum(), 1e-3), np.float32)


def make_texture(rng: Rng, height: int, width: int) -> Image:
    """Something that no camera saw: clouds, stripes, checks, discs, letters, or one colour."""
    colors = rng.integers(0, 256, (2, 3)).astype(np.float32)
    kind = int(rng.integers(6))
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    if kind == 0:
        mix: Any = np.full((height, width), rng.random(), np.float32)
    elif kind == 1:
        mix = np.zeros((height, width), np.float32)
        for cells in (3, 7, 15, 40):
            rough = rng.random((cells, cells)).astype(np.float32)
            mix += cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC) / 4
    elif kind in (2, 3):
        angle, pace = rng.uniform(0, np.pi), rng.uniform(0.02, 0.8)
        waves = np.sin((x * np.cos(angle) + y * np.sin(angle)) * pace)
        if kind == 3:
            waves *= np.sin((y * np.cos(angle) - x * np.sin(angle)) * pace)
        mix = np.asarray(waves > 0 if rng.random() < 0.5 else (waves + 1) / 2, np.float32)
    else:
        canvas = np.zeros((height, width), np.uint8)
        for _ in range(int(rng.integers(5, 60))):
            at = (int(rng.integers(width)), int(rng.integers(height)))
            shade, size = int(rng.integers(60, 256)), int(rng.integers(3, 40))
            if kind == 4:
                axes = (size, int(rng.integers(3, 40)))
                cv2.ellipse(canvas, at, axes, int(rng.integers(180)), 0, 360, shade, -1)
            else:
                word = "".join(chr(int(c)) for c in rng.integers(48, 122, 6))
                cv2.putText(
                    canvas, word, at, int(rng.integers(5)), size / 20, shade, 1 + size // 16
                )
        mix = canvas.astype(np.float32) / 255
    painted = colors[0] + (colors[1] - colors[0]) * mix[..., None]
    return np.asarray(np.rint(painted).clip(0, 255), np.uint8)
