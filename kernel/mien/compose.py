"""Puts swaps into their frame; all work happens inside the face's box.

    area = face_alpha(frame, face, swap, options)              (S, S, 1) in the swap's crop
    plate = plate_crop(frame, swap)                            (S, S, 3) what a colour transfer sees
    image = colour transfer of (swap.image, plate, area)
    placed = to_frame(frame, image, area, paste_matrix(swap, options), track=face.track)
    blended = blend stage of placed.pair
    frame = apply(frame, [(placed, blended), ...])             all faces of the frame, in order

Pixels where alpha is 0 stay bit-identical in every dtype.  Loads cv2 with the first picture.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .arrays import Image, Mask, Matrix, as_dtype, as_float
from .errors import ConfigError, StageError
from .geometry import compose, face_box, hull_mask, invert, take_crop, transform, warp
from .options import nearest, option
from .stages import Blended, BlendPair
from .types import CropSpec, Face, Frame, Swap

_log = logging.getLogger(__name__)

_RIM = 2  # pixels of the crop's own edge that are never shown: what cubic interpolation reaches
_FADE = 0.02  # of the crop's side: how soon the face fades before the edge of the picture
_BROW = 1.5  # at DeepFaceLab's 1 the soft edge runs through the eyebrows
_DISC = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeOptions:
    """How a swap is put into its frame: the table `[merge]`.

    Lengths are percent of the crop's side, so that they mean the same for every model's size.
    """

    mask: str = option(
        "auto",
        "What is shown of the new face: auto, full, hull, swap or target (learned by the model), "
        "the name of a masker, or several of them: a*b is their overlap, a+b their union",
    )
    erode: float = option(
        2.0, "How far the mask's edge moves inwards; below 0 outwards", unit="%", ge=-25, le=25
    )
    blur: float = option(8.0, "Width of the mask's soft edge", unit="%", ge=0, le=50)
    scale: float = option(
        0.0, "How much larger the new face is pasted; below 0 smaller", unit="%", ge=-50, le=50
    )
    faces: Literal["largest", "all"] = option("largest", "Which faces of a frame get the new look")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placed:
    """A swap warped to where it belongs.

    box   (x0, y0, x1, y1) of the pair's pictures in the frame, x1 and y1 exclusive; may be empty
    pair  what a blend is asked
    """

    box: tuple[int, int, int, int]
    pair: BlendPair

    @property
    def is_empty(self) -> bool:
        """Nothing of the face is to be seen: the blend may be skipped."""
        return self.pair.alpha.size == 0


def plate_crop(frame: Frame, swap: Swap) -> Image:
    """The clip's own pixels in the crop of `swap`: (S, S, 3) float32 BGR 0..1, black outside."""
    return take_crop(frame.image, swap.matrix, CropSpec(size=swap.image.shape[0]))


def paste_matrix(swap: Swap, options: MergeOptions) -> Matrix:
    """Frame pixels to pixels of `swap.image`, where it is pasted `scale` percent larger."""
    keep = 1 / (1 + options.scale / 100)
    shift = swap.image.shape[0] / 2 * (1 - keep)
    return compose(swap.matrix, np.array([[keep, 0, shift], [0, keep, shift]]))


def face_alpha(frame: Frame, face: Face, swap: Swap, options: MergeOptions) -> Mask:
    """How much of the swap shall be seen: (S, S, 1) float32 0..1, in its crop.

    Falls to 0 at the crop's edges, and where the crop leaves the picture.  With `mask = "auto"`
    it is the model's own mask times the stored ones (times the model's mask of the target where
    none is stored), or the hull of the landmarks where there is none at all.
    Raises ConfigError where `options.mask` names a mask that this face does not have.
    """
    size = swap.image.shape[0]
    mask = _combine(face, swap, options.mask)
    mask = _soften(mask, size * options.erode / 100, size * options.blur / 100)
    return _fade_at_picture_edge(mask, swap.matrix, frame.image.shape)[..., None]


