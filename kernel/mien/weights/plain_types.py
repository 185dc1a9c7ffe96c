"""What a pickle of plain data may be made of: its constructors, its keys, its shape in the end.

Each constructor checks what the file gives it, and never hands it to a constructor of NumPy's that
believes its caller: an array is laid over bytes that are there, and must fit them exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

Made: TypeAlias = tuple[Any, int]  # the value, and how many bytes or items were copied for it

_NUMBERS = {f"{kind}{size}" for kind in "iuf" for size in (2, 4, 8)}
_NUMBERS |= {"i1", "u1", "b1", "c8", "c16"}
_SCALARS = (str, bytes, int, float, bool, type(None))
_PLAIN = frozenset(_SCALARS)
_KEY_ITEMS, _KEY_LENGTH = 64, 65536
_MOST_SIDES = 32


class NotPlain(ValueError):
    """What was built is no plain data."""


@dataclass(frozen=True, slots=True)
class Global:
    """A name that the file may call."""

    module: str
    name: str


@dataclass(slots=True, eq=False)
class Unbuilt:
    """An array or dtype whose content follows; `places` of the memo wait for it with the stack."""

    build: Callable[[Any], Any]
    places: list[int] = field(default_factory=list)


def key(value: Any) -> Any:
    """The value, if it may be a key or in a set.  Raises NotPlain.

    Deep or shared tuples would crash or stall Python's hash, whole numbers beyond 64 bits can be
    chosen so that all have the same hash, and long texts can be compared again and again.
    """
    kind = type(value)
    if kind is str or kind is bytes:
        if len(value) > _KEY_LENGTH:
            raise NotPlain("a text is too long for a key")
    elif kind is tuple:
        _check_tuple(value)
    elif kind is int:
        if not -(1 << 63) <= value < 1 << 64:
            raise NotPlain("a whole number is too large for a key")
    elif kind not in _SCALARS and not isinstance(value, np.number):
        raise NotPlain(f"a {kind.__name__} cannot be a key")
    return value


def _check_tuple(value: tuple[Any, ...]) -> None:
    seen, todo = 0, [value]
    while todo:
        each = todo.pop()
        seen += len(each)
        if seen > _KEY_ITEMS:
            raise NotPlain("a tuple is too large for a key")
        for part in each:
            if type(part) is tuple:
                todo.append(part)
            else:
                key(part)


def check_shape(value: Any, depth: int, items: int) -> None:
    """Raise NotPlain unless the value is plain data, free of loops, and within the limits."""
    known: dict[int, tuple[int, int]] = {}  # depth and items, by the container's id
    around: set[int] = set()  # containers that the walk is inside of
    todo: list[tuple[Any, list[Any] | None]] = [(value, None)]
    while todo:
        each, inner = todo.pop()
        place = id(each)
        if inner is None:
            if place in known:
                continue
            inner = _containers_in(each, known)
            around.add(place)
            if any(id(part) in around for part in inner):
                raise NotPlain("holds itself")
            if len(around) > depth:
                raise NotPlain(f"is nested deeper than {depth}")
            todo.append((each, inner))
            todo.extend((part, None) for part in inner if id(part) not in known)
            continue
        around.discard(place)
        measured = [known[id(part)] for part in inner]
        deep = 1 + max((found[0] for found in measured), default=0)
        many = sum(found[1] for found in measured) + _length(each)
        if deep > depth:
            raise NotPlain(f"is nested deeper than {depth}")
        if many > items:
            raise NotPlain(f"holds more than {items} items")
        known[place] = deep, many


def _containers_in(value: Any, known: dict[int, tuple[int, int]]) -> list[Any]:
    """The parts of a container that are containers themselves; those that hold only numbers and
    texts are `known` at once.  Raises NotPlain.
    """
    kind = type(value)
    if kind is dict:
        parts = value.values()  # keys were checked when they came
    elif kind is list or kind is tuple:
        parts = value
    elif kind is Unbuilt:
        raise NotPlain("holds an array without content")
    elif kind is Global:
        raise NotPlain(f"holds {value.module}.{value.name} itself")
    else:  # a set, an array, or what a constructor of the caller's made
        return []
    found = []
    for part in parts:
        if (inner := type(part)) in _PLAIN:
            continue
        found.append(part)
        row = (inner is list or inner is tuple) and id(part) not in known
        if row and _PLAIN.issuperset(map(type, part)):
            known[id(part)] = 1, len(part)
    return found


def _length(value: Any) -> int:
    return len(value) if type(value) in (dict, list, tuple, set, frozenset) else 1


# --- constructors: each takes the tuple of arguments that the file gives ------------------------


def _start_array(arguments: tuple[Any, ...]) -> Made:
    base, shape, code = arguments
    if base != Global("numpy", "ndarray") or tuple(shape) != (0,) or code not in (b"b", "b"):
        raise NotPlain("makes an array in an unknown way")
    return Unbuilt(_finish_array), 0


def _finish_array(state: Any) -> Any:
    if type(state) is not tuple or len(state) != 5:
        raise NotPlain("an array's state is unknown")
    _, shape, dtype, fortran, raw = state
    if type(raw) is str:  # Python 2
        raw = raw.encode("latin-1")
    return _over(raw, dtype, shape, "F" if fortran else "C")


def _array_from_buffer(arguments: tuple[Any, ...]) -> Made:
    raw, dtype, shape, order = arguments
    return _over(raw, dtype, shape, order), 0


def _over(raw: Any, dtype: Any, shape: Any, order: Any) -> Any:
    """A read-only array over bytes that must be exactly as many as it needs."""
    if type(raw) not in (bytes, bytearray):
        raise NotPlain("an array holds objects instead of numbers")
    if not isinstance(dtype, np.dtype) or order not in ("C", "F"):
        raise NotPlain("an array's state is unknown")
    if type(shape) is not tuple or any(type(n) is not int or n < 0 for n in shape):
        raise NotPlain("an array has no shape")
    if len(shape) > _MOST_SIDES:
        raise NotPlain(f"an array has {len(shape)} sides")
    needed = dtype.itemsize
    for side in shape:
        needed *= side
    if needed != len(raw):
        raise ValueError(f"an array of {shape} {dtype} needs {needed} bytes, has {len(raw)}")
    if dtype.kind == "b" and np.frombuffer(raw, np.uint8).max(initial=0) > 1:
        raise ValueError("a truth value is neither 0 nor 1")
    array = np.ndarray(shape, dtype, raw, order=order)
    array.setflags(write=False)
    return array


def _start_dtype(arguments: tuple[Any, ...]) -> Made:
    code = arguments[0]
    if type(code) is not str or code not in _NUMBERS:
        raise NotPlain(f"asks for arrays of {code!r}, which are no numbers")
    return Unbuilt(lambda state: _finish_dtype(code, state)), 0


def _finish_dtype(code: str, state: Any) -> Any:
    if type(state) is not tuple or len(state) < 5 or any(part is not None for part in state[2:5]):
        raise NotPlain("a dtype's state is unknown")
    if state[1] not in ("<", ">", "|"):
        raise NotPlain("a dtype's byte order is unknown")
    return np.dtype(code).newbyteorder(state[1])


def _scalar(arguments: tuple[Any, ...]) -> Made:
    dtype, raw = arguments
    if type(raw) is str:
        raw = raw.encode("latin-1")
    return _over(raw, dtype, (), "C")[()], 16


def _encode(arguments: tuple[Any, ...]) -> Made:
    text, encoding = arguments
    if type(text) is not str or encoding not in ("latin1", "latin-1"):
        raise NotPlain("encodes something else than bytes")
    return text.encode("latin-1"), len(text)


def _bytes(arguments: tuple[Any, ...]) -> Made:
    if arguments:
        raise NotPlain("makes bytes in an unknown way")
    return b"", 0


def _bytearray(arguments: tuple[Any, ...]) -> Made:
    if len(arguments) == 2:
        raw, cost = _encode(arguments)
    else:
        raw, cost = arguments[0] if arguments else b"", 0
    if type(raw) is not bytes:
        raise NotPlain("makes bytes in an unknown way")
    return bytearray(raw), cost + len(raw)


def _set_of(kind: type) -> Callable[[tuple[Any, ...]], Made]:
    def make(arguments: tuple[Any, ...]) -> Made:
        items = arguments[0] if arguments else []
        if type(items) is not list:
            raise NotPlain("makes a set of something else than a list")
        return kind(map(key, items)), 64 * len(items)

    return make


def _ordered(arguments: tuple[Any, ...]) -> Made:
    """An ordered dict: any dict is."""
    pairs = arguments[0] if arguments else []
    if type(pairs) is not list or any(type(p) not in (list, tuple) or len(p) != 2 for p in pairs):
        raise NotPlain("makes a dict of something else than pairs")
    return {key(name): value for name, value in pairs}, 64 * len(pairs)


def _never(_: tuple[Any, ...]) -> Made:
    raise NotPlain("makes an array in an unknown way")


KNOWN: Mapping[tuple[str, str], Callable[[tuple[Any, ...]], Made]] = {
    ("numpy", "ndarray"): _never,  # stands only among the arguments of _reconstruct
    ("numpy", "dtype"): _start_dtype,
    ("numpy.core.multiarray", "_reconstruct"): _start_array,
    ("numpy._core.multiarray", "_reconstruct"): _start_array,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("numpy.core.numeric", "_frombuffer"): _array_from_buffer,
    ("numpy._core.numeric", "_frombuffer"): _array_from_buffer,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _bytes,
    ("builtins", "bytes"): _bytes,
    ("__builtin__", "bytearray"): _bytearray,
    ("builtins", "bytearray"): _bytearray,
    ("__builtin__", "set"): _set_of(set),
    ("builtins", "set"): _set_of(set),
    ("__builtin__", "frozenset"): _set_of(frozenset),
    ("builtins", "frozenset"): _set_of(frozenset),
    ("collections", "OrderedDict"): _ordered,
}
