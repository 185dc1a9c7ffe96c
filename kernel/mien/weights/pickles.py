"""Pickles read as what they are here: a list of instructions, of which only harmless ones are done.

Older face programs keep weights, alignments and facesets as pickles, and Python's own reader of
them runs whatever a file names.  This one builds plain data (dict, list, tuple, set, str, bytes,
int, float, bool, None) and numeric NumPy arrays, scalars and dtypes, with its own constructors; any
other name in the file is refused before anything is done with it.  Protocols 0 to 5 are read, from
Python 2 and 3.

    loads(data)                                      # plain data
    loads(data, also={("samplelib", "Kind"): int})   # and one more name, made by the given function

A file cannot make the reader take more memory than a small multiple of its own size, nor hang or
crash it or whoever walks through the result: nesting, shared parts and keys are bounded.
"""

from __future__ import annotations

import codecs
import functools
import pickletools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from . import plain_types as plain

Name: TypeAlias = tuple[str, str]
Also: TypeAlias = Mapping[Name, Callable[..., Any]]


class PickleError(ValueError):
    """The data is damaged, or is no pickle of plain data."""


class UnsafePickleError(PickleError):
    """The data asks for something that no plain data needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a file may ask for.

    depth   of containers in containers
    items   in all containers together, shared ones counted wherever they appear
    digits  bytes of a whole number
    """

    depth: int = 100
    items: int = 50_000_000
    digits: int = 256


LIMITS = Limits()


def load_path(path: Path, *, also: Also | None = None, limits: Limits = LIMITS) -> Any:
    """The data of a pickle file; as `loads`.  Raises OSError too."""
    return loads(path.read_bytes(), also=also, limits=limits)


def loads(data: bytes, *, also: Also | None = None, limits: Limits = LIMITS) -> Any:
    """The plain data of a pickle; arrays are read-only views of its bytes.

    also  further names that the file may call, by module and name, and what stands in for them
    Raises UnsafePickleError where the data asks for anything else, PickleError where it is damaged.
    """
    machine = _Machine(data, also or {}, limits)
    try:
        value = machine.run()
    except PickleError:
        raise
    except plain.NotPlain as error:
        raise UnsafePickleError(str(error)) from error
    except IndexError as error:
        raise machine.damaged("takes something from an empty stack") from error
    except KeyError as error:
        raise machine.damaged("refers to something that it never held") from error
    except (ValueError, TypeError, OverflowError, AttributeError) as error:
        raise machine.damaged(str(error)) from error
    try:
        plain.check_shape(value, limits.depth, limits.items)
    except plain.NotPlain as error:
        raise UnsafePickleError(str(error)) from error
    return value


