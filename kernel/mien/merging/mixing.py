"""Blended faces into the frame: the plate plus the masked difference, in the plate's own dtype."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from ..arrays import Image, as_float, full_scale
from ..errors import StageError
from ..stages import Blended, BlendPair
from ..types import Frame
from .placing import Box, Placed, finite_pixels, is_finite, warn_of_gaps

_WHOLE = 1 + 1e-5  # what `cv2.blendLinear` divides weights by that add up to 1


def apply(frame: Frame, faces: Iterable[tuple[Placed, Blended]]) -> Frame:
    """The frame with its faces put in, the first one lowest.

    Integer pictures are rounded to nearest.  Pixels where a blend is not finite keep the plate.
    """
    image = frame.image.copy()
    boxes: list[Box] = []
    for placed, blended in faces:
        if placed.is_empty:
            continue
        _check_shapes(placed.pair, blended)
        x0, y0, x1, y1 = placed.box
        part = image[y0:y1, x0:x1]
        lies_on_a_face = any(_overlap(placed.box, box) for box in boxes)
        _mix(part, as_float(part) if lies_on_a_face else placed.pair.plate, blended, frame.index)
        boxes.append(placed.box)
    return replace(frame, image=image)


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _mix(part: Image, unit: Image, blended: Blended, frame_index: int) -> None:
    """Mixes a face into a part of the frame, in place; `unit` is the part in float.

    cv2 where numpy would need four passes, or broadcast over the three channels.
    """
    import cv2

    with np.errstate(invalid="ignore"):
        rest = np.subtract(1, blended.alpha)
    mixed = cv2.blendLinear(blended.image, unit, blended.alpha, rest)
    shown = np.greater(blended.alpha, 0)
    if not is_finite(mixed):
        finite = finite_pixels(mixed)
        warn_of_gaps(frame_index, "blend", shown & ~finite)
        shown &= finite
        mixed = np.where(finite, mixed, np.float32(0))
    cv2.copyTo(_as_dtype(mixed, part.dtype), shown.view(np.uint8), part)


def _as_dtype(image: Image, dtype: Any) -> Image:
    """A mix as `mien.arrays.as_dtype` gives it, in one pass instead of four."""
    import cv2

    kind = {1: cv2.CV_8U, 2: cv2.CV_16U, 4: cv2.CV_32F}[np.dtype(dtype).itemsize]
    return cv2.addWeighted(image, full_scale(dtype) * _WHOLE, image, 0, 0, dtype=kind)


def _check_shapes(pair: BlendPair, blended: Blended) -> None:
    for name, seen, wanted in (
        ("image", blended.image.shape, pair.plate.shape),
        ("alpha", blended.alpha.shape, pair.alpha.shape),
    ):
        if seen != wanted:
            raise StageError(
                f"the blend gave an {name} of shape {seen} for frame {pair.frame_index}, "
                f"must be {wanted}: a fault of its plugin",
                first=pair.frame_index,
                last=pair.frame_index,
            )
