"""Hands cut out of clips: real shapes and real skin to put before faces.

They are told from clothes by the colour of the same person's face, below the chin; clips in which
somebody gestures before a plain shirt are cut best.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from mien.arrays import Image

from .data import FaceLabel, learning_clips, read_clips, read_frames

CLIPS = frozenset({"man_gesturing_1080x1920_hevc"})
_STEP = 6
_SIDE = 192
# The part of the frame in which hands are looked for, in heights of the face below its box.
_FROM, _TO = 0.9, 3.4
_LEAST = 0.1  # of the face's area; what is smaller is a fingertip or an error


def read_hands(data: Path) -> list[Image]:
    """Cut-outs (h, w, 4) uint8 BGRA, at most 192 pixels wide and high, of people who may be
    learned from.  data  the folder that holds `clips/`."""
    found: list[Image] = []
    for clip in learning_clips(read_clips(data / "clips")):
        if clip.name in CLIPS:
            for truth, image in read_frames(clip, _STEP):
                if len(truth.faces) == 1:
                    found += cut_hands(image, truth.faces[0])
    return found


def cut_hands(image: Image, face: FaceLabel) -> list[Image]:
    """The hands below one face in one frame."""
    x0, y0, x1, y1 = face.box
    high = y1 - y0
    top, bottom = (round(y1 + part * high) for part in (_FROM, _TO))
    below = image[max(0, top) : bottom]
    nose, cheek = face.points68[30], face.points68[[2, 30]].mean(0)
    tones = [image[int(y) - 4 : int(y) + 5, int(x) - 4 : int(x) + 5] for x, y in (nose, cheek)]
    tone = np.median(cv2.cvtColor(np.concatenate(tones), cv2.COLOR_BGR2LAB).reshape(-1, 3), 0)
    away = cv2.cvtColor(cv2.medianBlur(below, 5), cv2.COLOR_BGR2LAB).astype(np.float32) - tone
    alike = (np.hypot(away[..., 1], away[..., 2]) < 11) & (np.abs(away[..., 0]) < 80)
    skin = cv2.morphologyEx(alike.astype(np.uint8), cv2.MORPH_OPEN, np.ones((7, 7), np.uint8))
    skin = cv2.morphologyEx(skin, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    count, numbers, boxes, _ = cv2.connectedComponentsWithStats(skin)
    hands = []
    for number in range(1, count):
        x, y, wide, tall, area = boxes[number].tolist()
        cut_off = y + tall >= len(below) or x <= 0 or x + wide >= below.shape[1]
        if area >= _LEAST * high * (x1 - x0) and not cut_off:
            part = (slice(y, y + tall), slice(x, x + wide))
            hands.append(_cut_out(below[part], numbers[part] == number))
    return hands


def _cut_out(image: Image, inside: Image) -> Image:
    """The picture with a soft-edged alpha, a pixel within the shape so that no cloth shows."""
    padded = np.pad(inside.astype(np.uint8) * 255, 2)
    alpha = cv2.GaussianBlur(cv2.erode(padded, np.ones((5, 5), np.uint8)), (0, 0), 1)[2:-2, 2:-2]
    scale = min(1.0, _SIDE / max(image.shape[:2]))
    return cv2.resize(np.dstack([image, alpha]), None, fx=scale, fy=scale, interpolation=3)
