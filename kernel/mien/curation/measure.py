"""Everything that can be measured of one face, in one look at it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import Image, as_dtype, as_float
from ..faceset import FaceRecord
from ..geometry import MEAN_FACE, align_unit, hull_mask, make_crop, pose, transform
from ..types import Crop, CropSpec, Face, Frame
from .sharpness import cpbd, fine_frequencies, laplacian, motion_blur
from .table import HASH_WORDS, THUMB, Group

Picture = NDArray[Any]

_HASH_SIDE = 16
_LEAST_SIDE = 8
_SHARP_SIDE = 256
_LEAST_NOSE = 0.02
_LIPS = ((61, 67), (62, 66), (63, 65))
_LIDS = ((37, 41), (38, 40), (43, 47), (44, 46))
_FOREIGN_NAMES = (
    ("dfl", "info", "source_filename"),
    ("faceswap", "header", "source", "source_filename"),
)


def measure(image: Image | None, record: FaceRecord, groups: Group) -> dict[str, Any]:
    """The columns of these groups for one face.

    image  (S, S, 3) BGR uint8 or uint16; None will do for what the record says by itself
    """
    found: dict[str, Any] = {}
    if groups & Group.RECORD:
        found |= _of_record(record)
    if image is None or not groups & (Group.PICTURE | Group.SHARP):
        return found
    picture = image if image.dtype == np.uint8 else as_dtype(as_float(image), np.uint8)
    inside = hull_mask(record.landmarks, record.size) > 0.5
    masked = picture * inside
    if groups & Group.PICTURE:
        found |= _of_picture(picture, masked, record)
    if groups & Group.SHARP:
        found |= _of_sharpness(picture, masked, inside)
    return found


def crop_of(image: Image, record: FaceRecord, spec: CropSpec) -> Crop | None:
    """A stored face as an embedder wants to see it; None where its landmarks fit no head."""
    face = Face(box=(0.0, 0.0, float(record.size), float(record.size)), landmarks=record.landmarks)
    try:
        return make_crop(Frame(index=record.frame_index, image=image), face, spec)
    except ValueError:
        return None


def origin(record: FaceRecord) -> str:
    """The name of the picture that a face was taken from: what its maker called it, or a frame."""
    for keys in _FOREIGN_NAMES:
        value: Any = record.extra
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        if isinstance(value, str) and value:
            return value
    stem = PurePath(record.clip.replace("\\", "/")).stem
    return f"{stem}_{record.frame_index:06d}" if stem else f"{record.frame_index:06d}"


def opening(points: NDArray[Any], gaps: tuple[tuple[int, int], ...]) -> float:
    """How far lips or lids are apart, over the length of the nose; not a number without a nose.

    points  (68, 2), unit space.  Both are upright, so a turned head changes both alike: the width
    of an eye would not do.
    """
    nose = abs(float(points[33, 1] - points[27, 1]))
    gap = sum(float(np.linalg.norm(points[a] - points[b])) for a, b in gaps) / len(gaps)
    return gap / nose if nose > _LEAST_NOSE else float("nan")


def _of_record(record: FaceRecord) -> dict[str, Any]:
    left, top, right, bottom = record.box
    found: dict[str, Any] = {
        "rect": abs((right - left) * (bottom - top)),
        "side": float(record.size),
        "frame": float(record.frame_index),
        "number": float(record.face_index),
    }
    try:
        found["pitch"], found["yaw"], found["roll"] = pose(record.landmarks, record.size)
    except (ValueError, cv2.error):
        found["pitch"] = found["yaw"] = found["roll"] = np.nan
    try:
        matrix = align_unit(record.frame_landmarks)
    except ValueError:  # the points lie on a line: nothing fits
        found |= dict.fromkeys(("size", "distance", "mouth", "eyes"), np.nan)
        found["landmarks"] = np.zeros((68, 2), np.float32)
        return found
    points = transform(matrix, np.asarray(record.frame_landmarks, np.float64))
    found["size"] = 1 / float(np.hypot(matrix[0, 0], matrix[1, 0]))
    found["landmarks"] = points.astype(np.float32)
    found["distance"] = float(np.abs(points[17:] - MEAN_FACE).mean())
    found["mouth"] = opening(points, _LIPS)
    found["eyes"] = opening(points, _LIDS)
    return found


def _of_picture(picture: Picture, masked: Picture, record: FaceRecord) -> dict[str, Any]:
    hsv = cv2.cvtColor(picture, cv2.COLOR_BGR2HSV)
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    masked_grey = cv2.cvtColor(masked, cv2.COLOR_BGR2GRAY)
    blue, green, red, _ = cv2.mean(picture)
    hue, _, value, _ = cv2.mean(hsv)
    light, shade = _light(masked_grey, record)
    largest = cv2.max(cv2.max(picture[..., 0], picture[..., 1]), picture[..., 2])
    return {
        "brightness": value,
        "hue": hue,
        "black": float(picture.size - sum(cv2.countNonZero(part) for part in cv2.split(picture))),
        "black-share": 100 * (1 - cv2.countNonZero(largest) / largest.size),
        "blue": blue,
        "green": green,
        "red": red,
        "light": light,
        "shade": shade,
        "colours": np.stack([_counts(picture, channel) for channel in range(3)]),
        "grey": _counts(grey, 0),
        "masked-grey": _counts(masked_grey, 0),
        "hash": look(grey),
        "thumb": cv2.resize(picture, (THUMB, THUMB), interpolation=cv2.INTER_AREA),
    }


def _of_sharpness(picture: Picture, masked: Picture, inside: NDArray[np.bool_]) -> dict[str, Any]:
    grey = cv2.cvtColor(masked, cv2.COLOR_BGR2GRAY)
    same, whole = (_at_one_size(each) for each in (grey, cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)))
    face = cv2.resize(inside.astype(np.uint8), same.shape[::-1], interpolation=cv2.INTER_NEAREST)
    change = cv2.Laplacian(whole, cv2.CV_32F)[face > 0]
    return {
        "blur": cpbd(grey),
        # A picture smaller than the filter cannot be reflected at its borders.
        "motion-blur": motion_blur(masked) if grey.shape[0] >= _LEAST_SIDE else 0.0,
        "laplacian": laplacian(same),
        "blur-fft": fine_frequencies(same),
        "sharpness": float(change.var()) if change.size else 0.0,
    }


def _at_one_size(grey: Picture) -> Picture:
    if grey.shape[0] == _SHARP_SIDE:
        return grey
    how = cv2.INTER_AREA if grey.shape[0] > _SHARP_SIDE else cv2.INTER_CUBIC
    resized: Picture = cv2.resize(grey, (_SHARP_SIDE, _SHARP_SIDE), interpolation=how)
    return resized


def look(grey: Picture) -> NDArray[np.uint64]:
    """256 bits that say where the picture gets brighter to the right.  # (4,) uint64"""
    small = cv2.resize(grey, (_HASH_SIDE + 1, _HASH_SIDE), interpolation=cv2.INTER_AREA)
    bits = np.packbits(small[:, 1:] > small[:, :-1])
    return bits.view(np.uint64).reshape(HASH_WORDS).copy()


def _light(masked_grey: Picture, record: FaceRecord) -> tuple[float, float]:
    """Mean grey inside the face, and how much its right half outshines its left."""
    middle = int(np.clip(record.landmarks[[27, 30, 33, 8], 0].mean(), 1, record.size - 1))
    means = []
    for half in (masked_grey[:, :middle], masked_grey[:, middle:]):
        count = cv2.countNonZero(half) if half.size else 0
        means.append((float(half.sum()), count))
    total, count = sum(each[0] for each in means), sum(each[1] for each in means)
    if not count:
        return 0.0, 0.0
    left, right = (each / max(1, number) for each, number in means)
    return total / count, (right - left) / max(total / count, 1.0)


def _counts(image: Picture, channel: int) -> NDArray[np.uint32]:
    counts = cv2.calcHist([image], [channel], None, [256], [0, 256])
    found: NDArray[np.uint32] = counts.reshape(256).astype(np.uint32)
    return found
