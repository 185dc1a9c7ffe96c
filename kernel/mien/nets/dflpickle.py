"""Plain data as a pickle of protocol 4 that any DeepFaceLab can read.

Python's own writer would name NumPy's modules as they are called today, and programs that run on
an older NumPy have no module of that name.  Written are None, bool, int, float, str, list, tuple,
dict, and numeric NumPy arrays and scalars; nothing is written twice by reference.
"""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

import numpy as np

_MOST_SHORT = 0xFF
_MOST_BYTES = 0xFFFFFFFF


def dump(value: Any, out: BinaryIO) -> None:
    """Write `value`.  Raises TypeError where it holds anything else than plain data."""
    out.write(b"\x80\x04")
    _put(value, out)
    out.write(b".")


def _put(value: Any, out: BinaryIO) -> None:
    if value is None:
        out.write(b"N")
    elif isinstance(value, bool):
        out.write(b"\x88" if value else b"\x89")
    elif isinstance(value, np.generic):  # before float, which NumPy's double is one of
        _put_call("scalar", (value.dtype, value.tobytes()), out)
    elif isinstance(value, int):
        _put_int(value, out)
    elif isinstance(value, float):
        out.write(b"G" + struct.pack(">d", value))
    elif isinstance(value, str):
        _put_text(value, out)
    elif isinstance(value, bytes | memoryview):
        _put_bytes(value, out)
    elif isinstance(value, np.dtype):
        _put_dtype(value, out)
    elif isinstance(value, np.ndarray):
        _put_array(value, out)
    elif isinstance(value, dict):
        _put_many(b"}(", (each for pair in value.items() for each in pair), b"u", out)
    elif isinstance(value, list):
        _put_many(b"](", value, b"e", out)
    elif isinstance(value, tuple):
        _put_many(b"(", value, b"t", out)
    else:
        raise TypeError(f"a {type(value).__name__} is no plain data")


def _put_many(before: bytes, values: Any, after: bytes, out: BinaryIO) -> None:
    out.write(before)
    for value in values:
        _put(value, out)
    out.write(after)


def _put_int(value: int, out: BinaryIO) -> None:
    if -(1 << 31) <= value < 1 << 31:
        out.write(b"J" + struct.pack("<i", value))
        return
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    if len(raw) > _MOST_SHORT:
        raise TypeError(f"a whole number of {len(raw)} bytes is no plain data")
    out.write(b"\x8a" + bytes([len(raw)]) + raw)


def _put_text(value: str, out: BinaryIO) -> None:
    raw = value.encode("utf-8", "surrogatepass")
    if len(raw) <= _MOST_SHORT:
        out.write(b"\x8c" + bytes([len(raw)]) + raw)
    else:
        out.write(b"X" + struct.pack("<I", len(raw)) + raw)


def _put_bytes(value: bytes | memoryview, out: BinaryIO) -> None:
    if len(value) > _MOST_BYTES:
        out.write(b"\x8e" + struct.pack("<Q", len(value)))
    else:
        out.write(b"B" + struct.pack("<I", len(value)))
    out.write(value)


def _put_name(module: str, name: str, out: BinaryIO) -> None:
    _put_text(module, out)
    _put_text(name, out)
    out.write(b"\x93")


def _put_call(name: str, arguments: tuple[Any, ...], out: BinaryIO) -> None:
    _put_name("numpy.core.multiarray", name, out)
    _put(arguments, out)
    out.write(b"R")


def _put_dtype(dtype: np.dtype[Any], out: BinaryIO) -> None:
    _check_numbers(dtype)
    _put_name("numpy", "dtype", out)
    _put((dtype.str[1:], False, True), out)
    out.write(b"R")
    _put((3, dtype.str[0], None, None, None, -1, -1, 0), out)
    out.write(b"b")


def _check_numbers(dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "fiub" or dtype.str[0] == ">":
        raise TypeError(f"numbers of the kind {dtype} are no plain data")


def _put_array(array: np.ndarray[Any, Any], out: BinaryIO) -> None:
    _check_numbers(array.dtype)
    _put_name("numpy.core.multiarray", "_reconstruct", out)
    out.write(b"(")
    _put_name("numpy", "ndarray", out)
    _put((0,), out)
    _put(b"b", out)
    out.write(b"tR")
    flat = np.ascontiguousarray(array).reshape(-1)
    # The bytes are written from where they lie: a copy of a large layer would cost a gigabyte.
    _put((1, array.shape, array.dtype, False, flat.view(np.uint8).data), out)
    out.write(b"b")
