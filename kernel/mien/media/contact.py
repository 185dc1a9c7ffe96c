"""Contact sheets, and single pictures on disk: whole or not at all, whatever letters the path has.

A sheet is how every step shows what it did.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import Image, as_dtype, as_float
from ..atomic import reason, write_whole
from ..errors import InputError, OutputError
from . import exr

_CAPTION = 20  # pixels under each picture
_GAP = 4
_PAPER = 32
_INK = (235, 235, 235)
_ENCODING = {
    ".png": (cv2.IMWRITE_PNG_COMPRESSION, 1),  # level 6 takes three times as long for 5 % less
    ".jpg": (cv2.IMWRITE_JPEG_QUALITY, 95),
    ".jpeg": (cv2.IMWRITE_JPEG_QUALITY, 95),
}


def contact_sheet(
    images: Sequence[Image], titles: Sequence[str] = (), columns: int = 6, width: int = 240
) -> Image:
    """Pictures side by side, each in a cell of its own with its title below.

    images  (H, W, 3) BGR of any size and dtype;  titles  may be fewer
    width   of a cell in pixels; a row is as high as its highest picture, twice that at most
    Returns (H, W, 3) BGR uint8.  Raises ValueError for no pictures at all.
    """
    if not images:
        raise ValueError("a contact sheet needs at least one picture")
    columns = max(1, min(columns, len(images)))
    rows = [range(at, min(at + columns, len(images))) for at in range(0, len(images), columns)]
    heights = [max(_height(images[place], width) for place in row) for row in rows]
    below = (_CAPTION if titles else 0) + _GAP
    size = (_GAP + sum(heights) + below * len(rows), _GAP + columns * (width + _GAP), 3)
    sheet = np.full(size, _PAPER, np.uint8)
    y = _GAP
    for row, height in zip(rows, heights, strict=True):
        for place in row:
            x = _GAP + (place - row.start) * (width + _GAP)
            _put(sheet[y : y + height, x : x + width], images[place])
            if place < len(titles):
                _write(sheet, titles[place], x, y + height, width)
        y += height + below
    return sheet


def save_picture(path: str | Path, image: Image) -> None:
    """Write a picture beside its place and rename it there; the suffix says the file type.

    image  (H, W, 3) BGR; uint16 survives in .png and .tif, float32 in .tif and .exr
    Raises OutputError where the folder or the file type will not do.
    """
    path = Path(path)
    data = encode_picture(path.suffix.lower(), image)
    if data is None:
        raise OutputError(f"{path}: pictures cannot be written as '{path.suffix}'; use .png")
    write_whole(path, data)


def load_picture(path: str | Path) -> Image:
    """A picture file as (H, W, 3) BGR, upright; uint8, uint16 or float32 as it is stored.

    Grey becomes BGR, alpha is dropped.  Raises InputError where it cannot be read.
    """
    path = Path(path)
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as err:
        raise InputError(f"{path}: the picture cannot be read ({reason(err)})") from err
    if data.size == 0:
        raise InputError(f"{path}: the picture is empty (0 bytes)")
    image = _decoded(data)
    if image is None:
        raise InputError(
            f"{path}: not a picture that can be read; it is damaged or of no known kind"
        )
    return _known_depth(image)


def encode_picture(suffix: str, image: Image) -> bytes | None:
    """The bytes of a picture file; None where `suffix` is no picture type that can be written.

    An .exr holds 8-bit pictures as half floats, which keep their steps apart, others as floats.
    """
    if suffix == ".exr":
        return exr.encode(image, half=image.dtype == np.uint8)
    if image.dtype.kind == "f" and suffix not in (".tif", ".tiff", ".hdr", ".pfm"):
        image = as_dtype(image, np.uint16 if suffix == ".png" else np.uint8)
    if image.dtype == np.uint16 and suffix not in (".tif", ".tiff", ".png"):
        image = as_dtype(as_float(image), np.uint8)
    try:
        done, data = cv2.imencode(suffix, image, _ENCODING.get(suffix, ()))
    except cv2.error:
        return None
    return bytes(data) if done else None


def _decoded(data: NDArray[np.uint8]) -> Image | None:
    if data[:4].tobytes() == exr.MAGIC:
        return exr.decode(data.tobytes())
    try:
        return cv2.imdecode(data, cv2.IMREAD_COLOR_BGR | cv2.IMREAD_ANYDEPTH)
    except cv2.error:
        return None


def _known_depth(image: Image) -> Image:
    if image.dtype in (np.uint8, np.uint16, np.float32):
        return image
    if image.dtype.kind == "f":
        return image.astype(np.float32)
    low, high = np.iinfo(image.dtype).min, np.iinfo(image.dtype).max
    return ((image.astype(np.float64) - low) * (65535 / (high - low))).astype(np.uint16)


def _height(image: Image, width: int) -> int:
    tall, wide = image.shape[:2]
    return min(max(1, round(width * int(tall) / int(wide))), 2 * width)


def _put(cell: Image, image: Image) -> None:
    """Fit a picture into a cell, in its own proportions."""
    height, width = cell.shape[:2]
    tall, wide = image.shape[:2]
    scale = min(width / wide, height / tall)
    size = (max(1, round(wide * scale)), max(1, round(tall * scale)))
    small = cv2.resize(
        as_float(image), size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
    x, y = (width - size[0]) // 2, (height - size[1]) // 2
    cell[y : y + size[1], x : x + size[0]] = as_dtype(small, np.uint8)


def _write(sheet: Image, title: str, x: int, y: int, width: int) -> None:
    """One line of text, shortened until it fits."""
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.4
    text = title
    while text and cv2.getTextSize(text, font, scale, 1)[0][0] > width - 4:
        text = text[:-1]
    cv2.putText(sheet, text, (x + 2, y + 14), font, scale, _INK, 1, cv2.LINE_AA)
