"""Pickles that an old program reads: with Python's reader, by old names, and with our own."""

from __future__ import annotations

import io
import pickle
import pickletools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from mien.nets.dflpickle import dump
from mien.weights.pickles import loads

# What the old programs' own files consist of.
OLD = (
    "PROTO MARK STOP EMPTY_DICT EMPTY_LIST SETITEMS APPENDS NONE NEWTRUE NEWFALSE BININT LONG1 "
    "BINFLOAT BINUNICODE SHORT_BINUNICODE BINBYTES TUPLE STACK_GLOBAL REDUCE BUILD"
)
NUMPY = {
    ("numpy.core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,
    ("numpy.core.multiarray", "scalar"): np._core.multiarray.scalar,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _Finder:
    """Knows NumPy's constructors by the names that an old NumPy has, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        return NUMPY[module, name]


class OldReader(_Finder, pickle.Unpickler):
    pass


class OldPythonReader(_Finder, pickle._Unpickler):
    pass


def written(value: Any) -> bytes:
    out = io.BytesIO()
    dump(value, out)
    return out.getvalue()


def old_readings(value: Any) -> list[Any]:
    data = written(value)
    return [OldReader(io.BytesIO(data)).load(), OldPythonReader(io.BytesIO(data)).load()]


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 2000), 1 << 2000)
    | st.floats(allow_nan=False)
    | st.text(max_size=300)
)
DATA = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
ARRAYS = st.sampled_from(
    ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"]
).flatmap(
    lambda code: st_numpy.arrays(code, st_numpy.array_shapes(min_dims=0, min_side=0, max_side=4))
)


@given(DATA)
def test_plain_data_comes_back(value):
    for read in (*old_readings(value), loads(written(value))):
        assert read == value
        assert type(read) is type(value)


@given(ARRAYS)
def test_arrays_and_scalars_come_back_with_every_bit(array):
    value = {"array": array.T, "scalar": array.reshape(-1)[:1].sum(dtype=array.dtype)}
    for read in (*old_readings(value), loads(written(value))):
        for name, wanted in value.items():
            assert type(read[name]) is type(wanted)
            assert read[name].dtype == wanted.dtype
            assert read[name].shape == wanted.shape
            assert read[name].tobytes() == wanted.tobytes()


def test_only_instructions_of_old_files_are_used():
    value = {"a": np.zeros(3, "f4"), "b": [1, 1 << 40, 0.5, "x" * 300, None, True, False, ()]}
    value["c"] = np.int64(3)
    used = {operation.name for operation, _, _ in pickletools.genops(written(value))}
    assert used == set(OLD.split())


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (object(), "a object is no plain data"),
        ({"a": {1, 2}}, "a set is no plain data"),
        (np.array(["x"]), "numbers of the kind <U1 are no plain data"),
        (np.array([None]), "numbers of the kind object are no plain data"),
        (np.zeros(2, ">f4"), "numbers of the kind >f4 are no plain data"),
        (1 << 3000, "a whole number of 376 bytes is no plain data"),
    ],
)
def test_anything_else_is_refused(value, told):
    with pytest.raises(TypeError, match=f"^{told}$"):
        written(value)