class _Machine:
    """The stack, the memo, and what each instruction does to them."""

    def __init__(self, data: bytes, also: Also, limits: Limits) -> None:
        self._stream = BytesIO(data)
        self._limits = limits
        self._stack: list[Any] = []
        self._outer: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._also = also
        # What constructors may copy; without it a kilobyte could be copied a million times.
        self._budget = 8 * len(data) + 65536

    def damaged(self, reason: str) -> PickleError:
        """The error for this place of the data."""
        return PickleError(f"damaged at byte {self._stream.tell()}: {reason[:200]}")

    def run(self) -> Any:
        """Do every instruction up to STOP."""
        stream, read = self._stream, self._stream.read
        while True:
            code = read(1)
            try:
                reader, action = _ACTIONS[code]
            except KeyError:
                raise self.damaged("ends too early" if not code else "is no pickle") from None
            if action is None:
                return self._stack.pop()
            if reader is None:
                action(self)
            else:
                action(self, reader(stream))

    # literals

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def whole(self, value: int) -> None:
        if value.bit_length() > 8 * self._limits.digits:
            raise self.damaged(f"a whole number has more than {self._limits.digits} bytes")
        self._stack.append(value)

    def skip(self, _: int) -> None:
        """Frames and the protocol's number change nothing for a reader of memory."""

    # containers

    def mark(self) -> None:
        self._outer.append(self._stack)
        self._stack = []

    def _marked(self) -> list[Any]:
        """What came after the last mark."""
        items = self._stack
        self._stack = self._outer.pop()
        return items

    def listed(self) -> None:
        items = self._marked()
        self._stack.append(items)

    def tupled(self) -> None:
        items = tuple(self._marked())
        self._stack.append(items)

    def tuple_of(self, count: int) -> None:
        if len(self._stack) < count:
            raise IndexError
        items = tuple(self._stack[-count:])
        del self._stack[-count:]
        self._stack.append(items)

    def dicted(self) -> None:
        items = self._marked()
        self._stack.append({})
        self._fill(items)

    def frozen(self) -> None:
        items = frozenset(map(plain.key, self._marked()))
        self._stack.append(items)

    def append(self) -> None:
        value = self._stack.pop()
        self._top(list).append(value)

    def extend(self) -> None:
        items = self._marked()
        self._top(list).extend(items)

    def add(self) -> None:
        items = self._marked()
        self._top(set).update(map(plain.key, items))

    def set_one(self) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._top(dict)[plain.key(key)] = value

    def set_many(self) -> None:
        self._fill(self._marked())

    def _fill(self, items: list[Any]) -> None:
        if len(items) % 2:
            raise self.damaged("a key has no value")
        self._top(dict).update(zip(map(plain.key, items[::2]), items[1::2], strict=True))

    def _top(self, kind: type) -> Any:
        target = self._stack[-1]
        if type(target) is not kind:
            raise self.damaged(f"fills a {type(target).__name__} as if it were a {kind.__name__}")
        return target

    # stack and memo

    def drop(self) -> None:
        # Python drops the mark where nothing came after it.
        if self._stack:
            self._stack.pop()
        else:
            self._marked()

    def drop_marked(self) -> None:
        self._marked()

    def double(self) -> None:
        self._stack.append(self._stack[-1])

    def get(self, place: int) -> None:
        self._stack.append(self._memo[place])

    def put(self, place: int) -> None:
        value = self._memo[place] = self._stack[-1]
        if type(value) is plain.Unbuilt:
            value.places.append(place)

    def memoize(self) -> None:
        self.put(len(self._memo))

    # names and what is called by them

    def named(self, pair: Name) -> None:
        self._name(*pair)

    def named_from_stack(self) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        if type(name) is not str or type(module) is not str:
            raise self.damaged("a name is not text")
        self._name(module, name)

    def _name(self, module: str, name: str) -> None:
        if (module, name) not in plain.KNOWN and (module, name) not in self._also:
            raise _asks_for(f"{module}.{name}")
        self._stack.append(plain.Global(module, name))

    def call(self) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if type(function) is not plain.Global or type(arguments) is not tuple:
            raise UnsafePickleError("calls something that is no function")
        own = self._also.get((function.module, function.name))
        if own is None:
            made, cost = plain.KNOWN[function.module, function.name](arguments)
            self._budget -= cost
            if self._budget < 0:
                raise UnsafePickleError("copies its content over and over")
        else:
            made = own(*arguments)
        self._stack.append(made)

    def build(self) -> None:
        state, target = self._stack.pop(), self._stack[-1]
        if type(target) is not plain.Unbuilt:
            raise UnsafePickleError(f"sets the state of a {type(target).__name__}")
        made = target.build(state)
        self._stack[-1] = made
        for place in target.places:
            self._memo[place] = made

    def refuse_class(self, pair: Name) -> NoReturn:
        raise _asks_for(".".join(pair))

    def refuse_object(self) -> NoReturn:
        raise UnsafePickleError("makes an object of a class, which no plain data needs")

    def refuse_outside(self, *_: Any) -> NoReturn:
        raise UnsafePickleError("refers to something outside of its own bytes")


def _asks_for(name: str) -> UnsafePickleError:
    shown = ascii(name).strip("'")[:100]
    return UnsafePickleError(f"asks for {shown}, which no plain data needs")


