"""Alignments of faceswap's: what the golden ones say, there and back, and what is refused."""

from __future__ import annotations

import os
import pickle
import struct
import zlib
from pathlib import Path
from typing import Any

import mien_faceswap
import numpy as np
import pytest
from mien.errors import InputError
from mien.faceset import (
    FrameFaces,
)
from mien.types import Face, FaceMask
from mien_faceswap.fsa import read_fsa, write_fsa
from mien_faceswap.geometry import as_68, square
from mien_faceswap.values import face_table

from .conftest import points


class TestAlignments:
    def test_faces_by_frame_there_and_back(self, tmp_path: Path) -> None:
        mask = FaceMask(mask=np.ones((16, 16, 1), np.float32), matrix=square(points(), 16, "face"))
        face = Face(
            box=(1, 2, 31, 42), landmarks=points().astype(np.float32), masks={"drawn": mask}
        )
        frames = [FrameFaces(name="a_000001.png", faces=(face, Face(box=(0, 0, 1, 1))))]
        path = tmp_path / "a.fsa"
        assert mien_faceswap.mien_write_alignments(form="faceswap", path=path, frames=frames)
        found = mien_faceswap.mien_read_alignments(path=path)
        assert found is not None
        ((back,),) = (frame.faces for frame in found.frames)
        assert back.box == face.box
        assert np.array_equal(back.landmarks, face.landmarks)
        assert back.masks["custom_head"].mask.max() == 1
        assert mien_faceswap.mien_read_alignments(path=tmp_path / "a.json") is None
        assert mien_faceswap.mien_write_alignments(form="other", path=path, frames=[]) is None

    def test_what_cannot_be_used_is_left_out_with_a_note(self, tmp_path: Path) -> None:
        table = face_table(points(), (0, 0, 9, 9), None) | {"identity": {"t-face": [1.0]}}
        broken = [table | {"landmarks_xy": [[1.0, 2.0]] * 4}, table | {"x": "1"}] * 4
        tree = {"__meta__": {"version": 2.0}, "__data__": {"a.png": [table, *broken]}}
        path = tmp_path / "a.fsa"
        write_fsa(path, tree)
        found = mien_faceswap.mien_read_alignments(path=path)
        assert found is not None
        assert len(found.frames[0].faces) == 1
        assert "has 4 landmarks, 68 are needed" in found.notes[0]
        assert found.notes[5] == "3 more faces were left out"
        assert "identities of 9 faces" in found.notes[6]

    def test_98_points_are_reduced_as_the_original_does(self) -> None:
        many = np.arange(196, dtype=np.float64).reshape(98, 2)
        assert as_68(many)[[0, 16, 17, 22, 36, 67], 0].tolist() == [0, 64, 66, 84, 120, 190]

    @pytest.mark.parametrize(
        ("tree", "words"),
        [
            ([], "is older than version 2.0"),
            ({"a": {}}, "is older than version 2.0"),
            ({"__meta__": {"version": 1.0}, "__data__": {}}, "is of version 1.0"),
            ({"__meta__": {"version": 2.4}}, "holds no frames"),
            ({"__meta__": {"version": 2.4}, "__data__": {"a": 3}}, "holds no list of faces"),
            ({"__meta__": {"version": 2.4}, "__data__": {"a": [3]}}, "a face that is no table"),
            (
                {"__meta__": {"version": 2.4}, "__data__": {"a": [{"mask": {"b": 1}}]}},
                "masks that are no tables",
            ),
        ],
    )
    def test_other_trees_are_refused(self, tmp_path: Path, tree: Any, words: str) -> None:
        write_fsa(tmp_path / "a.fsa", tree)
        with pytest.raises(InputError, match=words):
            read_fsa(tmp_path / "a.fsa")


class _Runs:
    def __reduce__(self) -> Any:
        return os.system, ("touch /tmp/mien-was-there",)


HOSTILE = {
    "os.system": pickle.dumps({"__meta__": _Runs()}, 4),
    "deep nesting": b"\x80\x04" + b"]" * 30_000 + b"a" * 29_999 + b".",
    "memo loop": b"\x80\x04]\x94h\x00a.",
    "huge size": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 62) + b"x.",
    "bomb": b"\x80\x04B" + struct.pack("<I", 1 << 28) + bytes(1 << 28) + b".",
    "nothing": b"",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pickle_is_refused_with_the_reason(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.fsa").write_bytes(zlib.compress(HOSTILE[name], 1 if name == "bomb" else 6))
    with pytest.raises(InputError, match="alignments"):
        read_fsa(tmp_path / "a.fsa")
    assert not Path("/tmp/mien-was-there").exists()
