"""Plain data as the very pickle that DeepFaceLab's own Python would write.

Its Python 3.7 writes face files at protocol 3, and facesets at protocol 4; what an object was
called before is referred to, and arrays name NumPy's modules as they were called then.  Written
are None, bool, int, float, str, bytes, list, tuple, dict, numeric arrays and scalars, and members
of DeepFaceLab's enumerations.  Nothing is ever read here: that is done by `mien.weights.pickles`.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

_BATCH = 1000
_FRAME = 64 * 1024
_LONGEST_PAIR = 26
_MULTIARRAY = "numpy.core.multiarray"


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an enumeration of DeepFaceLab's, by its number."""

    module: str
    name: str
    value: int


def dumps(value: Any, protocol: int) -> bytes:
    """The pickle of `value`; protocol 3 or 4.  Raises TypeError where it is no plain data."""
    if protocol not in (3, 4):
        raise ValueError(f"protocol {protocol} is not written")
    writer = _Writer(protocol)
    writer.save(value)
    return writer.finish()


class _Writer:
    """Mirrors what CPython's pickler does: objects are known again by identity."""

    def __init__(self, protocol: int) -> None:
        self._protocol = protocol
        self._done = bytearray(bytes((0x80, protocol)))
        self._out = bytearray()
        self._memo: dict[Hashable, int] = {}
        self._alive: list[Any] = []
        self._places = 0

    def finish(self) -> bytes:
        self._out += b"."
        self._commit()
        return bytes(self._done)

    def save(self, value: Any) -> None:
        if self._protocol >= 4 and len(self._out) >= _FRAME:
            self._commit()
        if value is None or value is True or value is False:
            self._out += {None: b"N", True: b"\x88", False: b"\x89"}[value]
        elif isinstance(value, np.generic):  # before float, which NumPy's double is one of
            self._call(value, (_MULTIARRAY, "scalar"), value.dtype, value.tobytes())
        elif isinstance(value, int):
            self._int(value)
        elif isinstance(value, float):
            self._out += b"G" + struct.pack(">d", value)
        elif not self._known(_key(value)):
            self._fresh(value)

    def _fresh(self, value: Any) -> None:
        if isinstance(value, str):
            self._text(value)
        elif isinstance(value, bytes):
            self._bytes(value)
        elif isinstance(value, tuple):
            self._tuple(value)
        elif isinstance(value, list):
            self._out += b"]"
            self._remember(value)
            if not self._pairs(value):
                self._batches(value, b"a", b"e")
        elif isinstance(value, dict):
            self._out += b"}"
            self._remember(value)
            self._batches(value.items(), b"s", b"u")
        elif isinstance(value, np.ndarray):
            self._array(value)
        elif isinstance(value, np.dtype):
            self._dtype(value)
        elif isinstance(value, Member):
            self._call(value, (value.module, value.name), value.value)
        else:
            raise TypeError(f"a {type(value).__name__} is no plain data")

    def _commit(self) -> None:
        if self._protocol >= 4:
            self._done += b"\x95" + struct.pack("<Q", len(self._out))
        self._done += self._out
        self._out = bytearray()

    # what was written before

    def _known(self, key: Hashable) -> bool:
        place = self._memo.get(key)
        if place is None:
            return False
        self._out += bytes((0x68, place)) if place < 256 else b"j" + struct.pack("<I", place)
        return True

    def _remember(self, value: Any, key: Hashable = None) -> None:
        """The next place is the value's; `key` where it is another than the value's own."""
        self._memo[_key(value) if key is None else key] = self._places
        self._alive.append(value)
        self._out += self._put(self._places)
        self._places += 1

    def _put(self, place: int) -> bytes:
        """The instruction that remembers what was just made."""
        if self._protocol >= 4:
            return b"\x94"
        return bytes((0x71, place)) if place < 256 else b"r" + struct.pack("<I", place)

    # kinds

    def _int(self, value: int) -> None:
        if 0 <= value < 1 << 8:
            self._out += b"K" + bytes((value,))
        elif 0 <= value < 1 << 16:
            self._out += b"M" + struct.pack("<H", value)
        elif -(1 << 31) <= value < 1 << 31:
            self._out += b"J" + struct.pack("<i", value)
        else:
            raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
            if len(raw) > 255:
                raise TypeError("a whole number is too large")
            self._out += b"\x8a" + bytes((len(raw),)) + raw

    def _text(self, value: str) -> None:
        raw = value.encode("utf-8", "surrogatepass")
        if self._protocol >= 4 and len(raw) < 256:
            self._out += b"\x8c" + bytes((len(raw),)) + raw
        else:
            self._out += b"X" + struct.pack("<I", len(raw)) + raw
        self._remember(value)

    def _bytes(self, value: bytes) -> None:
        if len(value) < 256:
            self._out += b"C" + bytes((len(value),)) + value
        else:
            self._out += b"B" + struct.pack("<I", len(value)) + value
        self._remember(value)

    def _tuple(self, value: tuple[Any, ...]) -> None:
        if not value:
            self._out += b")"
            return
        if len(value) > 3:
            self._out += b"("
        for each in value:
            self.save(each)
        self._out += b"t" if len(value) > 3 else (b"\x85", b"\x86", b"\x87")[len(value) - 1]
        self._remember(value)

    def _batches(self, items: Iterable[Any], one: bytes, many: bytes) -> None:
        waiting = iter(items)
        while batch := list(islice(waiting, _BATCH)):
            if len(batch) > 1:
                self._out += b"("
            for each in batch:
                if one == b"s":
                    key, value = each
                    # Keys were names in a program, of which Python keeps one each.
                    self.save(sys.intern(key) if type(key) is str else key)
                    self.save(value)
                else:
                    self.save(each)
            self._out += many if len(batch) > 1 else one

    def _pairs(self, rows: list[Any]) -> bool:
        """Write rows of two floats at once: nearly all of a face is landmarks.

        False, with nothing written, where they are anything else, or a frame ends among them.
        """
        count = len(rows)
        if not 1 < count <= _BATCH or len(self._out) + _LONGEST_PAIR * count >= _FRAME:
            return False
        if any(type(row) is not list or len(row) != 2 or id(row) in self._memo for row in rows):
            return False
        flat = [each for row in rows for each in row]
        if set(map(type, flat)) != {float} or len(set(map(id, rows))) != count:
            return False
        floats = struct.pack(f">{2 * count}d", *flat)
        places = range(self._places, self._places + count)
        self._memo.update(zip(map(id, rows), places, strict=True))
        self._alive += rows
        self._places += count
        self._out += b"("
        self._out += b"".join(
            [
                b"]%b(G%bG%be" % (self._put(place), floats[at : at + 8], floats[at + 8 : at + 16])
                for place, at in zip(places, range(0, len(floats), 16), strict=True)
            ]
        )
        self._out += b"e"
        return True

    def _name(self, module: str, name: str) -> None:
        if self._known(("name", module, name)):
            return
        if self._protocol >= 4:
            for text in (module, name):
                if not self._known(("word", text)):
                    self._text(text)
                    self._memo["word", text] = self._places - 1
            self._out += b"\x93"
        else:
            self._out += b"c" + f"{module}\n{name}\n".encode()
        self._remember(None, ("name", module, name))

    def _call(self, value: Any, function: tuple[str, str], *arguments: Any) -> None:
        self._name(*function)
        self._tuple(arguments)
        self._out += b"R"
        self._remember(value)

    def _array(self, value: np.ndarray[Any, Any]) -> None:
        if value.dtype.kind not in "fiub":
            raise TypeError(f"numbers of the kind {value.dtype} are no plain data")
        self._name(_MULTIARRAY, "_reconstruct")
        self._name("numpy", "ndarray")
        self._tuple((0,))
        if not self._known(("word", b"b")):
            self._bytes(b"b")
            self._memo["word", b"b"] = self._places - 1
        self._out += b"\x87"
        self._remember(None, ("none", self._places))
        self._out += b"R"
        self._remember(value)
        self._state((1, value.shape, value.dtype, False, value.tobytes()))

    def _dtype(self, value: np.dtype[Any]) -> None:
        # A text of its own each time, as NumPy makes one each time.
        self._call(value, ("numpy", "dtype"), value.str[1:], False, True)
        self._state((3, value.str[0], None, None, None, -1, -1, 0))

    def _state(self, parts: Sequence[Any]) -> None:
        self._out += b"("
        for part in parts:
            self.save(part)
        self._out += b"t"
        self._remember(None, ("none", self._places))
        self._out += b"b"


def _key(value: Any) -> Hashable:
    """By what an object is known again: a member, or a text of one letter, wherever it comes up."""
    if isinstance(value, Member):
        return value
    if isinstance(value, str) and len(value) == 1:
        return "letter", value
    return id(value)