# What Python 2 writes; other escapes would be warned of.
_ESCAPED = re.compile(
    rb"""[^\\]*(?:\\(?:[\\'"abfnrtv]|x[0-9a-fA-F]{2}|[0-3][0-7]{2}|[0-7]{1,2})[^\\]*)*"""
)


def _read_string(stream: BytesIO) -> str:
    """A quoted text of Python 2, whose escapes may stand for any byte: latin-1 keeps them all."""
    line = stream.readline()
    if len(line) < 3 or line[:1] not in b"'\"" or line[-2:] != line[:1] + b"\n":
        raise ValueError("a text has no end")
    if not _ESCAPED.fullmatch(line[1:-2]):
        raise ValueError("a text holds an unknown escape")
    return bytes(codecs.escape_decode(line[1:-2])[0]).decode("latin-1")


def _read_names(stream: BytesIO) -> tuple[str, str]:
    """Module and name, a line each."""
    module, name = stream.readline(), stream.readline()
    if not name.endswith(b"\n"):
        raise ValueError("a name has no end")
    return module[:-1].decode(), name[:-1].decode()


_READERS: dict[str, Any] = {
    "STRING": _read_string,
    "GLOBAL": _read_names,
    "INST": _read_names,
    "PERSID": None,
}


def _pushes(make: Callable[[], Any]) -> Callable[[_Machine], None]:
    return lambda machine: machine.push(make())


_DONE_BY: dict[str, Any] = {
    "PROTO FRAME": _Machine.skip,
    "INT LONG LONG1 LONG4": _Machine.whole,
    "BININT BININT1 BININT2 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING": _Machine.push,
    "UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8": _Machine.push,
    "BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8": _Machine.push,
    "NONE": _pushes(lambda: None),
    "NEWTRUE": _pushes(lambda: True),
    "NEWFALSE": _pushes(lambda: False),
    "EMPTY_LIST": _pushes(list),
    "EMPTY_TUPLE": _pushes(tuple),
    "EMPTY_DICT": _pushes(dict),
    "EMPTY_SET": _pushes(set),
    "MARK": _Machine.mark,
    "LIST": _Machine.listed,
    "TUPLE": _Machine.tupled,
    "TUPLE1": functools.partial(_Machine.tuple_of, count=1),
    "TUPLE2": functools.partial(_Machine.tuple_of, count=2),
    "TUPLE3": functools.partial(_Machine.tuple_of, count=3),
    "DICT": _Machine.dicted,
    "FROZENSET": _Machine.frozen,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.extend,
    "ADDITEMS": _Machine.add,
    "SETITEM": _Machine.set_one,
    "SETITEMS": _Machine.set_many,
    "POP": _Machine.drop,
    "POP_MARK": _Machine.drop_marked,
    "DUP": _Machine.double,
    "GET BINGET LONG_BINGET": _Machine.get,
    "PUT BINPUT LONG_BINPUT": _Machine.put,
    "MEMOIZE": _Machine.memoize,
    "GLOBAL": _Machine.named,
    "STACK_GLOBAL": _Machine.named_from_stack,
    "REDUCE": _Machine.call,
    "BUILD": _Machine.build,
    "INST": _Machine.refuse_class,
    "OBJ NEWOBJ NEWOBJ_EX": _Machine.refuse_object,
    "PERSID BINPERSID EXT1 EXT2 EXT4 NEXT_BUFFER READONLY_BUFFER": _Machine.refuse_outside,
    "STOP": None,
}


def _actions() -> dict[bytes, tuple[Any, Any]]:
    """By code: what reads the instruction's argument, and what does it."""
    done_by = {name: action for names, action in _DONE_BY.items() for name in names.split()}
    table = {}
    for operation in pickletools.opcodes:
        own = operation.arg.reader if operation.arg is not None else None
        reader = _READERS.get(operation.name, own)
        table[operation.code.encode("latin-1")] = (reader, done_by[operation.name])
    return table


_ACTIONS = _actions()
