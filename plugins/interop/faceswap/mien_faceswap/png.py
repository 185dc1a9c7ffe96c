"""faceswap's header in a PNG: the text of a dict, in an iTXt chunk before the first IDAT.

The original finds its chunk by four letters anywhere in the file, and damages a picture that holds
another iTXt chunk when it rewrites its own; here chunks are chunks.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mien.errors import InputError

from .literal import LiteralError, read_literal

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEAD = b"faceswap\0" + b"\0\0" + b"\0" + b"\0"  # keyword; not compressed; no language, no title
_MOST_TEXT = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A PNG taken apart: the file without faceswap's chunk, and the header, None where none is."""

    picture: bytes
    width: int
    height: int
    header: dict[str, Any] | None


def take_apart(data: bytes, where: str) -> Parts:
    """The parts of a PNG file.  Raises InputError where its head or its header is damaged."""
    size, header, kept, start = b"", None, b"", 0
    for kind, first, behind in _chunks(data, where):
        body = data[first + 8 : behind - 4]
        if kind == b"IHDR" and len(body) == 13:
            size = body[:8]
        elif kind == b"iTXt" and body.startswith(_HEAD):
            header = _read(body[len(_HEAD) :], where)
            kept, start = kept + data[start:first], behind
    if not size:
        raise InputError(f"{where}: the PNG's header does not say how large it is")
    width, height = struct.unpack(">II", size)
    return Parts(picture=kept + data[start:], width=width, height=height, header=header)


def put_together(picture: bytes, header: dict[str, Any], where: str) -> bytes:
    """The PNG file `picture` with this header before its pixels."""
    behind = max((behind for _, _, behind in _chunks(picture, where)), default=len(_SIGNATURE))
    body = b"iTXt" + _HEAD + str(header).encode()
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return picture[:behind] + chunk + picture[behind:]


def _chunks(data: bytes, where: str) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of every chunk before the pixels; those that are text are checked."""
    at = len(_SIGNATURE)
    if data[:at] != _SIGNATURE:
        raise InputError(f"{where}: is no PNG picture")
    while True:
        kind = data[at + 4 : at + 8]
        behind = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if kind in (b"IDAT", b"IEND"):
            return
        if len(kind) < 4 or behind > len(data):
            raise InputError(f"{where}: the PNG's header is damaged or breaks off")
        crc = int.from_bytes(data[behind - 4 : behind], "big")
        if kind in (b"IHDR", b"iTXt") and zlib.crc32(data[at + 4 : behind - 4]) != crc:
            raise InputError(f"{where}: the PNG is damaged in its {kind.decode()} chunk")
        yield kind, at, behind
        at = behind


def _read(raw: bytes, where: str) -> dict[str, Any]:
    if len(raw) > _MOST_TEXT:
        raise InputError(f"{where}: its header claims {len(raw)} bytes")
    try:
        header = read_literal(raw.decode())
    except (LiteralError, UnicodeDecodeError) as error:
        raise InputError(f"{where}: its header is damaged: {error}") from error
    if not isinstance(header, dict):
        raise InputError(f"{where}: its header is no table")
    return header
