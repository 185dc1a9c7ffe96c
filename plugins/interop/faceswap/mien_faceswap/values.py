"""Numbers and masks out of faceswap's tables, each checked before it is believed."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np
from mien.arrays import Mask, Matrix
from mien.faceset.numbers import real, table
from mien.geometry import compose, invert, warp
from mien.types import FaceMask
from numpy.typing import NDArray

from .geometry import Floats, as_68, square

_MOST_SIDE = 4096
_STORED = 128
_LINEAR = 1
# Made from landmarks whenever they are needed, and ignored by faceswap where they are stored.
_DRAWN = frozenset({"components", "extended"})


def points_of(face: Mapping[str, Any]) -> Floats:
    """The landmarks, (68, 2) frame pixels.  Raises ValueError."""
    return as_68(table(face.get("landmarks_xy"), "landmarks_xy", None, 2))


def box_of(face: Mapping[str, Any]) -> tuple[float, float, float, float]:
    """The detector's box, frame pixels.  Raises ValueError."""
    x, y, width, height = (real(face.get(name), name) for name in "xywh")
    return x, y, x + width, y + height


def masks_of(face: Mapping[str, Any]) -> dict[str, FaceMask]:
    """The stored masks by name.  Raises ValueError."""
    stored = face.get("mask") or {}
    if not isinstance(stored, Mapping):
        raise ValueError("'mask' is no table")
    if not all(isinstance(name, str) and name.isprintable() for name in stored):
        raise ValueError("a mask's name is no text")
    return {str(name): _mask(each) for name, each in stored.items() if name not in _DRAWN}


def _mask(value: Any) -> FaceMask:
    if not isinstance(value, Mapping):
        raise ValueError("a mask is no table")
    side, packed, stored = value.get("stored_size"), value.get("mask"), value.get("affine_matrix")
    if type(side) is not int or not 1 <= side <= _MOST_SIDE or not isinstance(packed, bytes):
        raise ValueError(f"a mask of {side!r:.20} pixels")
    rows = len(stored) if isinstance(stored, list | tuple | np.ndarray) else 0
    matrix = table(stored, "affine_matrix", 3 if rows == 3 else 2, 3)[:2].copy()
    invert(matrix)
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(packed, side * side + 1)
    except zlib.error as error:
        raise ValueError(f"a mask is damaged: {error}") from error
    if len(raw) != side * side:
        raise ValueError(f"a mask of {side} pixels holds {len(raw)} bytes")
    seen = np.frombuffer(raw, np.uint8).reshape(side, side, 1)
    return FaceMask(mask=seen.astype(np.float32) / np.float32(255), matrix=matrix)


def stored_mask(placed: FaceMask, points: Floats) -> dict[str, Any]:
    """A mask as faceswap stores it: around the head, 128 pixels.  Raises ValueError."""
    matrix = square(points, _STORED, "head")
    seen: NDArray[Any] = warp(placed.mask, compose(invert(placed.matrix), matrix), _STORED)
    return {
        "mask": zlib.compress(np.rint(np.clip(seen, 0, 1) * 255).astype(np.uint8).tobytes()),
        "affine_matrix": matrix.tolist(),
        "interpolator": _LINEAR,
        "stored_size": _STORED,
        "stored_centering": "head",
    }


def in_crop(placed: FaceMask, matrix: Matrix, size: int) -> Mask:
    """A mask as a crop of `size` pixels sees it, `matrix` being frame to crop."""
    seen: Mask = warp(placed.mask, compose(invert(placed.matrix), matrix), size)
    return seen


def frame_number(name: Any) -> int:
    """The frame's index by its name: frames of a video count from 1, as in `clip_000001.mp4`."""
    found = re.findall(r"\d+", PurePath(str(name)[-300:]).stem)
    return max(0, int(found[-1][-12:]) - 1) if found else 0


def face_table(points: Floats, box: tuple[float, ...], mask: FaceMask | None) -> dict[str, Any]:
    """What faceswap's file says of a face that comes from us."""
    x0, y0, x1, y1 = (round(edge) for edge in box)
    masks = {} if mask is None else {"custom_head": stored_mask(mask, points)}
    return {
        "x": x0,
        "y": y0,
        "w": x1 - x0,
        "h": y1 - y0,
        "landmarks_xy": points.tolist(),
        "mask": masks,
        "identity": {},
    }
