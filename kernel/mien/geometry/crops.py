"""Warps: a face out of its frame into a crop, and the other way, without aliasing or shift."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..arrays import Image, Matrix, as_dtype, as_float
from ..types import Crop, CropSpec, Face, Frame
from .affine import compose, crop_matrix, invert, transform


def warp(
    image: Image,
    matrix: Matrix,
    size: int | tuple[int, int],
    *,
    cubic: bool = False,
    border: Literal["zero", "replicate"] = "zero",
    quick: bool = False,
) -> Image:
    """The picture as seen through a matrix.

    image   (H, W) or (H, W, C); uint8, uint16 or float32, kept
    matrix  pixels of `image` to pixels of the result
    size    side of the result, or (width, height)
    cubic   sharper than linear, but float results may overshoot the range of the picture
    border  what lies around the picture: black, or its edge pixels
    quick   a picture that becomes much larger, and goes on at its edge, may differ from cubic by
            less than rounding to 8 bits does (62 dB on photographs)
    """
    import cv2

    width, height = (size, size) if isinstance(size, int) else size
    shape = (height, width, *image.shape[2:])
    if 0 in shape or 0 in image.shape:
        return np.zeros(shape, dtype=image.dtype)
    zoom = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    shrink = min(int(1 / max(zoom, 1e-9) + 1e-6), max(image.shape[:2]))
    if shrink >= 2:
        image, matrix = _shrink(image, matrix, (width, height), shrink, border)
        if 0 in image.shape:
            return np.zeros(shape, dtype=image.dtype)
    if quick and cubic and border == "replicate" and round(zoom) >= 3:
        image, matrix = _enlarge(image, matrix, (width, height), round(zoom))
        cubic = False
    result = cv2.warpAffine(
        image,
        matrix,
        (width, height),
        flags=cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE if border == "replicate" else cv2.BORDER_CONSTANT,
    )
    return result.reshape(shape)


def _shrink(
    image: Image,
    matrix: Matrix,
    size: tuple[int, int],
    factor: int,
    border: Literal["zero", "replicate"],
) -> tuple[Image, Matrix]:
    """The part of the picture that the warp reads, averaged over squares of `factor` pixels.

    Interpolation looks at two or four pixels however far apart the samples are; a picture made
    smaller than half by it glitters from frame to frame.
    """
    import cv2

    x0, y0, x1, y1 = _source_box(image, matrix, size, 3 * factor, border)
    # Squares at the same places whatever part is read: a moving face must not shimmer.
    x0, y0 = x0 - x0 % factor, y0 - y0 % factor
    x1, y1 = x1 + -x1 % factor, y1 + -y1 % factor
    part = image[y0:y1, x0:x1]
    if 0 in part.shape:
        return part, matrix
    bottom, right = y1 - y0 - part.shape[0], x1 - x0 - part.shape[1]
    if bottom or right:  # squares reach out of the picture
        kind = cv2.BORDER_REPLICATE if border == "replicate" else cv2.BORDER_CONSTANT
        part = cv2.copyMakeBorder(part, 0, bottom, 0, right, kind)
    small, left = part, factor
    while left > 1:  # halving is four times as quick as a mean over larger squares
        step = 2 if left % 2 == 0 else left
        size = small.shape[1] // step, small.shape[0] // step
        small = cv2.resize(small, size, interpolation=cv2.INTER_AREA)
        left //= step
    middle = (factor - 1) / 2  # the centre of the first small pixel, in pixels of `part`
    back = np.array([[factor, 0, x0 + middle], [0, factor, y0 + middle]], dtype=np.float64)
    return small, compose(back, matrix)


def _enlarge(
    image: Image, matrix: Matrix, size: tuple[int, int], factor: int
) -> tuple[Image, Matrix]:
    """The part of the picture that the warp reads, `factor` times as wide and high.

    Between pixels this near to each other, linear interpolation is nearly as good as cubic; and
    rows and columns one after the other take a fifth of the time of both at once.
    """
    import cv2

    x0, y0, x1, y1 = _source_box(image, matrix, size, 3, "replicate")
    large = cv2.resize(
        image[y0:y1, x0:x1], None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC
    )
    first = (1 / factor - 1) / 2  # the centre of the first large pixel, in pixels of the part
    back = np.array([[1 / factor, 0, x0 + first], [0, 1 / factor, y0 + first]])
    return large, compose(back, matrix)


def _source_box(
    image: Image,
    matrix: Matrix,
    size: tuple[int, int],
    margin: int,
    border: Literal["zero", "replicate"],
) -> tuple[int, int, int, int]:
    """Pixels of `image` that a result of `size` can show, and `margin` more on each side."""
    corners = np.array([(x, y) for x in (0, size[0]) for y in (0, size[1])], dtype=np.float64)
    seen = transform(invert(matrix), corners)
    limit = np.array([image.shape[1], image.shape[0]])
    x0, y0 = np.clip(np.floor(seen.min(0)) - margin, 0, limit).astype(int).tolist()
    x1, y1 = np.clip(np.ceil(seen.max(0)) + margin, 0, limit).astype(int).tolist()
    if border == "replicate":  # the edge pixels are needed even where the box misses the picture
        x0, y0 = min(x0, image.shape[1] - 1), min(y0, image.shape[0] - 1)
        x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
    return x0, y0, x1, y1


def make_crop(frame: Frame, face: Face, spec: CropSpec, *, blind: bool = False) -> Crop:
    """A face of a frame as `spec` wants it; black where the crop leaves the frame.

    blind  all of it is black, which costs nothing: for a stage that looks at landmarks alone
    Raises ValueError where the face has no landmarks or `crop_matrix` refuses them.
    """
    if face.landmarks is None:
        raise ValueError(f"a face of frame {frame.index} has no landmarks: it needs an aligner")
    matrix = crop_matrix(face.landmarks, spec.face_type, spec.size, spec.scale)
    return Crop(
        image=_black(spec) if blind else take_crop(frame.image, matrix, spec),
        matrix=matrix,
        landmarks=transform(matrix, face.landmarks),
        spec=spec,
        face=face,
        frame_index=frame.index,
    )


def _black(spec: CropSpec) -> Image:
    """A black picture that takes no memory."""
    if spec.dtype == "uint8":
        return np.broadcast_to(np.uint8(0), (spec.size, spec.size, 3))
    return np.broadcast_to(np.float32(spec.low), (spec.size, spec.size, 3))


def take_crop(
    image: Image, matrix: Matrix, spec: CropSpec, size: tuple[int, int] | None = None
) -> Image:
    """A frame's picture through a matrix, in the size, order, dtype and range of `spec`.

    size  (width, height) of the result where it is not the square of `spec`
    """
    seen = warp(image, matrix, size or spec.size, cubic=True)
    ordered = seen if spec.order == "bgr" else np.ascontiguousarray(seen[..., ::-1])
    if spec.dtype == "uint8":
        return ordered if ordered.dtype == np.uint8 else as_dtype(as_float(ordered), np.uint8)
    unit = as_float(ordered)
    if image.dtype == np.float32:  # cubic overshoot, and highlights above white
        unit = np.clip(unit, 0, 1)
    if (spec.low, spec.high) == (0.0, 1.0):
        return unit
    return unit * np.float32(spec.high - spec.low) + np.float32(spec.low)


def crop_to_bgr(image: Image, spec: CropSpec) -> Image:
    """A picture in the order, dtype and range of `spec` as float32 BGR 0..1."""
    if spec.dtype == "uint8":
        unit = as_float(image)
    else:
        unit = (image - np.float32(spec.low)) * np.float32(1 / (spec.high - spec.low))
    return unit if spec.order == "bgr" else np.ascontiguousarray(unit[..., ::-1])
