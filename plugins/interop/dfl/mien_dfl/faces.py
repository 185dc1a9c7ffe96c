"""What DeepFaceLab knows of a face, as a record of ours and back.

Its numbers travel in the record under `extra["dfl"]` as they were, so that a face nobody changed
goes back bit by bit; what was changed here goes back as it is here.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
from mien.arrays import Matrix
from mien.errors import InputError
from mien.faceset import MAX_SIZE, POLYGONS, FaceRecord, check_square, decode_mask, encode_mask
from mien.faceset.kept import keep, kept
from mien.faceset.numbers import FAR, real, table
from mien.geometry import crop_matrix, invert, transform
from mien.types import FaceType
from numpy.typing import NDArray

KEPT = "dfl"
MASK = "xseg"
MOST_MASK = 50_000
_MASK_SIDE = 256
_OFF = 0.02
"""How far, in sides of the crop, its matrix may miss the landmarks before it is not believed."""
_NAMES = {
    "half_face": FaceType.HALF,
    "midfull_face": FaceType.MID,
    "full_face": FaceType.FULL,
    "full_face_no_align": FaceType.FULL_UPRIGHT,
    "whole_face": FaceType.WHOLE,
    "head": FaceType.HEAD,
    "head_no_align": FaceType.HEAD_UPRIGHT,
}
NUMBERS = {
    "half_face": 0,
    "midfull_face": 1,
    "full_face": 2,
    "full_face_no_align": 3,
    "whole_face": 4,
    "head": 10,
    "head_no_align": 20,
}
_LABELS = {0: "exclude", 1: "include"}
Floats = NDArray[np.float64]


def to_record(
    info: Mapping[str, Any], width: int, height: int, where: str, *, protocol: int = 3
) -> FaceRecord:
    """The record of a face whose picture has this size.

    Raises InputError where the metadata lacks what a face needs, or a value is of the wrong kind.
    """
    check_square(width, height, where)
    try:
        return _record(info, width, where, protocol)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{where}: its metadata is damaged: {error}") from error


def _record(info: Mapping[str, Any], size: int, where: str, protocol: int) -> FaceRecord:
    face_type = face_type_of(info.get("face_type"), where)
    if info.get("landmarks") is None:
        raise ValueError("it has no landmarks")
    points = table(info["landmarks"], "landmarks", 68, 2)
    source = info.get("source_landmarks")
    seen = None if source is None else table(source, "source_landmarks", 68, 2)
    matrix = _matrix(info.get("image_to_face_mat"), points, seen, face_type, size)
    if seen is None:
        seen = transform(invert(matrix), points)
    name = info.get("source_filename")
    frame = _number(name) if isinstance(name, str) else 0
    masks = _masks(info.get("xseg_mask"))
    extra: dict[str, Any] = {KEPT: _keep(info, size, protocol)}
    if shapes := _shapes(info.get("seg_ie_polys")):
        extra[POLYGONS] = {"size": size, "shapes": shapes}
    return FaceRecord(
        face_type=face_type,
        size=size,
        matrix=matrix,
        landmarks=points.astype(np.float32),
        frame_landmarks=seen.astype(np.float32),
        box=_box(info.get("source_rect"), seen),
        frame_index=frame,
        masks=masks,
        extra=extra,
    )


def face_type_of(name: Any, where: str) -> FaceType:
    """The face type by its name there; a file that does not say is a full face."""
    word = "full_face" if name is None else str(name).lower()
    if word == "mark_only":
        raise InputError(f"{where}: is a whole frame (mark_only), no crop; extract it again")
    if word not in _NAMES:
        raise ValueError(f"its face type is {word!r:.40}")
    return _NAMES[word]


def face_type_name(face_type: FaceType) -> str:
    """The name of a face type there."""
    return next(name for name, each in _NAMES.items() if each is face_type)


# --- values of a file ---------------------------------------------------------------------------


def _matrix(
    stored: Any, points: Floats, seen: Floats | None, face_type: FaceType, size: int
) -> Matrix:
    """Frame to crop.  A stored matrix that puts the landmarks elsewhere was left behind when the
    picture was resized: the landmarks are believed."""
    if stored is not None:
        matrix = table(stored, "image_to_face_mat", 2, 3)
        invert(matrix)
        if seen is None or _misses(matrix, seen, points) <= _OFF * size:
            return matrix
    if seen is None:
        return np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])  # the crop is all that is known
    matrix = crop_matrix(seen.astype(np.float32), face_type, size)
    if _misses(matrix, seen, points) <= _OFF * size:
        return matrix
    spread = np.column_stack((seen, np.ones(len(seen))))
    fitted = np.ascontiguousarray(np.linalg.lstsq(spread, points, rcond=None)[0].T)
    invert(fitted)
    return fitted


def _misses(matrix: Matrix, seen: Floats, points: Floats) -> float:
    return float(np.abs(transform(matrix, seen) - points).mean())


def _box(rect: Any, seen: Floats) -> tuple[float, float, float, float]:
    """Turned frames leave boxes whose edges are swapped."""
    if rect is None:
        (x0, y0), (x1, y1) = seen.min(0).tolist(), seen.max(0).tolist()
        return x0, y0, x1, y1
    if not isinstance(rect, list | tuple | np.ndarray) or len(rect) != 4:
        raise ValueError("'source_rect' must be four numbers")
    left, top, right, bottom = (real(each, "source_rect") for each in rect)
    return min(left, right), min(top, bottom), max(left, right), max(top, bottom)


def _number(name: str) -> int:
    """The frame's index by its file's name: extracted frames count from 00001."""
    found = re.findall(r"\d+", PurePath(name).stem[-200:])
    return max(0, int(found[-1][-12:]) - 1) if found else 0


def _masks(value: Any) -> dict[str, bytes]:
    if value is None:
        return {}
    if isinstance(value, np.ndarray):
        if value.dtype != np.uint8:
            raise ValueError("'xseg_mask' is no picture")
        value = value.tobytes()
    if not isinstance(value, bytes):
        raise ValueError("'xseg_mask' is no picture")
    return {MASK: value} if value else {}


def _shapes(value: Any) -> list[dict[str, Any]]:
    """Drawn polygons: first all that include, then all that exclude, as the original has it."""
    polys = value.get("polys", []) if isinstance(value, dict) else value
    if polys is None:
        return []
    if not isinstance(polys, list | tuple):
        raise ValueError("'seg_ie_polys' is no list of polygons")
    shapes = [_shape(each) for each in polys]
    return sorted(shapes, key=lambda shape: shape["label"] == "exclude")


def _shape(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        kind, points = value.get("type"), value.get("pts")
    elif isinstance(value, list | tuple) and len(value) == 2:
        kind, points = value
    else:
        raise ValueError("a polygon is neither a table nor a pair")
    if kind not in _LABELS or not isinstance(points, list | tuple | np.ndarray):
        raise ValueError(f"a polygon is of the kind {kind!r:.40}")
    drawn = table(points, "seg_ie_polys", None, 2)
    return {"label": _LABELS[int(kind)], "points": drawn.tolist()}


def _keep(info: Mapping[str, Any], size: int, protocol: int) -> dict[str, Any]:
    """All that the file said, for the way back; the mask's bytes lie in the record already."""
    said: dict[str, Any] = {}
    lost: list[str] = []
    for key, value in info.items():
        try:
            if key == "xseg_mask" and isinstance(value, np.ndarray):
                said[key] = {"mask": MASK, "shape": list(value.shape)}
            else:
                said[str(key)] = keep(value)
        except TypeError:
            lost.append(ascii(key))
    return {"size": size, "protocol": protocol, "info": said, **({"lost": lost} if lost else {})}