def to_frame(frame: Frame, image: Image, alpha: Mask, matrix: Matrix, *, track: int = -1) -> Placed:
    """The swap warped into its frame, cut to the part that is seen.

    image   (S, S, 3) float32 BGR 0..1;  alpha  (S, S, 1);  matrix  frame to crop
    Where `image` is not finite the plate is kept, and a warning says so.
    """
    image, alpha = _without_gaps(frame, image, alpha, matrix)
    x0, y0, x1, y1 = box = _seen_box(alpha, matrix, frame.image.shape)
    size = (x1 - x0, y1 - y0)
    back = compose(invert(matrix), np.array([[1.0, 0, -x0], [0, 1.0, -y0]]))
    seen = warp(image, back, size, cubic=True, border="replicate")
    pair = BlendPair(
        plate=as_float(frame.image[y0:y1, x0:x1]),
        swap=np.clip(seen, 0, 1, out=seen),
        alpha=warp(alpha, back, size),
        frame_index=frame.index,
        track=track,
    )
    return Placed(box=box, pair=pair)


def apply(frame: Frame, faces: Iterable[tuple[Placed, Blended]]) -> Frame:
    """The frame with its faces put in, the first one lowest.

    Integer pictures are rounded to nearest.  Pixels where a blend is not finite keep the plate.
    """
    image = frame.image.copy()
    for placed, blended in faces:
        if placed.is_empty:
            continue
        _check_shapes(placed.pair, blended)
        x0, y0, x1, y1 = placed.box
        image[y0:y1, x0:x1] = _mix(image[y0:y1, x0:x1], blended, frame.index)
    return replace(frame, image=image)


def _mix(plate: Image, blended: Blended, frame_index: int) -> Image:
    """The plate plus the masked difference, in the plate's dtype.

    cv2 where numpy would broadcast over the three channels, which costs ten times as much.
    """
    import cv2

    unit = as_float(plate)
    with np.errstate(invalid="ignore", over="ignore"):
        mixed = np.subtract(blended.image, unit)
        mixed *= cv2.cvtColor(blended.alpha, cv2.COLOR_GRAY2BGR)
        mixed += unit
    shown = np.greater(blended.alpha, 0)
    if not _is_finite(mixed):
        finite = _finite_pixels(mixed)
        _warn_of_gaps(frame_index, "blend", shown & ~finite)
        shown &= finite
        mixed = np.where(finite, mixed, np.float32(0))
    result: Image = cv2.copyTo(as_dtype(mixed, plate.dtype), shown.view(np.uint8), plate.copy())
    return result


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


def _is_finite(image: Image) -> bool:
    with np.errstate(invalid="ignore", over="ignore"):
        return bool(np.isfinite(image.sum()))


def _finite_pixels(image: Image) -> NDArray[np.bool_]:
    """Where all channels are finite.  # (h, w, 1)"""
    finite: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(image), axis=-1, keepdims=True)
    return finite


def _warn_of_gaps(frame_index: int, what: str, gaps: NDArray[np.bool_]) -> None:
    if gaps.any():
        _log.warning(
            "frame %d: the %s holds %d pixels that are not finite; the plate is kept there",
            frame_index,
            what,
            np.count_nonzero(gaps),
        )


def _without_gaps(frame: Frame, image: Image, alpha: Mask, matrix: Matrix) -> tuple[Image, Mask]:
    """The swap with the plate in place of values that are not finite, and alpha 0 there."""
    if _is_finite(image):
        return image, alpha
    finite = _finite_pixels(image)
    _warn_of_gaps(frame.index, "swap", ~finite)
    plate = take_crop(frame.image, matrix, CropSpec(size=image.shape[0]))
    return np.where(finite, image, plate), np.where(finite, alpha, np.float32(0))


