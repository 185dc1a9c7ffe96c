"""DeepFaceLab's metadata in a JPEG: a pickle in the APP15 segment behind the other APPn segments.

Two habits of the original are not carried over: it takes a restart interval (DRI) for a segment
without a length and then cannot open the file, and it empties a file whose metadata is too large.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mien.errors import InputError
from mien.weights.pickles import Limits, PickleError, UnsafePickleError, loads

from .pickled import dumps

MOST_PAYLOAD = 65533
# A face holds some hundred numbers; nothing of it is nested deeper than a polygon's points.
_LIMITS = Limits(depth=16, items=200_000)
_OURS = 0xEF
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE = frozenset((0x01, *range(0xD0, 0xD9)))
_RESTARTS = 0xDD


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A JPEG taken apart.

    picture  the file without DeepFaceLab's metadata;  place  where in it the metadata belongs
    info     the metadata, None where there is none;  protocol  of its pickle
    readable  whether the original could read the file
    """

    picture: bytes
    place: int
    width: int
    height: int
    info: dict[str, Any] | None
    protocol: int = 3
    readable: bool = True


def take_apart(data: bytes, where: str) -> Parts:
    """The parts of a JPEG file.  Raises InputError where its head or its metadata is damaged."""
    spans = list(_segments(data, where))
    size = next(
        (data[first + 5 : first + 9] for marker, first, _ in spans if marker in _FRAMES), b""
    )
    if len(size) < 4:
        raise InputError(f"{where}: the JPEG's header does not say how large it is")
    mine = [(first, behind) for marker, first, behind in spans if marker == _OURS]
    info, protocol = None, 3
    if mine:
        first, behind = mine[-1]  # as the original, which reads the last one
        info, protocol = _read(data[first + 4 : behind], where)
    picture, place, start, removed = b"", 2, 0, 0
    for first, behind in mine:
        picture += data[start:first]
        start = behind
    picture += data[start:]
    for marker, first, behind in spans:
        if marker == _OURS:
            removed += behind - first
        elif 0xE0 <= marker <= 0xEE:
            place = behind - removed
    return Parts(
        picture=picture,
        place=place,
        width=int.from_bytes(size[2:], "big"),
        height=int.from_bytes(size[:2], "big"),
        info=info,
        protocol=protocol,
        readable=not any(marker == _RESTARTS for marker, _, _ in spans),
    )


def put_together(picture: bytes, info: dict[str, Any], protocol: int, where: str) -> bytes:
    """The JPEG file with this metadata in it, and none that it had before.

    Values that are None are left out.  Raises InputError where the metadata is too large.
    """
    parts = take_apart(picture, where)
    payload = dumps({key: each for key, each in info.items() if each is not None}, protocol)
    if len(payload) > MOST_PAYLOAD:
        raise InputError(
            f"{where}: its metadata takes {len(payload)} bytes, DeepFaceLab's JPEG files hold "
            f"{MOST_PAYLOAD}; remove masks or polygons"
        )
    segment = b"\xff\xef" + (len(payload) + 2).to_bytes(2, "big") + payload
    return parts.picture[: parts.place] + segment + parts.picture[parts.place :]


def _segments(data: bytes, where: str) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of every segment that has a length, up to the pixels."""
    at = 2
    if data[:2] != b"\xff\xd8":
        raise InputError(f"{where}: is no JPEG picture")
    while True:
        if data[at : at + 1] != b"\xff":
            raise InputError(f"{where}: the JPEG's header is damaged or breaks off")
        while data[at + 1 : at + 2] == b"\xff":  # fill bytes are allowed before a marker
            at += 1
        marker = data[at + 1] if at + 1 < len(data) else 0
        if marker in _BARE:
            at += 2
            continue
        if marker in (0xDA, 0xD9):
            return
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        behind = at + 2 + length
        if length < 2 or behind > len(data):
            raise InputError(f"{where}: the JPEG's header is damaged or breaks off")
        yield marker, at, behind
        at = behind


def _read(payload: bytes, where: str) -> tuple[dict[str, Any] | None, int]:
    if payload[:1] != b"\x80":
        return None, 3
    try:
        info = loads(payload, limits=_LIMITS)
    except UnsafePickleError as error:
        raise InputError(f"{where}: its metadata is refused: it {error}") from error
    except PickleError as error:
        raise InputError(f"{where}: its metadata is damaged: {error}") from error
    if not isinstance(info, dict):
        raise InputError(f"{where}: its metadata is a {type(info).__name__}, must be a table")
    return info, 4 if payload[1:2] >= b"\x04" else 3
