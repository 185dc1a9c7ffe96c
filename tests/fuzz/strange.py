"""Faults: in the bytes of a file, and in the values that a sound file holds."""

from __future__ import annotations

import random
import struct
from typing import Any

import numpy as np

INTERESTING = (
    b"cos\nsystem\n", b"\x8c\x02os\x8c\x06system\x93", b"R", b"b", b"\x81", b"h\x00", b"\x94", b"(",
    b"]" * 40, b"0", b"2", b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x8a\xff", b".", b"\xff" * 8,
    b"\x00" * 8, b"\xff\xda", b"\xff\xd9", b"IDAT", b"__import__('os')", b"{" * 40, b"9" * 400,
    b"nan", b"-1e999", b"\\x", b"'", b",", b"\xff\xef\xff\xff", b'"', b"[" * 40,
    b"null", b"\\ud800",
)  # fmt: skip

ODD: tuple[Any, ...] = (
    None, True, 0, -1, 1, 1 << 31, -(1 << 63), 1 << 70, 10**400, 0.0, -0.0, 1e308, -1e9, 1e-320,
    float("nan"), float("inf"), "", "a", "..", "/etc/passwd", "\0", "\ud800", "x" * 5000, "nan",
    "1e5", "999999999999999999", "1/0", "-1/25", [], [[]], {}, [None], [1, 2], [[1.0, 2.0]] * 3,
    {"size": 1}, [[[[[1]]]]], [0.0] * 200, "include", "exclude", 5, 3.5,
)  # fmt: skip


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The bytes with one to six faults."""
    raw = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        if not raw:
            break
        at, kind = rng.randrange(len(raw)), rng.randrange(8)
        length = min(len(raw) - at, rng.choice((1, 2, 4, 8, 60)))
        if kind == 0:
            raw[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            raw[at] = rng.randrange(256)
        elif kind == 2:
            del raw[at:]
        elif kind == 3:
            del raw[at : at + length]
        elif kind == 4:
            raw[at:at] = raw[at : at + length] * rng.choice((1, 2, 50))
        elif kind == 5:
            raw[at:at] = rng.choice(INTERESTING)
        elif kind == 6:
            number = rng.choice((0, 1, 0x7F, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 63))
            raw[at : at + 8] = struct.pack(rng.choice("<>") + "Q", number)[: len(raw) - at]
        else:
            raw[at : at + length] = rng.randbytes(length)
    return bytes(raw)


def strange(tree: Any, rng: random.Random, *, times: int = 0) -> Any:
    """The values with one to four of them replaced, taken away, doubled or put elsewhere."""
    for _ in range(times or rng.choice((1, 1, 1, 2, 4))):
        tree = _changed(tree, rng)
    return tree


def _changed(tree: Any, rng: random.Random) -> Any:
    """Walks down to some place, and changes what is there."""
    if isinstance(tree, dict) and tree and rng.random() < 0.9:
        key = rng.choice(list(tree))
        rest = dict(tree)
        what = rng.random()
        if what < 0.1:
            del rest[key]
        elif what < 0.15:
            rest[rng.choice(("size", "shapes", "iter", "x", "", "type"))] = rest.pop(key)
        else:
            rest[key] = _changed(tree[key], rng)
        return rest
    if isinstance(tree, list | tuple) and tree and rng.random() < 0.9:
        at, rest = rng.randrange(len(tree)), list(tree)
        what = rng.random()
        if what < 0.08:
            del rest[at]
        elif what < 0.16:
            rest.insert(at, rest[at])
        elif what < 0.2:
            rest = rest * rng.choice((2, 30))
        else:
            rest[at] = _changed(rest[at], rng)
        return tuple(rest) if isinstance(tree, tuple) else rest
    if isinstance(tree, np.ndarray) and rng.random() < 0.7:
        return _odd_array(tree, rng)
    return rng.choice(ODD)


def _odd_array(array: Any, rng: random.Random) -> Any:
    kind = rng.randrange(6)
    if kind == 0:
        return array.ravel()
    if kind == 1:
        return array[..., None]
    if kind == 2:
        return array[:0]
    if kind == 3:
        return array.astype(rng.choice(("f2", ">f4", "f8", "i8", "u1", "?")))
    if kind == 4:
        return array.T
    changed = array.copy()
    if changed.size:
        changed.reshape(-1)[rng.randrange(changed.size)] = rng.choice((0, 1, 255, 7))
    return changed
