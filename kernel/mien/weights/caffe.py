"""The weights of a `.caffemodel`: just enough of protobuf to find them.

A message is a row of fields, each a number that says which field it is and how long, and its
content.  Of a net only the layers matter, of a layer its name and blobs, of a blob shape and data.
Field numbers: caffe.proto, in the form of 2014 (`layer`) and in the one before (`layers`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import WeightsError

Field: TypeAlias = tuple[int, "int | memoryview"]

_LAYER, _OLD_LAYER = 100, 2
_PARTS = {_LAYER: (1, 7), _OLD_LAYER: (4, 6)}  # field numbers of name and blobs
_OLD_SHAPE, _DATA, _SHAPE = (1, 2, 3, 4), 5, 7
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_NAMES = ("weight", "bias")


def read_caffemodel(path: Path) -> dict[str, NDArray[Any]]:
    """`LAYER.weight` and `LAYER.bias` of every layer that has them, float32.

    Raises WeightsError where the file is damaged or no Caffe model.
    """
    try:
        found = dict(_tensors(memoryview(path.read_bytes())))
    except (ValueError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path}: no Caffe model, or a damaged one: {error}") from error
    return found


def _tensors(data: memoryview) -> Iterator[tuple[str, NDArray[Any]]]:
    for number, layer in _fields(data):
        if number not in _PARTS or isinstance(layer, int):
            continue
        name_field, blob_field = _PARTS[number]
        name, blobs = "", []
        for inner, value in _fields(layer):
            if inner == name_field and not isinstance(value, int):
                name = bytes(value).decode()
            elif inner == blob_field and not isinstance(value, int):
                blobs.append(_array(value))
        for part, blob in zip(_NAMES, blobs, strict=False):
            # Biases of old files have four sides, of which three are 1.
            yield f"{name}.{part}", blob.reshape(-1) if part == "bias" else blob


def _array(blob: memoryview) -> NDArray[Any]:
    shape: list[int] = []
    old = [1, 1, 1, 1]
    parts = []
    for number, value in _fields(blob):
        if number == _SHAPE and not isinstance(value, int):
            for _, sides in _fields(value):
                shape += [sides] if isinstance(sides, int) else list(_varints(sides))
        elif number in _OLD_SHAPE and isinstance(value, int):
            old[number - 1] = value
        elif number == _DATA and not isinstance(value, int):
            parts.append(np.frombuffer(value, "<f4"))
    values = np.concatenate(parts) if len(parts) != 1 else parts[0]
    return values.reshape(shape or old)


def _fields(data: memoryview) -> Iterator[Field]:
    """Field numbers and contents: a whole number, or the bytes of anything else."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == _BYTES:
            length, at = _varint(data, at)
        elif kind in (_FIXED32, _FIXED64):
            length = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"a field of unknown kind {kind}")
        if at + length > len(data):
            raise ValueError("a field is longer than the file")
        yield number, data[at : at + length]
        at += length


def _varints(data: memoryview) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, lowest first, and where it ends."""
    value = shift = 0
    while shift < 64:
        if at >= len(data):
            raise ValueError("it ends too early")
        byte = data[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at
    raise ValueError("a number has no end")
