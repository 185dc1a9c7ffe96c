"""Where a mask ends: its edge moved, made soft, and faded before the picture's own edge."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..arrays import Matrix, as_dtype, as_float
from ..geometry import invert

BlurKind: TypeAlias = Literal["gaussian", "box"]

_NEXT: dict[BlurKind, float] = {"gaussian": 0.8, "box": 0.5}
_RIM = 2  # pixels of the crop's own edge that are never shown: what cubic interpolation reaches
_FADE = 0.02  # of the crop's side: how soon the face fades before the edge of the picture
_DISC = 8
_LEAST = 1 / 1024


def firm(mask: NDArray[np.float32], threshold: float) -> NDArray[np.float32]:
    """The mask with 0 for all below the threshold, and 1 for all as near to 1.  # (S, S)

    Source: the formula of faceswap, which knows it for stored masks.
    """
    if not threshold:
        return mask
    kept = np.where(mask < threshold, np.float32(0), mask)
    return np.where(mask > 1 - threshold, np.float32(1), kept)


def kernels(blur: float, kind: BlurKind = "gaussian", passes: int = 1) -> tuple[int, ...]:
    """The sides, in pixels and odd, of the kernels that blur an edge `blur` pixels wide.

    Source: faceswap, whose next kernel is 0.8 (Gaussian) or 0.5 (box) of the one before.
    """
    side = 2 * round(blur / 2) + 1
    found = []
    while passes and side > 1:
        found.append(side)
        side = round(side * _NEXT[kind]) // 2 * 2 + 1
        passes -= 1
    return tuple(found)


def blurred(
    mask: NDArray[np.float32], sides: tuple[int, ...], kind: BlurKind = "gaussian"
) -> NDArray[np.float32]:
    """The mask itself after one blur for each kernel; there is nothing beyond it."""
    import cv2

    border = cv2.BORDER_CONSTANT
    for side in sides:
        if kind == "box":
            cv2.blur(mask, (side, side), dst=mask, borderType=border)
        else:
            cv2.GaussianBlur(mask, (side, side), 0, dst=mask, borderType=border)
    return mask


def soften(
    mask: NDArray[np.float32],
    erode: float,
    blur: tuple[int, ...] = (),
    kind: BlurKind = "gaussian",
) -> NDArray[np.float32]:
    """The mask with its edge moved `erode` pixels inwards and blurred by kernels.  # (S, S)

    The result is 0 at the crop's edges: all that lies nearer to them than the blur reaches is
    taken away before the blur.
    """
    import cv2

    reach, inwards = sum(side // 2 for side in blur), round(erode)
    rows, columns = occupied(mask, reach + max(-inwards, 0))
    moved = np.zeros_like(mask)
    if not rows.stop:
        return moved
    moved[rows, columns] = move_edge(mask[rows, columns], inwards)
    inset = min(_RIM + reach, (mask.shape[0] + 1) // 2)
    for rim in (moved, moved.T):
        rim[:inset], rim[rim.shape[0] - inset :] = 0, 0
    if blur:
        view = blurred(moved[rows, columns], blur, kind)
        # The tail is not seen, and would make the face's box a tenth wider.
        cv2.threshold(view, _LEAST, 0, cv2.THRESH_TOZERO, dst=view)
    return np.clip(moved, 0, 1, out=moved)


def occupied(mask: NDArray[np.float32], more: int = 0) -> tuple[slice, slice]:
    """The rows and columns that are not 0, and `more` on each side; empty for an empty mask.

    mask  (H, W) or (H, W, 1)
    """
    import cv2

    seen = np.greater(mask.reshape(mask.shape[:2]), 0).view(np.uint8)
    x, y, width, height = cv2.boundingRect(seen) if seen.size else (0, 0, 0, 0)
    if not width:
        return slice(0, 0), slice(0, 0)
    return (
        slice(max(y - more, 0), min(y + height + more, seen.shape[0])),
        slice(max(x - more, 0), min(x + width + more, seen.shape[1])),
    )


def move_edge(mask: NDArray[np.float32], inwards: int) -> NDArray[np.float32]:
    """The mask eroded by a disc of `inwards` pixels radius, or dilated where that is negative.

    Beyond the crop there is no mask, so a full one shrinks too.
    """
    import cv2

    if not inwards:
        return mask
    move = cv2.erode if inwards > 0 else cv2.dilate
    levels = as_dtype(mask, np.uint8)
    # Small discs after each other make a large one; at once, 128 pixels take 350 ms, not 20.
    for start in range(0, abs(inwards), _DISC):
        radius = min(_DISC, abs(inwards) - start)
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        levels = move(levels, disc, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return as_float(levels)


def move_sides(
    mask: NDArray[np.float32], left: int, top: int, right: int, bottom: int
) -> NDArray[np.float32]:
    """The mask with the edges of one side each moved inwards, by pixels; outwards below 0."""
    for inwards, across, forward in (
        (left, True, True),
        (top, False, True),
        (right, True, False),
        (bottom, False, False),
    ):
        if inwards:
            mask = _move_side(mask, inwards, across, forward)
    return mask


def _move_side(
    mask: NDArray[np.float32], inwards: int, across: bool, forward: bool
) -> NDArray[np.float32]:
    """Each pixel becomes the least (or most) of those on the side from which the edge comes."""
    import cv2

    reach = abs(inwards)
    line = np.ones((1, reach + 1) if across else (reach + 1, 1), np.uint8)
    end = reach if forward == (inwards > 0) else 0
    anchor = (end, 0) if across else (0, end)
    move = cv2.erode if inwards > 0 else cv2.dilate
    return np.asarray(move(mask, line, anchor=anchor), dtype=np.float32)


def fade_at_picture_edge(
    mask: NDArray[np.float32], matrix: Matrix, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """The mask, falling to 0 over the last crop pixels before the edge of the picture.

    A crop is black beyond the picture, and neither a net nor interpolation keeps that blackness
    out of the pixels beside it.
    """
    size = mask.shape[0]
    zoom = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    (a, b, x0), (c, d, y0) = (invert(matrix) * zoom).tolist()
    wide, high = (shape[1] - 1) * zoom, (shape[0] - 1) * zoom
    # Cubic interpolation reaches two pixels: of the frame going in, of the crop coming out.
    dark, fade = 2 * zoom + 2, max(_FADE * size, 1.0)
    if _all_inside((a, b, x0), wide, size, dark + fade) and _all_inside(
        (c, d, y0), high, size, dark + fade
    ):
        return mask
    at = np.arange(size, dtype=np.float32)
    x = a * at + (b * at + x0)[:, None]  # where a crop pixel lies in the frame, in crop pixels
    y = c * at + (d * at + y0)[:, None]
    far = np.minimum(np.minimum(x, wide - x), np.minimum(y, high - y))
    ramp: NDArray[np.float32] = np.clip((far - dark) / fade, 0, 1)
    return mask * ramp


def _all_inside(row: tuple[float, float, float], length: float, size: int, margin: float) -> bool:
    """No corner of the crop comes nearer than `margin` to either end of this axis."""
    along, across, start = row
    ends = [start + along * x + across * y for x in (0, size - 1) for y in (0, size - 1)]
    return min(ends) >= margin and length - max(ends) >= margin
