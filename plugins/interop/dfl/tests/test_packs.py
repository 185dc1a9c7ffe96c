"""Packs and pickles: as the original writes them, and what is refused."""

from __future__ import annotations

import json
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mien.errors import InputError
from mien.faceset import Faceset
from mien.faceset.kept import keep, kept
from mien.types import FaceType
from mien.weights.pickles import loads
from mien_dfl import metadat, pak
from mien_dfl.pickled import Member, dumps

from .conftest import face_file, info_of, jpeg, store


class _Runs:
    def __reduce__(self) -> Any:
        return os.system, ("touch /tmp/mien-was-here",)


def nested(depth: int) -> bytes:
    return b"\x80\x04" + b"]" * depth + b"a" * (depth - 1) + b"."


SHARED = b"".join(b"](h%ch%ce\x94" % (n, n) for n in range(60))
ARRAY = pickle.dumps({"a": np.zeros(1)}, 3)
HOSTILE = {
    "os.system": pickle.dumps({"landmarks": _Runs()}, 3),
    "deep nesting": nested(30_000),
    "memo loop": b"\x80\x04]\x94h\x00a.",
    "shared parts": b"\x80\x04]\x94"
    + b"".join(b"](h%ch%ce\x94" % (n, n) for n in range(60))
    + b".",
    "huge size": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 62) + b"x.",
    "huge array": pickle.dumps({"a": np.zeros(1)}, 3).replace(
        b"K\x01\x85", b"J\xff\xff\xff\x7f\x85"
    ),
    "getattr": b"\x80\x04\x8c\x08builtins\x8c\x07getattr\x93.",
    "list": b"\x80\x04].",
    "nothing": b"\x80",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pickle_is_refused_with_the_reason(name: str, tmp_path: Path) -> None:
    payload = HOSTILE[name]
    data = jpeg()
    segment = b"\xff\xef" + struct.pack(">H", len(payload) + 2) + payload
    (tmp_path / "a.jpg").write_bytes(data[:20] + segment + data[20:])
    with pytest.raises(InputError, match="metadata"):
        list(Faceset(tmp_path, store(tmp_path)))
    (tmp_path / "b").mkdir()
    head = struct.pack("<QQ", 1, len(payload)) + payload + bytes(64)
    (tmp_path / "b" / "faceset.pak").write_bytes(head)
    with pytest.raises(InputError, match=r"faceset\.pak"):
        store(tmp_path / "b")
    (tmp_path / "meta.dat").write_bytes(payload)
    with pytest.raises(InputError, match=r"meta\.dat"):
        metadat.read_meta(tmp_path / "meta.dat")
    assert not Path("/tmp/mien-was-here").exists()


class TestPack:
    def test_names_that_leave_the_folder_are_refused(self, tmp_path: Path) -> None:
        for name, person in (("../a.jpg", None), ("a.jpg", "..")):
            self._write(tmp_path / "faceset.pak", [name], person)
            with pytest.raises(InputError, match="holds a file called"):
                store(tmp_path)

    def test_two_faces_of_one_name_are_both_there(self, tmp_path: Path) -> None:
        self._write(tmp_path / "faceset.pak", ["a.jpg", "a.jpg"], "bob")
        found = store(tmp_path)
        assert [path.name for path in found.paths] == ["a.jpg", "a-2.jpg"]
        assert [found.file(path).person for path in found.paths] == ["bob", "bob"]

    def test_a_last_offset_that_counts_like_the_others_is_accepted(self, tmp_path: Path) -> None:
        self._write(tmp_path / "faceset.pak", ["a.jpg"], None, last=1)
        assert len(list(Faceset(tmp_path, store(tmp_path)))) == 1

    def test_a_file_that_lost_its_metadata_takes_the_packs(self, tmp_path: Path) -> None:
        self._write(tmp_path / "faceset.pak", ["a.jpg"], None, data=jpeg())
        record = store(tmp_path).record(tmp_path / "a.jpg")
        assert record.face_type is FaceType.WHOLE

    @pytest.mark.parametrize("length", [0, 8, 16, 400])
    def test_a_pack_that_breaks_off_is_said(self, tmp_path: Path, length: int) -> None:
        path = tmp_path / "faceset.pak"
        self._write(path, ["a.jpg", "b.jpg"], None)
        whole = path.read_bytes()
        path.write_bytes(whole[:-9])
        faceset = Faceset(tmp_path, store(tmp_path))
        assert len(list(faceset)) == 1
        assert "b.jpg': the picture breaks off" in faceset.notes[0]
        path.write_bytes(whole[:length])
        with pytest.raises(InputError):
            store(tmp_path)

    def _write(
        self, path: Path, names: list[str], person: str | None, *, last: int = 0, data: bytes = b""
    ) -> None:
        data = data or face_file(info_of())
        entries = [
            pak.entry(
                name=name, person=person, face_type=4, shape=(64, 64, 3),
                landmarks=info_of()["landmarks"], polys={"polys": []}, mask=None, brow=1.0,
                source="1.png",
            )
            for name in names
        ]  # fmt: skip
        with path.open("wb") as stream:
            begin = pak.write_pack(stream, entries, [len(data)] * len(names))
            stream.write(data * len(names))
        if last:
            raw = bytearray(path.read_bytes())
            raw[begin - 8 : begin] = struct.pack("<Q", len(data) * len(names))
            path.write_bytes(raw)


numbers = st.floats(allow_nan=True) | st.integers(-(1 << 62), 1 << 62)
leaves = st.none() | st.booleans() | numbers | st.text(max_size=9) | st.binary(max_size=300)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(st.text(max_size=5) | st.integers(0, 9), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(values, st.sampled_from((3, 4)))
def test_pickles_are_those_of_python_in_value_and_json_keeps_them(
    value: Any, protocol: int
) -> None:
    assert repr(loads(dumps(value, protocol))) == repr(value)
    assert repr(kept(json.loads(json.dumps(keep(value))))) == repr(value)


def test_a_long_pickle_is_framed_as_python_does_it() -> None:
    rows = [{"a": float(n), "b": [n] * 3} for n in range(9000)]
    assert dumps(rows, 4) == pickle.dumps(rows, 4)
    assert dumps(rows, 3) == pickle.dumps(rows, 3)
    with pytest.raises(TypeError, match="no plain data"):
        dumps({Member, 1}, 3)
