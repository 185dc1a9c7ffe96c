"""Event files that TensorBoard reads: scalars, pictures and sentences by iteration.

A file is a row of records: length (8 bytes, little endian), masked CRC-32C of the length, an
``Event`` message, masked CRC-32C of the message.  Source: the TFRecord format, ``event.proto`` and
``summary.proto`` as TensorFlow publishes them; the few fields that are needed are encoded here, so
that nothing has to be installed.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import struct
import time
from collections.abc import Mapping
from pathlib import Path

from ...atomic import reason
from ...errors import OutputError

_VERSION = "brain.Event:2"
_BEGIN = 1  # SessionLog.START: TensorBoard drops older points of this iteration and later ones


def is_installed() -> bool:
    """Whether TensorBoard is there to read what is written."""
    return importlib.util.find_spec("tensorboard") is not None


class EventFile:
    """One run's file in `folder`; several runs in one folder make one curve."""

    def __init__(self, folder: Path, iteration: int) -> None:
        """Begin a file for what comes after `iteration`; OutputError where that fails."""
        name = f"events.out.tfevents.{int(time.time()):010d}.{os.getpid()}.{time.monotonic_ns()}"
        self._path = folder / name
        self._waiting = bytearray()
        self._add(_text(3, _VERSION), 0)
        self._add(_bytes(7, _number(1, _BEGIN)), iteration + 1)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be made ({reason(error)})") from error
        self.flush()

    def scalars(self, values: Mapping[str, float], iteration: int) -> None:
        """A point of each curve."""
        parts = [_value(tag, b"\x15" + struct.pack("<f", value)) for tag, value in values.items()]
        self._add(_bytes(5, b"".join(parts)), iteration)

    def picture(self, tag: str, encoded: bytes, size: tuple[int, int], iteration: int) -> None:
        """A picture file (PNG or JPEG) of (width, height) pixels."""
        width, height = size
        image = _number(1, height) + _number(2, width) + _number(3, 3) + _bytes(4, encoded)
        self._add(_bytes(5, _value(tag, _bytes(4, image))), iteration)

    def sentence(self, tag: str, text: str, iteration: int) -> None:
        """A line for the page of texts."""
        tensor = _number(1, 7) + _bytes(2, b"") + _bytes(8, text.encode())  # DT_STRING, scalar
        about = _bytes(1, _text(1, "text")) + _number(4, 2)  # DATA_CLASS_TENSOR
        self._add(_bytes(5, _value(tag, _bytes(9, about) + _bytes(8, tensor))), iteration)

    def rewind(self, iteration: int) -> None:
        """Tell TensorBoard that what came after `iteration` is void."""
        self._add(_bytes(7, _number(1, _BEGIN)), iteration + 1)

    def flush(self) -> None:
        """Write what waits.  Raises OutputError where the disk is full."""
        try:
            with self._path.open("ab") as stream:
                stream.write(self._waiting)
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written ({reason(error)})") from error
        self._waiting.clear()

    def _add(self, content: bytes, iteration: int) -> None:
        event = b"\x09" + struct.pack("<d", time.time()) + _number(2, iteration) + content
        length = struct.pack("<Q", len(event))
        self._waiting += length + _masked(length) + event + _masked(event)


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli) of the bytes."""
    table, crc = _crc_table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _masked(data: bytes) -> bytes:
    crc = crc32c(data)
    turned = (crc >> 15 | crc << 17) & 0xFFFFFFFF
    return struct.pack("<I", (turned + 0xA282EAD8) & 0xFFFFFFFF)


@functools.lru_cache(maxsize=1)
def _crc_table() -> tuple[int, ...]:
    entries = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        entries.append(value)
    return tuple(entries)


def _value(tag: str, content: bytes) -> bytes:
    """One Summary.Value, as a field of Summary."""
    return _bytes(1, _text(1, tag) + content)


def _text(field: int, text: str) -> bytes:
    return _bytes(field, text.encode())


def _bytes(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)
