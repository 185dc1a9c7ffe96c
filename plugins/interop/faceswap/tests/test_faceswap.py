"""faceswap's files: what the golden ones say, there and back, and what is refused."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import mien_faceswap
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mien.errors import InputError
from mien.faceset import (
    FaceFile,
    FaceRecord,
    Faceset,
    encode_mask,
    read_file,
    with_record,
    write_face,
)
from mien.geometry import crop_matrix, transform
from mien.testing.fakes import picture
from mien.types import FaceType
from mien_faceswap.faces import to_header, to_record
from mien_faceswap.fsa import read_fsa, write_fsa
from mien_faceswap.geometry import RATIO, offset, square, unit_matrix
from mien_faceswap.literal import LiteralError, read_literal
from mien_faceswap.png import put_together, take_apart
from mien_faceswap.state import read_state, write_state
from mien_faceswap.writers import PngWriter

from .conftest import Shared, digested, golden, header, png, points, store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(3):
        data = put_together(png(seed=number), header(), "")
        (tmp_path / f"clip_00000{number}_1.png").write_bytes(data)
    return tmp_path


class TestGolden:
    def test_a_face_goes_through_a_faceset_of_ours_and_back_byte_for_byte(
        self, shared: Shared, tmp_path: Path
    ) -> None:
        before = golden(shared, "face_header_dict.png").read_bytes()
        (tmp_path / "a.png").write_bytes(before)
        (face,) = Faceset(tmp_path, store(tmp_path)).files()
        (tmp_path / "ours").mkdir()
        (tmp_path / "ours" / "a.png").write_bytes(with_record(face))
        assert PngWriter(tmp_path / "back").add(read_file(tmp_path / "ours" / "a.png"))
        assert (tmp_path / "back" / "a.png").read_bytes() == before

    def test_a_header_says_what_the_original_wrote_down(self, shared: Shared) -> None:
        data = golden(shared, "face_header_dict.png").read_bytes()
        expected = json.loads(golden(shared, "face_header_dict.expected.json").read_text())
        found = take_apart(data, "").header
        assert digested(found) == expected
        record = to_record(found or {}, 256, 256, "")
        assert (record.frame_index, record.face_index) == (1, 1)
        assert record.box == (400, 90, 490, 200)
        assert list(record.masks) == ["bisenet-fp_face"]

    def test_alignments_are_read_and_written_byte_for_byte(
        self, shared: Shared, tmp_path: Path
    ) -> None:
        before = golden(shared, "clip_alignments.fsa")
        tree = read_fsa(before)
        expected = json.loads(golden(shared, "clip_alignments.expected.json").read_text())
        assert digested(tree) == expected
        write_fsa(tmp_path / "a.fsa", tree)
        assert (tmp_path / "a.fsa").read_bytes() == before.read_bytes()

    def test_older_alignments_become_those_of_today(self, shared: Shared) -> None:
        old = read_fsa(golden(shared, "legacy_v2.1_alignments.fsa"))
        new = read_fsa(golden(shared, "clip_alignments.fsa"))
        (face,) = old["__data__"]["clip_000001.png"]["faces"]
        (same,) = new["__data__"]["clip_000001.mp4"]["faces"]
        assert list(face) == list(same)
        assert face["landmarks_xy"] == same["landmarks_xy"]
        assert face["mask"]["bisenet-fp_face"]["stored_centering"] == "face"
        assert face["thumb"] == same["thumb"]
        assert face["identity"] == {}

    @pytest.mark.parametrize("number", range(4))
    def test_squares_lie_where_the_original_put_them(self, shared: Shared, number: int) -> None:
        with np.load(golden(shared, "align_geometry.npz")) as arrays:
            seen = arrays["landmarks"][number].astype(np.float64)
            matrix = unit_matrix(seen)
            # The original averages in float32.
            assert np.abs(matrix - arrays[f"matrix_legacy__{number}"]).max() < 1e-6
            for name in RATIO:
                if name != "legacy":
                    shift = offset(matrix, seen, name)
                    assert np.abs(shift - arrays[f"offset_{name}__{number}"]).max() < 2e-6
                for key, coverage in (("256", 1.0), ("256_cov0.875", 0.875)):
                    wanted = arrays[f"adjusted_matrix_{key}_{name}__{number}"]
                    found = square(seen, 256, name, coverage)
                    assert np.abs(found - wanted).max() < 2e-4


class TestFolder:
    def test_a_folder_is_a_faceset(self, folder: Path) -> None:
        found = list(Faceset(folder, store(folder)))
        assert len(found) == 3
        record = found[0].record
        assert (record.frame_index, record.face_type, record.size) == (6, FaceType.HEAD, 64)
        assert np.allclose(transform(record.matrix, record.frame_landmarks), record.landmarks)
        assert found[0].image.shape == (64, 64, 3)

    def test_faces_of_ours_among_them_are_read_too(self, folder: Path) -> None:
        record = store(folder).record(folder / "clip_000000_1.png")
        write_face(folder, "z", picture(64, 64), record)
        write_face(folder, "zz", picture(64, 64), record, format="png")
        faceset = Faceset(folder, store(folder))
        assert len(list(faceset)) == 5
        assert len(list(faceset.files())) == 5

    def test_a_folder_of_ours_or_of_nothing_is_not_opened(self, tmp_path: Path) -> None:
        assert mien_faceswap.mien_open_faceset(path=tmp_path / "none") is None
        (tmp_path / "a.png").write_bytes(png())
        assert mien_faceswap.mien_open_faceset(path=tmp_path) is None

    def test_without_the_plugin_the_error_says_what_to_install(self, folder: Path) -> None:
        with pytest.raises(InputError, match=r"is a face of faceswap; .*pip install mien-faceswap"):
            list(Faceset(folder))

    def test_a_face_of_ours_becomes_one_of_theirs(self, tmp_path: Path) -> None:
        matrix = crop_matrix(points().astype(np.float32), FaceType.WHOLE, 96)
        record = FaceRecord(
            face_type=FaceType.WHOLE,
            size=96,
            matrix=matrix,
            landmarks=transform(matrix, points()).astype(np.float32),
            frame_landmarks=points().astype(np.float32),
            box=(150.2, 100, 250, 220),
            masks={"drawn": encode_mask(np.ones((96, 96, 1), np.float32))},
        )
        data = bytes(cv2.imencode(".jpg", picture(96, 96))[1])
        writer = PngWriter(tmp_path)
        face = FaceFile(name="anna_000004_2", data=data, record=record)
        assert writer.add(face)
        assert not writer.add(face)
        assert "cut anew" in writer.notes[0]
        assert "show less than the head" in writer.notes[1]
        back = store(tmp_path).record(tmp_path / "anna_000004_2.png")
        assert np.allclose(back.frame_landmarks, record.frame_landmarks)
        assert list(back.masks) == ["custom_head"]
        found = take_apart((tmp_path / "anna_000004_2.png").read_bytes(), "").header
        assert found is not None
        assert found["source"]["source_filename"] == "frame_000001.png"

    @pytest.mark.parametrize(
        ("clip", "name"),
        [("clips/anna.mov", "anna_000012.mov"), ("frames", "frames_000012.png")],
    )
    def test_the_frame_is_the_same_one_there_and_back(self, clip: str, name: str) -> None:
        fresh = replace(to_record(header(), 64, 64, ""), clip=clip, frame_index=11, extra={})
        told = to_header(fresh, "any name")
        assert told["source"]["source_filename"] == name
        assert told["source"]["source_is_video"] == name.endswith(".mov")
        assert told["source"]["original_filename"] == name[:-4] + "_1.png"
        assert to_record(told, 64, 64, "").frame_index == 11

    def test_what_was_changed_here_goes_back_changed(self) -> None:
        record = to_record(header(), 64, 64, "")
        moved = FaceRecord(
            **{name: getattr(record, name) for name in FaceRecord.__slots__}
            | {"box": (1.0, 2.0, 4.0, 8.0)}
        )
        found = to_header(moved, "x")
        assert [found["alignments"][key] for key in "xywh"] == [1, 2, 3, 6]
        assert found["source"] == header()["source"]


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('x')", "{'a': open}", "[1, 2", "[1 2]", "(1,,2)", "{'a' 1}",
        "{'a':}", "{1.5: 2}", "{(1,): 2}", "{'a', 'b'}", "'\\N{dash}'", "b'\\777'", "b'é'", "1 + 1",
        "f'{x}'", "lambda: 1", "", "1 2", "]", "[)", "[" * 50 + "]" * 50, "9" * 5000,
        "'\\U99999999'",
        "[,]", "{,}", "{'a': 1, 'b'}", "[*a]",
    ],
)  # fmt: skip
def test_text_that_is_no_plain_value_is_refused(text: str) -> None:
    with pytest.raises(LiteralError):
        read_literal(text)


leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=40)
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(values)
def test_a_literal_is_read_as_python_wrote_it(value: Any) -> None:
    assert repr(read_literal(str(value) if not isinstance(value, str) else repr(value))) == repr(
        value
    )


@settings(max_examples=200)
@given(st.text(alphabet="{}[]()',:b\\x0123456789.e-+ TrueNoan\"", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read_literal(text)
    except LiteralError:
        return


@settings(max_examples=60)
@given(data=st.data())
def test_flipped_and_cut_files_are_read_or_refused(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    raw = bytearray(put_together(png(48), header(), ""))
    for place in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=4)):
        raw[place] ^= 1 << data.draw(st.integers(0, 7))
    del raw[data.draw(st.integers(0, len(raw))) :]
    folder = tmp_path_factory.mktemp("flipped")
    (folder / "a.png").write_bytes(raw)
    try:
        for face in Faceset(folder, mien_faceswap.mien_open_faceset(path=folder)):
            assert face.image.shape == (face.record.size, face.record.size, 3)
    except InputError:
        return


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"landmarks_xy": [[1.0, 2.0]] * 68}, "on one point or one line"),
        ({"landmarks_xy": None}, "must be a table"),
        ({"x": float("inf")}, "no place in a picture"),
        ({"mask": {"a": {"stored_size": 1 << 20, "mask": b""}}}, "a mask of 1048576 pixels"),
        (
            {
                "mask": {
                    "a": {
                        "stored_size": 8,
                        "mask": zlib.compress(bytes(1 << 20)),
                        "affine_matrix": [[1, 0, 0], [0, 1, 0]],
                    }
                }
            },
            "holds 65 bytes",
        ),
    ],
)
def test_what_cannot_be_is_said(change: dict[str, Any], words: str) -> None:
    broken = header()
    broken["alignments"] |= change
    with pytest.raises(InputError, match=words):
        to_record(broken, 64, 64, "face 'x'")


class TestState:
    def test_a_state_is_read_and_written(self, tmp_path: Path) -> None:
        values = {"name": "original", "iterations": 1200, "config": {"a": 1.5}, "sessions": {}}
        path = tmp_path / "original_state.json"
        write_state(path, values)
        state = read_state(path)
        assert (state.name, state.iterations, dict(state.config)) == ("original", 1200, {"a": 1.5})
        assert dict(state.values) == values
        with pytest.raises(InputError, match=r"model 'original' \(1200 iterations\)"):
            mien_faceswap.mien_open_faceset(path=tmp_path)

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"iterations": -1}', "[" * 100_000])
    def test_a_damaged_state_is_said(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "a_state.json").write_text(text)
        with pytest.raises(InputError, match="faceswap's state"):
            read_state(tmp_path / "a_state.json")
