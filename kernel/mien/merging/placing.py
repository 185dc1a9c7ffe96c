"""A swap warped to where it belongs, cut to the part of the frame that is touched."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..arrays import Image, Mask, Matrix, as_float
from ..geometry import compose, face_box, invert, take_crop, warp
from ..stages import BlendPair, ColorPair
from ..types import CropSpec, Frame, Swap, replace
from .edges import occupied
from .options import MergeOptions

_log = logging.getLogger(__name__)

Box: TypeAlias = tuple[int, int, int, int]
"""(x0, y0, x1, y1) in frame pixels, x1 and y1 exclusive."""

Part: TypeAlias = tuple[slice, slice]
"""Rows and columns of a crop."""

ALL: Part = (slice(None), slice(None))
_PLAIN = CropSpec(size=1)
_REACH = 4  # pixels around what is seen that interpolation looks at, and some


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placed:
    """A swap warped to where it belongs.

    box   of the pair's pictures in the frame; may be empty
    pair  what a blend is asked
    """

    box: Box
    pair: BlendPair

    @property
    def is_empty(self) -> bool:
        """Nothing of the face is to be seen: the blend may be skipped."""
        return self.pair.alpha.size == 0


def seen_part(swap: Swap) -> Part:
    """The rows and columns of the crop in which alpha is not 0, and a few more on each side."""
    assert swap.alpha is not None
    rows, columns = occupied(swap.alpha, _REACH)
    return (rows, columns) if rows.stop else ALL


def color_pair(frame: Frame, swap: Swap, track: int = -1, part: Part = ALL) -> ColorPair:
    """What a colour transfer is asked about a swap with its alpha, or about a part of its crop."""
    assert swap.alpha is not None
    return ColorPair(
        swap=swap.image[part],
        plate=plate_crop(frame, swap, part),
        area=swap.alpha[part],
        frame_index=frame.index,
        track=track,
    )


def recoloured(swap: Swap, answer: Image, part: Part = ALL) -> Swap:
    """The swap with a colour transfer's answer about that part of it."""
    if answer.shape == swap.image.shape:
        return replace(swap, image=answer)
    image = swap.image.copy()
    image[part] = answer
    return replace(swap, image=image)


def plate_crop(frame: Frame, swap: Swap, part: Part = ALL) -> Image:
    """The clip's own pixels in the crop of `swap`: (S, S, 3) float32 BGR 0..1, black outside."""
    side = swap.image.shape[0]
    (top, bottom, _), (left, right, _) = (each.indices(side) for each in part)
    matrix = compose(swap.matrix, np.array([[1.0, 0, -left], [0, 1.0, -top]]))
    return take_crop(frame.image, matrix, _PLAIN, (right - left, bottom - top))


def paste_matrix(swap: Swap, options: MergeOptions) -> Matrix:
    """Frame pixels to pixels of `swap.image`, where it is pasted `scale` percent larger."""
    keep = 1 / (1 + options.scale / 100)
    shift = swap.image.shape[0] / 2 * (1 - keep)
    return compose(swap.matrix, np.array([[keep, 0, shift], [0, keep, shift]]))


def to_frame(frame: Frame, image: Image, alpha: Mask, matrix: Matrix, *, track: int = -1) -> Placed:
    """The swap warped into its frame, cut to the part that is seen.

    image   (S, S, 3) float32 BGR 0..1;  alpha  (S, S, 1);  matrix  frame to crop
    Where `image` is not finite the plate is kept, and a warning says so.
    """
    image, alpha = _without_gaps(frame, image, alpha, matrix)
    x0, y0, x1, y1 = box = _seen_box(alpha, matrix, frame.image.shape)
    size = (x1 - x0, y1 - y0)
    back = compose(invert(matrix), np.array([[1.0, 0, -x0], [0, 1.0, -y0]]))
    seen = warp(image, back, size, cubic=True, border="replicate", quick=True)
    pair = BlendPair(
        plate=as_float(frame.image[y0:y1, x0:x1]),
        swap=np.clip(seen, 0, 1, out=seen),
        alpha=warp(alpha, back, size),
        frame_index=frame.index,
        track=track,
    )
    return Placed(box=box, pair=pair)


def is_finite(image: Image) -> bool:
    """Whether no value is NaN or infinite."""
    import cv2

    # A sum is finite only where every value is; cv2 adds up in double, three times as fast.
    return not image.size or bool(np.isfinite(cv2.sumElems(image)).all())


def finite_pixels(image: Image) -> NDArray[np.bool_]:
    """Where all channels are finite.  # (h, w, 1)"""
    finite: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(image), axis=-1, keepdims=True)
    return finite


def warn_of_gaps(frame_index: int, what: str, gaps: NDArray[np.bool_]) -> None:
    """Say that a part of a face keeps the plate."""
    if gaps.any():
        _log.warning(
            "frame %d: the %s holds %d pixels that are not finite; the plate is kept there",
            frame_index,
            what,
            np.count_nonzero(gaps),
        )


def _without_gaps(frame: Frame, image: Image, alpha: Mask, matrix: Matrix) -> tuple[Image, Mask]:
    """The swap with the plate in place of values that are not finite, and alpha 0 there."""
    if is_finite(image):
        return image, alpha
    finite = finite_pixels(image)
    warn_of_gaps(frame.index, "swap", ~finite)
    plate = take_crop(frame.image, matrix, CropSpec(size=image.shape[0]))
    return np.where(finite, image, plate), np.where(finite, alpha, np.float32(0))


def _seen_box(alpha: Mask, matrix: Matrix, shape: tuple[int, ...]) -> Box:
    """The part of the frame that the non-zero part of alpha can touch."""
    rows, columns = occupied(alpha)
    seen = compose(matrix, np.array([[1.0, 0, -columns.start], [0, 1.0, -rows.start]]))
    size = columns.stop - columns.start, rows.stop - rows.start
    return face_box(seen, size, shape) if all(size) else (0, 0, 0, 0)