# --- the way back -------------------------------------------------------------------------------


def to_info(record: FaceRecord, where: str) -> tuple[dict[str, Any], int]:
    """What DeepFaceLab shall know of a face, and the protocol of its pickle.

    A face that came from there and was not changed here is given back as it was.
    """
    stored = record.extra.get(KEPT)
    info: dict[str, Any] = {}
    protocol = 3
    if isinstance(stored, Mapping):
        try:
            info, protocol, before = _kept(stored, record, where)
            if _same(before, record):
                return info, protocol
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InputError):
            info, protocol = {}, 3  # somebody wrote there what we would not: made anew
    fresh = _fresh(record)
    if "source_filename" in info:
        fresh["source_filename"] = info["source_filename"]
    return info | fresh, protocol


def _kept(
    stored: Mapping[str, Any], record: FaceRecord, where: str
) -> tuple[dict[str, Any], int, FaceRecord]:
    protocol, size = int(stored["protocol"]), int(stored["size"])
    if protocol not in (3, 4):
        raise ValueError("an unknown protocol")
    info: dict[str, Any] = {}
    for key, each in stored["info"].items():
        word = sys.intern(str(key))
        if word == "xseg_mask" and isinstance(each, Mapping) and "mask" in each:
            info[word] = _array(record.masks.get(MASK), tuple(each["shape"]))
        else:
            info[word] = kept(each)
    return info, protocol, to_record(info, size, size, where)