def _seen_box(alpha: Mask, matrix: Matrix, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """The part of the frame that the non-zero part of alpha can touch."""
    import cv2

    x, y, width, height = cv2.boundingRect((alpha[..., 0] > 0).view(np.uint8))
    if width == 0:
        return 0, 0, 0, 0
    seen = compose(matrix, np.array([[1.0, 0, -x], [0, 1.0, -y]]))
    return face_box(seen, (width, height), shape)


def _combine(face: Face, swap: Swap, expression: str) -> NDArray[np.float32]:
    """The masks that `expression` names, in the swap's crop.  # (S, S)"""
    if expression == "auto":
        learned = [name for name in ("swap",) if name in swap.masks]
        stored = list(face.masks) or [name for name in ("target",) if name in swap.masks]
        expression = "*".join(learned + stored) or "hull"

    def overlap(term: str) -> NDArray[np.float32]:
        return reduce(
            np.multiply, (_one_mask(face, swap, name.strip()) for name in term.split("*"))
        )

    union = np.clip(reduce(np.add, map(overlap, expression.split("+"))), 0, 1)
    return np.nan_to_num(union, copy=False)  # a net that fails gives NaN: nothing is shown there


def _one_mask(face: Face, swap: Swap, name: str) -> NDArray[np.float32]:
    size = swap.image.shape[0]
    if name == "full":
        return np.ones((size, size), dtype=np.float32)
    if name in swap.masks:
        return swap.masks[name][..., 0]
    if name in face.masks:
        stored = face.masks[name]
        return warp(stored.mask, compose(invert(stored.matrix), swap.matrix), size)[..., 0]
    if name == "hull" and face.landmarks is not None:
        return hull_mask(transform(swap.matrix, face.landmarks), size, _BROW)[..., 0]
    if name == "hull":
        raise ConfigError("merge.mask: 'hull' needs landmarks, and a face has none: use an aligner")
    known = ("full", "hull", *swap.masks, *face.masks)
    raise ConfigError(f"merge.mask: no mask '{name}' here{nearest(name, known)}")


def _soften(mask: NDArray[np.float32], erode: float, blur: float) -> NDArray[np.float32]:
    """The mask with its edge moved `erode` pixels inwards and `blur` pixels wide.

    The result is 0 at the crop's edges: all that lies nearer to them than the blur reaches is
    taken away before the blur.
    """
    import cv2

    mask = _move_edge(mask, round(erode))
    half = round(blur / 2)
    inset = min(_RIM + half, (mask.shape[0] + 1) // 2)
    inner = np.zeros_like(mask)
    kept = slice(inset, mask.shape[0] - inset)
    inner[kept, kept] = mask[kept, kept]
    if half:
        kernel_size = (2 * half + 1, 2 * half + 1)
        cv2.GaussianBlur(inner, kernel_size, 0, dst=inner, borderType=cv2.BORDER_CONSTANT)
    return np.clip(inner, 0, 1, out=inner)


def _move_edge(mask: NDArray[np.float32], inwards: int) -> NDArray[np.float32]:
    """The mask eroded by a disc of `inwards` pixels radius, or dilated where that is negative."""
    import cv2

    if not inwards:
        return mask
    move = cv2.erode if inwards > 0 else cv2.dilate
    levels = as_dtype(mask, np.uint8)
    # Small discs after each other make a large one; at once, 128 pixels take 350 ms, not 20.
    for start in range(0, abs(inwards), _DISC):
        radius = min(_DISC, abs(inwards) - start)
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        levels = move(levels, disc)
    return as_float(levels)


def _fade_at_picture_edge(
    mask: NDArray[np.float32], matrix: Matrix, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """The mask, falling to 0 over the last crop pixels before the edge of the picture.

    A crop is black beyond the picture, and neither a net nor interpolation keeps that blackness
    out of the pixels beside it.
    """
    size = mask.shape[0]
    zoom = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    (a, b, x0), (c, d, y0) = (invert(matrix) * zoom).tolist()
    at = np.arange(size, dtype=np.float32)
    x = a * at + (b * at + x0)[:, None]  # where a crop pixel lies in the frame, in crop pixels
    y = c * at + (d * at + y0)[:, None]
    wide, high = (shape[1] - 1) * zoom, (shape[0] - 1) * zoom
    far = np.minimum(np.minimum(x, wide - x), np.minimum(y, high - y))
    # Cubic interpolation reaches two pixels: of the frame going in, of the crop coming out.
    dark = 2 * zoom + 2
    ramp: NDArray[np.float32] = np.clip((far - dark) / max(_FADE * size, 1.0), 0, 1)
    return mask * ramp
