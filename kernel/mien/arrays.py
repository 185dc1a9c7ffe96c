"""The five array shapes that pass between rooms, and the two conversions between their ranges.

Image   (H, W, 3), BGR; uint8, uint16 or float32.  Integer pictures use their whole range
        (10-bit plates are stored scaled to 16 bit), float pictures run 0..1 for black..white.
Mask    (H, W, 1) float32, 0..1.
Points  (N, 2) float32, (x, y) pixels; (0, 0) is the centre of the top-left pixel.
Matrix  (2, 3) float64, maps points of one picture into another: ``q = M[:, :2] @ p + M[:, 2]``.
Vector  (N,) float32, such as the identity of a face.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[Any]
Mask: TypeAlias = NDArray[np.float32]
Points: TypeAlias = NDArray[np.float32]
Matrix: TypeAlias = NDArray[np.float64]
Vector: TypeAlias = NDArray[np.float32]


def full_scale(dtype: Any) -> float:
    """The value that means white in a picture of this dtype: 255, 65535 or 1."""
    kind = np.dtype(dtype)
    return float(np.iinfo(kind).max) if kind.kind == "u" else 1.0


def as_float(image: Image) -> NDArray[np.float32]:
    """The picture as float32 in 0..1, whatever its dtype; a float picture is returned as it is."""
    if image.dtype == np.float32:
        return image
    return np.multiply(image, np.float32(1.0 / full_scale(image.dtype)), dtype=np.float32)


def as_dtype(image: Image, dtype: Any) -> Image:
    """A float picture (0..1) as `dtype`: integers are clipped and rounded to nearest."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return image.astype(kind, copy=False)
    top = full_scale(kind)
    scaled = np.multiply(image, np.float32(top), dtype=np.float32)
    np.rint(scaled, out=scaled)
    np.clip(scaled, 0.0, top, out=scaled)
    return scaled.astype(kind)


def unit_vector(vector: Any) -> Vector:
    """The vector at length 1, so that a product of two is their cosine; zeros stay zeros."""
    made: Vector = (vector / max(float(np.linalg.norm(vector)), 1e-12)).astype(np.float32)
    return made
