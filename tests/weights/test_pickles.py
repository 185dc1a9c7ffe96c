"""Pickles without their machine: what Python reads, and nothing else, whatever comes."""

from __future__ import annotations

import collections
import contextlib
import datetime
import enum
import os
import pickle
import pickletools
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from mien.weights.pickles import Limits, PickleError, UnsafePickleError, load_path, loads

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
LARGEST = 1 << 2000

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-LARGEST, LARGEST)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
)
KEYS = st.text() | st.binary() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats(allow_nan=False)
DATA = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(KEYS | st.tuples(KEYS, KEYS), inner)
        | st.sets(KEYS)
        | st.frozensets(KEYS)
    ),
    max_leaves=30,
)
NUMBERS = st.sampled_from(
    ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1", "c8", "c16", ">f4"]
)
ARRAYS = NUMBERS.flatmap(
    lambda code: st_numpy.arrays(code, st_numpy.array_shapes(min_dims=0, min_side=0, max_side=5))
)


@given(DATA, st.sampled_from(PROTOCOLS))
def test_plain_data_comes_back_as_python_reads_it(data: Any, protocol: int) -> None:
    read = loads(pickle.dumps(data, protocol))
    assert read == data
    assert type(read) is type(data)


@given(ARRAYS, st.sampled_from(PROTOCOLS), st.booleans())
def test_arrays_come_back_with_shape_order_and_every_bit(
    array: Any, protocol: int, fortran: bool
) -> None:
    given_array = np.asfortranarray(array) if fortran and array.ndim else array
    read = loads(pickle.dumps({"a": given_array, "b": [given_array[()]]}, protocol))
    assert read["a"].dtype == array.dtype
    assert read["a"].shape == array.shape
    assert read["a"].tobytes() == array.tobytes()
    np.testing.assert_array_equal(read["b"][0], array)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_array_that_is_held_twice_is_read_once(protocol: int) -> None:
    array = np.arange(6).reshape(2, 3)[:, ::2]
    one, other = loads(pickle.dumps([array, array], protocol))
    assert one is other
    assert not one.flags.writeable
    np.testing.assert_array_equal(one, array)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_ordered_dicts_and_changeable_bytes_are_data_too(protocol: int) -> None:
    made = collections.OrderedDict(b=1, a=bytearray(b"\x00\xff"))
    read = loads(pickle.dumps(made, protocol))
    assert read == {"b": 1, "a": bytearray(b"\x00\xff")}
    assert list(read) == ["b", "a"]


@given(st.binary(max_size=64))
def test_arrays_of_python_2_hold_their_bytes_as_text(raw: bytes) -> None:
    """What cPickle of Python 2 wrote: texts of one byte a letter, in protocols 2 and 0."""
    array = loads(python2_array(raw, lambda text: b"T" + struct.pack("<i", len(text)) + text))
    assert array.tobytes() == raw
    quoted = loads(python2_array(raw, lambda text: b"S" + repr(text)[1:].encode() + b"\n"))
    assert quoted.tobytes() == raw


def python2_array(raw: bytes, text: Any) -> bytes:
    start = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\nt" + text(b"b") + b"tR"
    dtype = (
        b"cnumpy\ndtype\n(" + text(b"u1") + b"I0\nI1\ntR(I3\n" + text(b"|") + b"NNNI-1\nI-1\nI0\ntb"
    )
    size = f"I{len(raw)}\n".encode()
    return b"\x80\x02" + start + b"(I1\n(" + size + b"t" + dtype + b"I00\n" + text(raw) + b"tb."


def test_a_name_that_the_caller_knows_is_called_as_the_caller_says() -> None:
    data = b"\x80\x03}X\x04\x00\x00\x00typecsamplelib.Sample\nSampleType\nK\x01\x85Rs."
    with pytest.raises(UnsafePickleError, match=r"asks for samplelib\.Sample\.SampleType, which"):
        loads(data)
    also = {("samplelib.Sample", "SampleType"): lambda number: f"kind {number}"}
    assert loads(data, also=also) == {"type": "kind 1"}


class Hostile:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.made_of = function, arguments

    def __reduce__(self) -> Any:
        return self.made_of


class Colour(enum.Enum):
    RED = 1