def _array(mask: bytes | None, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """The mask's bytes in the shape that they had; None where they are others now."""
    if mask is None or math.prod(shape) != len(mask):
        return None
    return np.frombuffer(mask, np.uint8).reshape(shape)


def _same(before: FaceRecord, now: FaceRecord) -> bool:
    return (
        before.face_type is now.face_type
        and before.size == now.size
        and np.array_equal(before.landmarks, now.landmarks)
        and np.array_equal(before.frame_landmarks, now.frame_landmarks)
        and np.array_equal(before.matrix, now.matrix)
        and before.masks.get(MASK) == chosen_mask(now)
        and before.extra.get(POLYGONS) == now.extra.get(POLYGONS)
    )


def chosen_mask(record: FaceRecord) -> bytes | None:
    """The mask that goes along: the one called `xseg`, else the first."""
    return record.masks.get(MASK) or next(iter(record.masks.values()), None)


def _fresh(record: FaceRecord) -> dict[str, Any]:
    mask = chosen_mask(record)
    return {
        "face_type": face_type_name(record.face_type),
        "landmarks": record.landmarks.astype(np.float64).tolist(),
        "source_filename": f"{record.frame_index + 1:05d}.png",
        "source_rect": np.rint(np.clip(record.box, -FAR, FAR)).astype(np.int64),
        "source_landmarks": record.frame_landmarks.astype(np.float64).tolist(),
        "image_to_face_mat": np.asarray(record.matrix, np.float64),
        "seg_ie_polys": _polys(record),
        "xseg_mask": None if mask is None else _stored(mask),
    }


def _polys(record: FaceRecord) -> dict[str, Any] | None:
    drawn = record.extra.get(POLYGONS)
    if not isinstance(drawn, Mapping):
        return None
    try:
        side = real(drawn["size"], "size")
        if not 1 <= side <= MAX_SIZE:
            return None
        ratio = record.size / side
        return {
            "polys": [
                {
                    "type": 1 if shape["label"] == "include" else 0,
                    "pts": (table(shape["points"], POLYGONS, None, 2) * ratio).astype(np.float32),
                }
                for shape in drawn["shapes"]
            ]
        }
    except (KeyError, TypeError, ValueError):
        return None


def _stored(mask: bytes) -> NDArray[np.uint8]:
    """A mask as it is kept there: 256 pixels, a PNG, or a JPEG where that takes too many bytes."""
    import cv2

    small = decode_mask(mask, _MASK_SIDE)
    data: bytes = encode_mask(small)
    quality = 100
    while len(data) > MOST_MASK and quality > 0:
        grey = (small * 255).astype(np.uint8)
        data = bytes(cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])
        quality -= 1
    return np.frombuffer(data, np.uint8)[:, None]


def polys_of(info: Mapping[str, Any]) -> dict[str, Any]:
    """The polygons as a packed faceset keeps them: first all that include, then all others."""
    value = info.get("seg_ie_polys")
    polys = value.get("polys", []) if isinstance(value, dict) else value or []
    pairs = [(each["type"], each["pts"]) if isinstance(each, dict) else each for each in polys]
    ordered = sorted(pairs, key=lambda pair: pair[0] != 1)
    return {"polys": [{"type": kind, "pts": points} for kind, points in ordered]}


def points_of(info: Mapping[str, Any]) -> Sequence[Any]:
    """The landmarks as a list of lists of floats."""
    value: Sequence[Any] = info["landmarks"]
    return value.tolist() if isinstance(value, np.ndarray) else value
