"""Mends the lengths that a finished .mp4 or .mov states of its tracks.

ffmpeg's hybrid muxer forgets the last fragment in the edit list where that holds a single sample,
and players then leave out the clip's last frame.  The sample tables are right; this writes what
follows from them into the few bytes that are wrong, in place.  Source: ISO/IEC 14496-12, §8.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import BinaryIO

_HOLDERS = (b"mdia", b"minf", b"stbl", b"edts")


@dataclass(frozen=True, slots=True)
class _Box:
    """Where the content of a box lies in the buffer, behind its header."""

    kind: bytes
    start: int
    end: int


def mend_durations(path: Path) -> None:
    """Lengthen edit lists and stated durations that end before their last sample does."""
    with path.open("r+b") as file:
        found = _find_moov(file)
        if found is None:
            return
        at, size = found
        file.seek(at)
        before = file.read(size)
        after = bytearray(before)
        _mend(after)
        if after != before:
            file.seek(at)
            file.write(after)


def _find_moov(file: BinaryIO) -> tuple[int, int] | None:
    """Place and size of the content of `moov`; reads only the headers before it."""
    at, length = 0, file.seek(0, 2)
    while at + 8 <= length:
        file.seek(at)
        head = file.read(16)
        size, kind = struct.unpack_from(">I4s", head)
        header = 8
        if size == 1 and len(head) == 16:
            (size,) = struct.unpack_from(">Q", head, 8)
            header = 16
        if size < header:
            return None
        if kind == b"moov":
            return at + header, size - header
        at += size
    return None


def _mend(moov: bytearray) -> None:
    boxes = list(_boxes(moov, 0, len(moov)))
    (head,) = [box for box in boxes if box.kind == b"mvhd"]
    scale, total = _header(moov, head)
    longest = total
    for track in (box for box in boxes if box.kind == b"trak"):
        inside = {box.kind: box for box in _boxes(moov, track.start, track.end)}
        if b"elst" not in inside or b"stts" not in inside or b"mdhd" not in inside:
            continue
        media_scale, _ = _header(moov, inside[b"mdhd"])
        missing = _missing(moov, inside, scale, media_scale)
        if missing > 0:
            stated = _lengthen_edit(moov, inside[b"elst"], missing)
            _set_track_length(moov, inside[b"tkhd"], stated)
            longest = max(longest, stated)
    if longest > total:
        _set_length(moov, head, longest)


def _boxes(data: bytearray, start: int, end: int) -> Iterator[_Box]:
    """The boxes of a level and, inside a track, of all levels below."""
    at = start
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8:
            return
        yield _Box(kind, at + 8, at + size)
        if kind in _HOLDERS:
            yield from _boxes(data, at + 8, at + size)
        at += size


def _header(data: bytearray, box: _Box) -> tuple[int, int]:
    """Time scale and duration of an `mvhd` or `mdhd`."""
    if data[box.start]:
        scale, length = struct.unpack_from(">IQ", data, box.start + 20)
    else:
        scale, length = struct.unpack_from(">II", data, box.start + 12)
    return scale, length


def _set_length(data: bytearray, box: _Box, value: int) -> None:
    """The duration of an `mvhd`."""
    if data[box.start]:
        struct.pack_into(">Q", data, box.start + 24, value)
    else:
        struct.pack_into(">I", data, box.start + 16, value)


def _set_track_length(data: bytearray, box: _Box, value: int) -> None:
    """The duration of a `tkhd`."""
    if data[box.start]:
        struct.pack_into(">Q", data, box.start + 28, value)
    else:
        struct.pack_into(">I", data, box.start + 20, value)


def _edits(data: bytearray, box: _Box) -> list[tuple[int, int, int, str]]:
    """(place, length in movie units, first media time, layout) of every edit."""
    layout = ">Qq" if data[box.start] else ">Ii"
    step = struct.calcsize(layout) + 4
    (count,) = struct.unpack_from(">I", data, box.start + 4)
    places = (box.start + 8 + number * step for number in range(count))
    return [(at, *struct.unpack_from(layout, data, at), layout) for at in places]


def _missing(data: bytearray, inside: dict[bytes, _Box], scale: int, media_scale: int) -> int:
    """Movie units by which the last edit ends before the media does."""
    edits = _edits(data, inside[b"elst"])
    if not edits or edits[-1][2] < 0:
        return 0
    _, stated, first, _ = edits[-1]
    true = (_media_end(data, inside) - first) * scale / media_scale
    return round(true) - stated


def _lengthen_edit(data: bytearray, box: _Box, missing: int) -> int:
    """Lengthen the last edit; the length of all edits afterwards."""
    edits = _edits(data, box)
    at, stated, first, layout = edits[-1]
    struct.pack_into(layout, data, at, stated + missing, first)
    return sum(edit[1] for edit in edits) + missing


def _media_end(data: bytearray, inside: dict[bytes, _Box]) -> int:
    """Where the last shown sample ends, in media units: decoding times plus offsets."""
    lengths = chain.from_iterable(repeat(step, n) for n, step in _runs(data, inside[b"stts"], "I"))
    offsets: Iterator[int] = repeat(0)
    if b"ctts" in inside:
        runs = _runs(data, inside[b"ctts"], "i")
        offsets = chain(chain.from_iterable(repeat(step, n) for n, step in runs), repeat(0))
    now = end = 0
    for length, offset in zip(lengths, offsets, strict=False):
        end = max(end, now + offset + length)
        now += length
    return end


def _runs(data: bytearray, box: _Box, kind: str) -> Iterator[tuple[int, int]]:
    (count,) = struct.unpack_from(">I", data, box.start + 4)
    return struct.iter_unpack(f">I{kind}", data[box.start + 8 : box.start + 8 + 8 * count])