FORBIDDEN = {
    "a shell": (Hostile(os.system, "echo broken into"), "system"),
    "python code": (Hostile(eval, "1 + 1"), "eval"),
    "a compiled program": (Hostile(compile, "1", "x", "eval"), "compile"),
    "an attribute": (Hostile(getattr, "", "join"), "getattr"),
    "an import": (Hostile(__import__, "os"), "__import__"),
    "an open file": (Hostile(open, "/etc/passwd"), "open"),
    "numpy's own reader": (Hostile(np.load, "x.npy"), "load"),
    "a date": (datetime.date(2020, 1, 1), "datetime.date"),
    "an enum": (Colour.RED, "Colour"),
    "a class": (Path, "Path"),
    "a complex number": (1j, "complex"),
    "an object array": (np.array([{}], object), "asks for arrays of 'O8', which are no numbers"),
    "an array of texts": (np.array(["abc"]), "asks for arrays of 'U3', which are no numbers"),
    "an array of records": (np.zeros(2, "i4,f4"), "asks for arrays of 'V8'"),
    "an array of dates": (np.zeros(2, "M8[s]"), "asks for arrays of 'M8'"),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("what", FORBIDDEN)
def test_everything_else_is_refused_by_its_name(what: str, protocol: int) -> None:
    value, name = FORBIDDEN[what]
    for data in (value, {"weights": np.zeros(3), "also": [value]}):
        with pytest.raises(UnsafePickleError, match=name):
            loads(pickle.dumps(data, protocol))


def loop() -> list[Any]:
    inside: list[Any] = []
    inside.append(inside)
    return inside


def deep(levels: int) -> bytes:
    return b"\x80\x04" + b"]" * levels + b"a" * (levels - 1) + b"."


def doubling(levels: int) -> bytes:
    """A list of two of a list of two of ...: small here, without end for who walks through it."""
    return (
        b"\x80\x04]\x94"
        + b"".join(b"](h" + bytes([n]) + b"h" + bytes([n]) + b"e\x94" for n in range(levels))
        + b"."
    )


ARRAY_START = b"\x80\x04cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
F4 = b"cnumpy\ndtype\n\x8c\x02f4\x89\x88\x87R(K\x03\x8c\x01<NNN" + b"K\x00" * 3 + b"tb"

TRAPS = {
    "a loop": (pickle.dumps(loop()), "holds itself"),
    "a deep list": (deep(1_000_000), "nested deeper than 100"),
    "a deep tuple": (b"\x80\x04)" + b"\x85" * 1_000_000 + b".", "nested deeper than 100"),
    "a deep key": (b"\x80\x04})" + b"\x85" * 1_000_000 + b"K\x01s.", "too large for a key"),
    "a wide key": (pickle.dumps({tuple(range(100)): 1}), "a tuple is too large for a key"),
    "numbers of one hash": (pickle.dumps({1 << 70: 1}), "too large for a key"),
    "a long key": (pickle.dumps({"x" * 100_000: 1}), "too long for a key"),
    "a list as a key": (b"\x80\x04}]K\x01s.", "a list cannot be a key"),
    "shared lists": (doubling(60), "more than 50000000 items"),
    "a huge number": (pickle.dumps(1 << 100_000), "more than 256 bytes"),
    "a missing array": (ARRAY_START + b".", "an array without content"),
    "a class instead of data": (b"\x80\x04cnumpy\nndarray\n.", "holds numpy.ndarray itself"),
    "another call": (b"\x80\x04]]R.", "calls something that is no function"),
    "a state for a dict": (b"\x80\x04}}b.", "sets the state of a dict"),
    "an object": (b"\x80\x04cnumpy\nndarray\n)\x81.", "makes an object of a class"),
    "an old object": (b"(ios\nsystem\n.", r"asks for os\.system"),
    "numpy's own constructor": (b"\x80\x04cnumpy\nndarray\n)R.", "in an unknown way"),
    "something outside": (b"\x80\x04K\x01Q.", "outside of its own bytes"),
    "a buffer outside": (b"\x80\x05\x97.", "outside of its own bytes"),
    "another encoding": (
        b"\x80\x02c_codecs\nencode\n(X\x01\x00\x00\x00aX\x05\x00\x00\x00utf-8tR.",
        "encodes something else",
    ),
    "an array of objects": (ARRAY_START + b"(K\x01K\x01\x85" + F4 + b"\x89]tb.", "holds objects"),
    "an array that is larger than its bytes": (
        ARRAY_START + b"(K\x01J\xff\xff\xff\x7f\x85" + F4 + b"\x89C\x04aaaatb.",
        r"an array of \(2147483647,\) float32 needs 8589934588 bytes, has 4",
    ),
    "copies without end": (
        b"\x80\x04c_codecs\nencode\n\x94X"
        + struct.pack("<I", 50_000)
        + b"a" * 50_000
        + b"\x94\x8c\x06latin1\x94"
        + b"h\x00h\x01h\x02\x86R" * 5000
        + b".",
        "copies its content over and over",
    ),
}


@pytest.mark.parametrize("what", TRAPS)
def test_traps_are_refused_with_a_reason(what: str) -> None:
    data, reason = TRAPS[what]
    with pytest.raises(PickleError, match=reason):
        loads(data)


DAMAGED = {
    "nothing": (b"", "damaged at byte 0: ends too early"),
    "half": (pickle.dumps([1, 2, 3])[:-3], "damaged"),
    "no pickle": (b"\x93NUMPY", "damaged"),
    "a text": (b"version https", "damaged"),
    "an empty stack": (b"\x80\x04.", "empty stack"),
    "no mark": (b"\x80\x04]e.", "empty stack"),
    "an unknown place": (b"\x80\x04h\x07.", "never held"),
    "a wrong target": (b"\x80\x04)K\x01a.", "fills a tuple as if it were a list"),
    "a key alone": (b"\x80\x04(K\x01d.", "a key has no value"),
    "a promise of bytes": (b"\x80\x04\x8e" + b"\xff" * 7 + b"\x0f", "damaged"),
    "a promise of text": (b"\x80\x04\x8d" + b"\xff" * 7 + b"\x0f", "damaged"),
    "half a text": (b"S'abc\n.", "a text has no end"),
    "a number for a name": (b"\x80\x04K\x01K\x02\x93.", "a name is not text"),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_damage_is_told_with_its_place(what: str) -> None:
    data, reason = DAMAGED[what]
    with pytest.raises(PickleError, match=reason):
        loads(data)


def test_the_limits_can_be_moved() -> None:
    assert loads(deep(150), limits=Limits(depth=200))
    with pytest.raises(PickleError, match="more than 3 items"):
        loads(pickle.dumps([1, 2, 3, 4]), limits=Limits(items=3))


def test_a_file_is_read_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "data.dat"
    path.write_bytes(pickle.dumps({"iter": 3}, 3))
    assert load_path(path) == {"iter": 3}


SEEDS = [
    pickle.dumps(data, protocol)
    for protocol in PROTOCOLS
    for data in (
        {"iter": 7, "options": {"a": True, "b": np.float64(0.5)}, "loss": [[0.1, 0.2], [0.3, 0.4]]},
        {"conv/weight:0": np.ones((2, 3), "f4"), "iters:0": np.int64(9), "m": np.array([True])},
        [{1, 2}, frozenset("ab"), (1, (2, (3,))), b"\x00\xff", "\u20ac", bytearray(b"x"), 1 << 90],
    )
]
CODES = [operation.code.encode("latin-1") for operation in pickletools.opcodes]
CHANGES = st.lists(
    st.tuples(
        st.integers(0, 400),
        st.sampled_from(["replace", "insert", "remove", "cut"]),
        st.sampled_from(CODES) | st.binary(min_size=1, max_size=4),
    ),
    min_size=1,
    max_size=8,
)


@given(st.sampled_from(SEEDS), CHANGES)
@example(SEEDS[0], [(0, "cut", b"x")])
def test_changed_bytes_give_data_or_the_one_error(
    seed: bytes, changes: list[tuple[int, str, bytes]]
) -> None:
    data = seed
    for place, how, new in changes:
        at = place % (len(data) + 1)
        if how == "replace":
            data = data[:at] + new + data[at + len(new) :]
        elif how == "insert":
            data = data[:at] + new + data[at:]
        elif how == "remove":
            data = data[:at] + data[at + 1 :]
        else:
            data = data[:at]
    with contextlib.suppress(PickleError):
        loads(data)


@given(st.lists(st.sampled_from(CODES) | st.binary(max_size=3), max_size=40))
def test_instructions_without_sense_give_the_one_error(parts: list[bytes]) -> None:
    with contextlib.suppress(PickleError):
        loads(b"".join(parts) + b".")
