"""Where the metadata lies inside a picture file: an APP9 segment of a JPEG, an iTXt chunk of a PNG.

JPEG  segments ``FF E9``, body = ``mien\\0``, part number and number of parts (uint16 each, from
      0), CRC-32 of the whole text, then a part of it: a segment holds at most 64 KB.
PNG   one chunk ``iTXt``, keyword ``mien``, uncompressed UTF-8, behind IHDR.
Both are what the formats set aside for strangers' data, so every viewer shows the picture as ever.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from ..errors import InputError

_MAGIC = b"mien\0"
_APP = 0xE9
_HEAD = struct.Struct(">HHI")
_PART = 65533 - len(_MAGIC) - _HEAD.size
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ITXT_HEAD = b"mien\0" + b"\0\0" + b"\0" + b"\0"  # keyword; not compressed; no language, no title
_MOST_TEXT = 1 << 26
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE_MARKERS = frozenset((0x01, *range(0xD0, 0xD9)))
_DFL_APP = 0xEF
_PICKLE = b"\x80"
_FACESWAP = b"faceswap\0"


@dataclass(frozen=True, slots=True)
class Header:
    """What the head of a picture file says: width and height in pixels, and our text if any.

    foreign  the program whose metadata it carries, empty where none is known
    """

    width: int
    height: int
    text: str | None
    foreign: str = ""


def embed_jpeg(data: bytes, text: str) -> bytes:
    """The JPEG file `data` with `text` in it, behind its leading APP0 segment if it has one."""
    payload = text.encode()
    parts = [payload[start : start + _PART] for start in range(0, len(payload), _PART)] or [b""]
    if len(parts) > 0xFFFF:
        raise ValueError(f"{len(payload)} bytes of metadata are too many for a JPEG; use PNG")
    crc = zlib.crc32(payload)
    segments = b"".join(
        bytes((0xFF, _APP))
        + struct.pack(">H", 2 + len(_MAGIC) + _HEAD.size + len(part))
        + _MAGIC
        + _HEAD.pack(number, len(parts), crc)
        + part
        for number, part in enumerate(parts)
    )
    start = 2
    if data[2:4] == b"\xff\xe0":
        start = 4 + int.from_bytes(data[4:6], "big")
    return data[:start] + segments + data[start:]


def embed_png(data: bytes, text: str) -> bytes:
    """The PNG file `data` with `text` in it, right behind its header chunk."""
    start = len(_PNG_SIGNATURE) + 12 + 13
    body = b"iTXt" + _ITXT_HEAD + text.encode()
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return data[:start] + chunk + data[start:]


def without_text(data: bytes) -> bytes:
    """The picture file `data` without what `embed_jpeg` or `embed_png` put into it.

    Raises InputError where its head is damaged.
    """
    cut = [span for span, ours in _spans(data) if ours]
    kept, start = [], 0
    for first, behind in cut:
        kept.append(data[start:first])
        start = behind
    return b"".join((*kept, data[start:]))


def _spans(data: bytes) -> Iterator[tuple[tuple[int, int], bool]]:
    """From where to where the segments or chunks before the pixels reach, and whether ours."""
    if data[:2] == b"\xff\xd8":
        at = 2
        for marker, body in _jpeg_segments(BytesIO(data[2:]), "picture"):
            at = data.index(bytes((0xFF, marker)), at)
            span = at, at + 4 + len(body)
            yield span, marker == _APP and body.startswith(_MAGIC)
            at = span[1]
        return
    at = len(_PNG_SIGNATURE)
    while at < len(data) and (kind := data[at + 4 : at + 8]) not in (b"IDAT", b"IEND", b""):
        behind = at + 12 + int.from_bytes(data[at : at + 4], "big")
        yield (at, behind), kind == b"iTXt" and data.startswith(_ITXT_HEAD, at + 8)
        at = behind


def read_header(stream: BinaryIO, where: str) -> Header:
    """Size and text of a picture file, without decoding it or reading its pixels.

    Raises InputError where the file is neither JPEG nor PNG, or its head is damaged.
    """
    start = stream.read(len(_PNG_SIGNATURE))
    if start[:2] == b"\xff\xd8":
        stream.seek(2)
        return _read_jpeg(stream, where)
    if start == _PNG_SIGNATURE:
        return _read_png(stream, where)
    raise InputError(f"{where}: is neither a JPEG nor a PNG picture")


def check_whole(data: bytes, where: str) -> None:
    """Raise InputError where the picture file breaks off, or a PNG chunk fails its checksum."""
    if data[:2] == b"\xff\xd8":
        # An end marker inside a thumbnail lies before the scan, so it is looked for behind it.
        if data.rfind(b"\xff\xd9") <= data.rfind(b"\xff\xda"):
            raise InputError(f"{where}: the picture breaks off; copy or extract it again")
        return
    at, kind = len(_PNG_SIGNATURE), b""
    while kind != b"IEND":
        length = int.from_bytes(data[at : at + 4], "big")
        body = data[at + 4 : at + 8 + length]
        if len(body) < 4 + length or len(data) < at + 12 + length:
            raise InputError(f"{where}: the picture breaks off; copy or extract it again")
        kind = body[:4]
        if zlib.crc32(body) != int.from_bytes(data[at + 8 + length : at + 12 + length], "big"):
            raise InputError(f"{where}: the picture is damaged in its {kind!r} chunk")
        at += 12 + length


def _read_jpeg(stream: BinaryIO, where: str) -> Header:
    size: tuple[int, int] | None = None
    parts: dict[int, bytes] = {}
    total, crc, foreign = 0, 0, ""
    for marker, body in _jpeg_segments(stream, where):
        if marker in _FRAME_MARKERS and len(body) >= 5:
            size = int.from_bytes(body[3:5], "big"), int.from_bytes(body[1:3], "big")
        elif marker == _APP and body.startswith(_MAGIC):
            if len(body) < len(_MAGIC) + _HEAD.size:
                raise InputError(f"{where}: its metadata is damaged (a part is too short)")
            number, total, crc = _HEAD.unpack_from(body, len(_MAGIC))
            parts[number] = body[len(_MAGIC) + _HEAD.size :]
        elif marker == _DFL_APP and body.startswith(_PICKLE):
            foreign = "DeepFaceLab"
    if size is None:
        raise InputError(f"{where}: the JPEG's header does not say how large it is")
    if not parts:
        return Header(*size, None, foreign)
    if sorted(parts) != list(range(total)):
        raise InputError(f"{where}: its metadata is damaged ({len(parts)} of {total} parts)")
    payload = b"".join(parts[number] for number in range(total))
    if zlib.crc32(payload) != crc:
        raise InputError(f"{where}: its metadata is damaged (wrong checksum)")
    return Header(*size, _decode(payload, where))


def _jpeg_segments(stream: BinaryIO, where: str) -> Iterator[tuple[int, bytes]]:
    """(marker, body) of every segment before the pixels."""
    while True:
        lead = stream.read(1)
        if lead != b"\xff":
            raise InputError(f"{where}: the JPEG's header is damaged or breaks off")
        code = stream.read(1)
        while code == b"\xff":  # fill bytes are allowed before a marker
            code = stream.read(1)
        marker = code[0] if code else 0
        if marker in _BARE_MARKERS:
            continue
        if marker in (0xDA, 0xD9):
            return
        length = int.from_bytes(stream.read(2), "big")
        body = stream.read(max(0, length - 2))
        if length < 2 or len(body) != length - 2:
            raise InputError(f"{where}: the JPEG's header is damaged or breaks off")
        yield marker, body


def _read_png(stream: BinaryIO, where: str) -> Header:
    size: tuple[int, int] | None = None
    text: str | None = None
    foreign = ""
    while True:
        head = stream.read(8)
        if len(head) < 8:
            raise InputError(f"{where}: the PNG's header is damaged or breaks off")
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind in (b"IDAT", b"IEND"):
            break
        if kind not in (b"IHDR", b"iTXt"):
            stream.seek(length + 4, 1)
            continue
        if length > _MOST_TEXT:
            raise InputError(f"{where}: the PNG's header claims {length} bytes of text")
        body = stream.read(length)
        if stream.read(4) != struct.pack(">I", zlib.crc32(kind + body)):
            raise InputError(f"{where}: the PNG's header is damaged in its {kind.decode()} chunk")
        if kind == b"IHDR" and length == 13:
            size = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
        elif body.startswith(_ITXT_HEAD):
            text = _decode(body[len(_ITXT_HEAD) :], where)
        elif body.startswith(_FACESWAP):
            foreign = "faceswap"
    if size is None:
        raise InputError(f"{where}: the PNG's header does not say how large it is")
    return Header(*size, text, "" if text else foreign)


def _decode(payload: bytes, where: str) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: its metadata is damaged ({error})") from error
