"""One face in one file: write it, read it, read only what is known of it."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Literal

import numpy as np

from ..arrays import Image, Mask, as_dtype, as_float
from ..atomic import reason, write_whole
from ..errors import InputError, OutputError
from .base import FOREIGN, FaceFile
from .container import Header, check_whole, embed_jpeg, embed_png, read_header, without_text
from .record import MAX_SIZE, FaceRecord, from_json, to_json

PICTURES = (".jpg", ".jpeg", ".png")
"""Endings of the pictures that a faceset may hold."""


def write_face(
    folder: Path,
    name: str,
    image: Image,
    record: FaceRecord,
    *,
    format: Literal["jpg", "png"] = "jpg",
    quality: int = 95,
) -> Path:
    """Write a crop and its record as `folder/name.format`, whole or not at all.

    image  (S, S, 3) BGR, uint8 or uint16, S = record.size; 16 bit needs PNG
    quality  of a JPEG, 1..100.  Returns the path.  Raises OutputError where it cannot be written.
    """
    if image.shape != (record.size, record.size, 3):
        raise ValueError(f"image has shape {image.shape}, its record says size {record.size}")
    if image.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"image is {image.dtype}, must be uint8 or uint16")
    if format == "jpg" and image.dtype != np.uint8:
        raise OutputError(f"face '{name}': a JPEG holds 8 bits, the picture has 16; write PNG")
    import cv2

    if format == "jpg":
        data = embed_jpeg(
            _encode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality]), to_json(record)
        )
    else:
        # Level 1: level 6 takes three times as long for a few per cent.
        data = embed_png(_encode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1]), to_json(record))
    path = folder / f"{name}.{format}"
    write_whole(path, data)
    return path


def with_record(face: FaceFile) -> bytes:
    """The file of a face with its record in it, the picture as it was encoded before."""
    embed = embed_jpeg if face.suffix == ".jpg" else embed_png
    return embed(face.data, to_json(face.record))


def read_file(path: Path) -> FaceFile:
    """A face as a file: the picture without its record, and the record.

    Raises InputError as `read_face` does, but does not notice damage within the picture's pixels.
    """
    where = f"face '{path}'"
    return file_of(_bytes(path, where), path.stem, where)


def file_of(data: bytes, name: str, where: str) -> FaceFile:
    """A face as a file, from the bytes of that file."""
    record = record_of(data, where)
    check_whole(data, where)
    return FaceFile(name=name, data=without_text(data), record=record)


def decode_picture(data: bytes, size: int, where: str) -> Image:
    """The crop that a whole JPEG or PNG holds: (size, size, 3) BGR, uint8 or uint16.

    Raises InputError where it breaks off, cannot be decoded, or is of another size.
    """
    import cv2

    check_whole(data, where)
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise InputError(f"{where}: cannot be decoded ({error.err})") from error
    if image is None or image.shape != (size, size, 3):
        raise InputError(f"{where}: cannot be decoded; copy or extract it again")
    return image


def read_record(path: Path) -> FaceRecord:
    """What is known of the face in `path`, for the size at which it is stored; reads no pixels.

    A picture that another program scaled keeps its record: matrix and landmarks are scaled along.
    Raises InputError where the file is missing, damaged, or carries no metadata of ours.
    """
    where = f"face '{path}'"
    try:
        with path.open("rb") as stream:
            header = read_header(stream, where)
    except OSError as error:
        raise InputError(f"{where}: cannot be read ({reason(error)})") from error
    return _record(header, where)


def record_of(data: bytes, where: str) -> FaceRecord:
    """What is known of a face, from the bytes of its file."""
    return _record(read_header(BytesIO(data), where), where)


def read_face(path: Path) -> tuple[Image, FaceRecord]:
    """The crop in `path`, (S, S, 3) BGR uint8 or uint16, and its record.

    Raises InputError as `read_record` does, and where the picture breaks off.
    """
    where = f"face '{path}'"
    return face_of(_bytes(path, where), where)


def face_of(data: bytes, where: str) -> tuple[Image, FaceRecord]:
    """The crop and its record, from the bytes of a face's file."""
    record = record_of(data, where)
    return decode_picture(data, record.size, where), record


def encode_mask(mask: Mask) -> bytes:
    """A mask (S, S, 1) float32 0..1 as the PNG bytes that a record keeps."""
    import cv2

    settings = [cv2.IMWRITE_PNG_COMPRESSION, 3]
    if hasattr(cv2, "IMWRITE_PNG_FILTER"):
        # Wide areas of one value: trying every filter takes six times as long and gains nothing.
        settings += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE]
    return _encode(".png", as_dtype(mask, np.uint8), settings)


def decode_mask(png: bytes, size: int) -> Mask:
    """A record's mask as (size, size, 1) float32 0..1.

    Raises InputError where the bytes are no JPEG or PNG, or a larger one than a crop can be.
    """
    import cv2

    # A hundred bytes may claim gigabytes: of black, or of a chunk that never comes.
    head = read_header(BytesIO(png), "a stored mask")
    check_whole(png, "a stored mask")
    if not (1 <= head.width <= MAX_SIZE and 1 <= head.height <= MAX_SIZE):
        raise InputError(f"a stored mask of {head.width}x{head.height} pixels is refused")
    try:
        mask = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    except cv2.error as error:
        raise InputError(f"a stored mask cannot be decoded ({error.err})") from error
    if mask is None:
        raise InputError("a stored mask cannot be decoded")
    if mask.shape != (size, size):
        shrinks = mask.shape[0] > size
        mask = cv2.resize(
            mask, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        )
    return as_float(mask)[..., None]


def _bytes(path: Path, where: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{where}: cannot be read ({reason(error)})") from error


def _encode(suffix: str, image: Image, settings: list[int]) -> bytes:
    import cv2

    done, data = cv2.imencode(suffix, image, settings)
    if not done:
        raise OutputError(f"a picture of shape {image.shape} cannot be encoded as {suffix}")
    return bytes(data)


def check_square(width: int, height: int, where: str) -> None:
    """Raise InputError unless a picture of this size can be a face crop."""
    if width != height or not 1 <= width <= MAX_SIZE:
        raise InputError(f"{where}: is {width}x{height} pixels, a face crop must be square")


def _record(header: Header, where: str) -> FaceRecord:
    if header.foreign:
        raise InputError(
            f"{where}: is a face of {header.foreign}; to read it: pip install "
            f"{FOREIGN[header.foreign]}"
        )
    if header.text is None:
        raise InputError(
            f"{where}: carries no metadata of mien; make facesets with 'mien extract', or give "
            "back what was saved: 'mien faces restore-metadata'"
        )
    record = from_json(header.text, where)
    width, height = header.width, header.height
    check_square(width, height, where)
    return record if width == record.size else record.resized(width)
