"""How each program feeds this net and what it makes of the boxes.

Source: the sheets' accounts of face-alignment, DeepFaceLab and faceswap.  What they do only by
mistake changes the picture, so it is kept under their names; `mien` has none of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from mien.arrays import Image, as_dtype, as_float
from mien.geometry.boxes import suppress, vote
from numpy.typing import NDArray

from .decode import Floats

DFL_SMALLEST = 40
LETTER_BOX = 640


@dataclass(frozen=True, slots=True, eq=False)
class Fed:
    """A picture as the net will see it: BGR, 0..255 in any number format.

    A point of the frame is (point of the picture - offset) / scale.
    """

    image: Image
    scale: float
    offset: tuple[int, int] = (0, 0)


Boxes = tuple[Floats, Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavour:
    """A program's habits.

    feed    frame and size option -> what the net sees
    thin    boxes (K, 4) and scores (K,) of the fed picture, overlap -> those that stay, best first
    finish  boxes in the fed picture -> boxes in the frame, and which of them (an index array)
    rgb     the colours are turned round, the mean is not
    """

    threshold: float
    nms: float
    feed: Callable[[Image, int], Fed]
    thin: Callable[[Floats, Floats, float], Boxes]
    finish: Callable[[Floats, Fed], tuple[Floats, NDArray[np.intp]]]
    rgb: bool = False


# --- what the net sees --------------------------------------------------------------------------


def _feed_reduced(image: Image, size: int) -> Fed:
    """Shrunk by true area averages, never enlarged, in floats where the frame has more bits."""
    if image.dtype == np.float32:  # a float plate may hold highlights above 1, and holes
        image = np.clip(np.nan_to_num(image), 0, 1)
    height, width = image.shape[:2]
    scale = min(1.0, size / max(height, width)) if size else 1.0
    if scale < 1:
        to = max(1, round(width * scale)), max(1, round(height * scale))
        image = cv2.resize(image, to, interpolation=cv2.INTER_AREA)
    return Fed(image if image.dtype == np.uint8 else as_float(image) * np.float32(255), scale)


def _feed_whole(image: Image, size: int) -> Fed:
    del size
    return Fed(_eight_bit(image), 1.0)


def _feed_dfl(image: Image, size: int) -> Fed:
    del size
    image = _eight_bit(image)
    height, width = image.shape[:2]
    longest = max(height, width)
    ratio = longest / max(64, 640 if longest >= 1280 else longest / 2)
    to = max(1, int(width / ratio)), max(1, int(height / ratio))
    return Fed(cv2.resize(image, to, interpolation=cv2.INTER_LINEAR), 1 / ratio)


def _feed_letter_box(image: Image, size: int) -> Fed:
    del size
    image = _eight_bit(image)
    height, width = image.shape[:2]
    scale = LETTER_BOX / max(height, width)
    inner = np.rint((width * scale, height * scale)).astype(int)
    left, top = ((LETTER_BOX - inner) // 2).tolist()
    matrix = np.array([[scale, 0, left], [0, scale, top]])
    # Shrinking asks for area averages there, and gets what an affine warp gives: two lines of two.
    how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_LINEAR
    fed = cv2.warpAffine(image, matrix, (LETTER_BOX, LETTER_BOX), flags=how)
    return Fed(fed, scale, (left, top))


def _eight_bit(image: Image) -> Image:
    if image.dtype == np.uint8:
        return image
    return as_dtype(np.nan_to_num(as_float(image)), np.uint8)


# --- which boxes stay ---------------------------------------------------------------------------


def _thin(boxes: Floats, scores: Floats, overlap: float) -> Boxes:
    kept = suppress(boxes, scores, overlap)
    return boxes[kept], scores[kept]


def _thin_plus_one(boxes: Floats, scores: Floats, overlap: float) -> Boxes:
    kept = suppress(boxes, scores, overlap, plus_one=True)
    return boxes[kept], scores[kept]


def _thin_by_vote(boxes: Floats, scores: Floats, overlap: float) -> Boxes:
    return vote(boxes, scores, overlap, plus_one=True)


# --- where they are in the frame ----------------------------------------------------------------


def _finish_floats(boxes: Floats, fed: Fed) -> tuple[Floats, NDArray[np.intp]]:
    return boxes / np.float32(fed.scale), np.arange(len(boxes))


def _finish_dfl(boxes: Floats, fed: Fed) -> tuple[Floats, NDArray[np.intp]]:
    """Whole pixels of the reduced picture, scaled; small ones go; a tenth more chin; truncated."""
    placed = np.trunc(boxes).astype(np.float64) / fed.scale
    which = np.flatnonzero(
        (placed[:, 2:] - placed[:, :2]).min(axis=1, initial=np.inf) >= DFL_SMALLEST
    )
    placed = placed[which]
    placed[:, 3] += 0.1 * (placed[:, 3] - placed[:, 1])
    return np.trunc(placed).astype(np.float32), which


def _finish_rounded(boxes: Floats, fed: Fed) -> tuple[Floats, NDArray[np.intp]]:
    offset = np.array([*fed.offset, *fed.offset], np.float32)
    placed = (boxes - offset) / np.float32(fed.scale)
    return np.rint(placed), np.arange(len(boxes))


def drop_touching(boxes: Floats) -> NDArray[np.intp]:
    """Which boxes stay when, from the smallest on, each that touches the next larger one goes."""
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    order = np.argsort(-areas, kind="stable")
    larger, smaller = boxes[order[:-1]], boxes[order[1:]]
    apart = (smaller[:, :2] > larger[:, 2:]).any(axis=1) | (larger[:, :2] > smaller[:, 2:]).any(
        axis=1
    )
    return np.sort(order[np.concatenate([[True], apart])[: len(order)]])


FLAVOURS = {
    "mien": Flavour(threshold=0.5, nms=0.3, feed=_feed_reduced, thin=_thin, finish=_finish_floats),
    "face-alignment": Flavour(
        threshold=0.5, nms=0.3, feed=_feed_whole, thin=_thin_plus_one, finish=_finish_floats
    ),
    "dfl": Flavour(
        threshold=0.5, nms=0.3, feed=_feed_dfl, thin=_thin_plus_one, finish=_finish_dfl, rgb=True
    ),
    "faceswap": Flavour(
        threshold=0.7, nms=0.5, feed=_feed_letter_box, thin=_thin_by_vote, finish=_finish_rounded
    ),
}
