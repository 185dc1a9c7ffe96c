"""The preview sheet of a training, as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...arrays import Image, as_dtype
from ...atomic import write_whole
from ...errors import OutputError

if TYPE_CHECKING:
    from torch import Tensor

GROUND = 32
INK = (230, 230, 230)
MASK = " mask"
"""A column of a trainer whose title ends like this is a mask, white where the face is."""

_TILE = 128
_GAP, _BLOCK = 4, 12
_HEAD, _TITLES = 24, 20


def pictures(faces: Tensor) -> list[Image]:
    """Tensor (N, 3, S, S) as pictures (S, S, 3) float32 BGR 0..1."""
    values = faces.float().clamp(0, 1).permute(0, 2, 3, 1).cpu().numpy()
    return [np.ascontiguousarray(value) for value in values]


def split_blocks(
    columns: Mapping[str, Sequence[Image]], source: Sequence[Image], target: Sequence[Image]
) -> list[dict[str, Sequence[Image]]]:
    """A trainer's columns as the blocks of a sheet: the faces whole, then inside their masks.

    columns  by title; ` mask` at the end of a title marks a mask, `masked` is the swap inside its
             masks; a model without masks has neither, and gets one block
    source, target  (S, S, 1 or 3) masks of the faces themselves, as the facesets have them

    As in DeepFaceLab the masked block shows the source's reconstruction whole.
    """
    masks = {title: images for title, images in columns.items() if title.endswith(MASK)}
    whole = {title: images for title, images in columns.items() if title not in masks}
    masked = whole.pop("masked", None)
    if masked is None and not masks:
        return [dict(whole)]
    own = masks.get(f"target{MASK}", target)
    made = masks.get(f"swap{MASK}", target)
    inside: dict[str, Sequence[Image]] = {}
    for title, images in whole.items():
        if title == "source":
            inside["source, masked"] = _inside(images, source)
        elif title == "source again":
            inside[title] = images
        elif title == "target":
            inside["target, masked"] = _inside(images, target)
        elif title == "target again":
            inside["again, masked"] = _inside(images, own)
        elif title == "swap":
            inside["swap, masked"] = masked if masked is not None else _inside(images, made)
    return [dict(whole), inside, *([dict(masks)] if masks else [])]


def contact_sheet(
    blocks: Sequence[Mapping[str, Sequence[Image]]], head: str = "", width: int = 1920
) -> NDArray[np.uint8]:
    """Pictures (S, S, 3) float32 BGR 0..1 side by side, a title above each column.

    blocks  groups of columns, a wider gap between them;  head  a line above everything
    width   of the sheet at most, in pixels; at least 16 are left for each face

    Returns (H, W, 3) uint8; small pictures are enlarged by whole numbers, so pixels stay visible.
    """
    columns = [(number, item) for number, block in enumerate(blocks) for item in block.items()]
    size = max((len(image) for _, (_, images) in columns for image in images), default=1)
    rows = max((len(images) for _, (_, images) in columns), default=0)
    gaps = _GAP * (len(columns) - 1) + (_BLOCK - _GAP) * (len(blocks) - 1)
    room = max(16, (width - gaps) // max(1, len(columns)))
    tile = _tile(size, room)
    top = (_HEAD if head else 0) + _TITLES
    shape = (top + rows * (tile + _GAP), max(1, len(columns) * tile + gaps), 3)
    sheet = np.full(shape, GROUND, np.uint8)
    if head:
        write_text(sheet, fitting(head, shape[1] - 8), (4, 17), INK)
    x, before = 0, 0
    for number, (title, images) in columns:
        x, before = x + (number - before) * (_BLOCK - _GAP), number
        write_text(sheet, fitting(title, tile), (x + 2, top - 6), INK)
        for row, image in enumerate(images):
            y = top + row * (tile + _GAP)
            sheet[y : y + tile, x : x + tile] = as_dtype(_scaled(image, tile), np.uint8)
        x += tile + _GAP
    return sheet


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a sheet, whole or not at all."""
    import cv2

    done, data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    if not done:
        raise OutputError(f"{path}: a picture of shape {picture.shape} cannot be encoded")
    write_whole(path, bytes(data))


def write_text(
    sheet: NDArray[np.uint8],
    text: str,
    place: tuple[int, int],
    colour: tuple[int, int, int],
    size: float = 0.45,
) -> None:
    """A line of text, the left end of its ground line at (x, y)."""
    import cv2

    # The font knows no other letters, and draws a question mark for each of their bytes.
    plain = text.encode("ascii", "replace").decode()
    cv2.putText(sheet, plain, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)


def fitting(text: str, width: int) -> str:
    """The text, cut off at the end where it is wider than `width` pixels."""
    import cv2

    while text and cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)[0][0] > width:
        text = text[:-1]
    return text


def _tile(size: int, room: int) -> int:
    """Side at which a picture is shown: enlarged by whole numbers to 128 pixels if there is room,
    as it is, or made smaller."""
    if size > room:
        return room
    times = max(1, -(-_TILE // size))
    return size * min(times, room // size)


def _scaled(image: Image, tile: int) -> Image:
    import cv2

    side = len(image)
    if side == tile:
        return image
    kind = cv2.INTER_AREA if side > tile else cv2.INTER_NEAREST
    return cv2.resize(image, (tile, tile), interpolation=kind)


def _inside(images: Sequence[Image], masks: Sequence[Image]) -> list[Image]:
    return [
        image * (mask if mask.shape[2] in (1, image.shape[2]) else mask[..., :1])
        for image, mask in zip(images, masks, strict=True)
    ]
