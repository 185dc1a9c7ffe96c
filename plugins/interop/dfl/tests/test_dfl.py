"""DeepFaceLab's files: what the golden ones say, there and back, and what is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import mien_dfl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mien.errors import InputError
from mien.faceset import (
    POLYGONS,
    FaceFile,
    FaceRecord,
    Faceset,
    decode_mask,
    encode_mask,
    read_face,
    read_file,
    with_record,
    write_face,
)
from mien.geometry import transform
from mien.testing.fakes import picture
from mien.types import FaceType
from mien_dfl import metadat, pak
from mien_dfl.faces import to_info, to_record
from mien_dfl.jpeg import MOST_PAYLOAD, put_together, take_apart
from mien_dfl.writers import JpegWriter, MetaWriter, PakWriter

from .conftest import Shared, face_file, golden, info_of, jpeg, store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(3):
        (tmp_path / f"0000{number}_0.jpg").write_bytes(face_file(info_of(), seed=number))
    return tmp_path


def golden_infos(shared: Shared) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(golden(shared, "extract.json").read_text())
    return found


class TestGolden:
    @pytest.mark.parametrize(
        "name", ["face_00001_0.jpg", "face_00001_1.jpg", "resized_full_160.jpg"]
    )
    def test_a_face_goes_through_a_faceset_of_ours_and_back_byte_for_byte(
        self, shared: Shared, tmp_path: Path, name: str
    ) -> None:
        before = golden(shared, name).read_bytes()
        (tmp_path / "dfl").mkdir()
        (tmp_path / "dfl" / name).write_bytes(before)
        (face,) = Faceset(tmp_path / "dfl", store(tmp_path / "dfl")).files()
        ours = tmp_path / "ours.jpg"
        ours.write_bytes(with_record(face))
        JpegWriter(tmp_path / "back").add(read_file(ours))
        assert (tmp_path / "back" / "ours.jpg").read_bytes() == before

    @pytest.mark.parametrize("name", ["faceset.pak", "faceset_person.pak"])
    def test_a_pack_is_packed_again_byte_for_byte(
        self, shared: Shared, tmp_path: Path, name: str
    ) -> None:
        before = golden(shared, name)
        (tmp_path / "faceset.pak").write_bytes(before.read_bytes())
        with PakWriter(tmp_path / "back") as writer:
            for face in Faceset(tmp_path, store(tmp_path)).files():
                writer.add(face)
        assert (tmp_path / "back" / "faceset.pak").read_bytes() == before.read_bytes()

    def test_a_pack_holds_the_files_that_were_packed(self, shared: Shared) -> None:
        path = golden(shared, "faceset.pak")
        said = json.loads(golden(shared, "faceset.json").read_text())
        packed, data = pak.read_pack(path), path.read_bytes()
        assert [each.name for each in packed] == [each["filename"] for each in said["samples"]]
        for each, expected in zip(packed, said["samples"], strict=True):
            raw = data[each.start : each.start + each.size]
            assert hashlib.sha256(raw).hexdigest() == expected["sha256"]
        people = pak.read_pack(golden(shared, "faceset_person.pak"))
        assert [(each.person, each.name) for each in people] == [
            ("alice", "a.jpg"),
            ("bob", "b.jpg"),
        ]

    def test_saved_metadata_is_saved_again_byte_for_byte(
        self, shared: Shared, tmp_path: Path
    ) -> None:
        before = golden(shared, "meta.dat")
        saved = metadat.read_meta(before)
        assert list(saved) == ["00002_0.jpg"]
        metadat.write_meta(tmp_path / "meta.dat", saved)
        assert saved["00002_0.jpg"][0] == (128, 128, 3)
        assert (tmp_path / "meta.dat").read_bytes() == before.read_bytes()

    def test_metadata_is_saved_from_faces_as_the_original_saves_it(
        self, shared: Shared, tmp_path: Path
    ) -> None:
        """The face whose metadata it saved lies in the pack as well."""
        pack = Faceset(tmp_path, store(golden(shared, "faceset.pak")))
        with MetaWriter(tmp_path / "saved") as writer:
            for face in pack.files():
                if face.name == "00002_0":
                    writer.add(face)
        found = (tmp_path / "saved" / "meta.dat").read_bytes()
        assert found == golden(shared, "meta.dat").read_bytes()

    def test_a_face_says_what_the_original_wrote_down(self, shared: Shared) -> None:
        data = golden(shared, "face_00001_0.jpg").read_bytes()
        parts = take_apart(data, "")
        assert parts.info is not None
        record = to_record(parts.info, parts.width, parts.height, "")
        assert (record.face_type, record.size, record.frame_index) == (FaceType.WHOLE, 192, 0)
        seen = transform(record.matrix, record.frame_landmarks.astype(np.float64))
        assert np.abs(seen - record.landmarks).max() < 1e-3
        mask = cv2.imread(str(golden(shared, "face_00001_0.xseg.png")), cv2.IMREAD_GRAYSCALE)
        assert np.array_equal(
            decode_mask(record.masks["xseg"], 256)[..., 0], mask / np.float32(255)
        )
        labels = [shape["label"] for shape in record.extra[POLYGONS]["shapes"]]
        assert labels == ["include", "exclude"]
        assert parts.info["eyebrows_expand_mod"] == 1.25


class TestFolder:
    def test_a_folder_is_a_faceset(self, folder: Path) -> None:
        found = list(Faceset(folder, store(folder)))
        assert [face.path.name for face in found] == [f"0000{n}_0.jpg" for n in range(3)]
        assert found[0].record.frame_index == 6
        assert found[0].record.box == (150, 100, 250, 220)
        assert found[0].image.shape == (64, 64, 3)

    def test_faces_of_ours_among_them_are_read_too(self, folder: Path) -> None:
        record = Faceset(folder, store(folder)).store.record(folder / "00000_0.jpg")
        write_face(folder, "z", picture(64, 64), record)
        write_face(folder, "zz", picture(64, 64), record, format="png")
        faceset = Faceset(folder, store(folder))
        assert len(list(faceset)) == 5
        assert len(list(faceset.files())) == 5
        assert faceset.notes == []

    def test_a_folder_of_ours_or_of_nothing_is_not_opened(self, tmp_path: Path) -> None:
        assert mien_dfl.mien_open_faceset(path=tmp_path) is None
        (tmp_path / "a.jpg").write_bytes(jpeg())
        assert mien_dfl.mien_open_faceset(path=tmp_path) is None
        assert mien_dfl.mien_open_faceset(path=tmp_path / "a.jpg") is None

    def test_without_the_plugin_the_error_says_what_to_install(self, folder: Path) -> None:
        with pytest.raises(InputError, match=r"is a face of DeepFaceLab; .*pip install mien-dfl"):
            list(Faceset(folder))
        (folder / "a").mkdir()
        (folder / "a" / "faceset.pak").write_bytes(b"x")
        with pytest.raises(InputError, match="pip install mien-dfl"):
            Faceset(folder / "a")

    def test_edited_pictures_take_what_was_saved(self, folder: Path) -> None:
        path = folder / "00001_0.jpg"
        parts = take_apart(path.read_bytes(), "")
        metadat.write_meta(folder / "meta.dat", {path.name: ((64, 64, 3), parts.info or {})})
        path.write_bytes(jpeg(128))
        image, record = store(folder).read(path)
        assert (image.shape, record.size) == ((128, 128, 3), 128)
        seen = transform(record.matrix, record.frame_landmarks)
        assert np.abs(seen - record.landmarks).max() < 1e-3

    @pytest.mark.parametrize("name", ["a b.jpg", "größe 顔.jpg", "x" * 200 + ".jpg"])
    def test_names_may_be_long_and_strange(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_bytes(face_file(info_of()))
        (face,) = Faceset(tmp_path, store(tmp_path)).files()
        with PakWriter(tmp_path / "back") as writer:
            writer.add(face)
        assert [path.name for path in store(tmp_path / "back").paths] == [name]


class TestMeaning:
    def test_an_old_face_says_little(self) -> None:
        points = info_of()["landmarks"]
        record = to_record({"landmarks": points}, 64, 64, "")
        assert record.face_type is FaceType.FULL
        assert np.allclose(record.frame_landmarks, record.landmarks)
        known = to_record(
            {k: v for k, v in info_of().items() if k != "image_to_face_mat"}, 64, 64, ""
        )
        assert np.allclose(known.matrix, info_of()["image_to_face_mat"], atol=0.05)

    def test_landmarks_are_believed_where_the_matrix_was_left_behind(self) -> None:
        info = info_of()
        info["landmarks"] = (np.array(info["landmarks"]) * 2).tolist()
        record = to_record(info, 128, 128, "")
        seen = transform(record.matrix, record.frame_landmarks)
        assert np.abs(seen - record.landmarks).max() < 0.05

    @pytest.mark.parametrize(
        ("key", "value", "words"),
        [
            ("face_type", "mark_only", "is a whole frame"),
            ("face_type", "quarter", "its face type is 'quarter'"),
            ("landmarks", None, "has no landmarks"),
            ("landmarks", [[1.0, 2.0]], "must be a table of 68 rows"),
            ("landmarks", [["1", "2"]] * 68, "no place in a picture"),
            ("landmarks", [[float("nan"), 2.0]] * 68, "no place in a picture"),
            ("source_landmarks", [[1.0, 2.0, 3.0]] * 68, "a table of 2 columns"),
            ("image_to_face_mat", np.zeros((2, 3)), "cannot be inverted"),
            ("source_rect", [1, 2], "must be four numbers"),
            ("seg_ie_polys", {"polys": [{"type": 7, "pts": []}]}, "of the kind 7"),
            ("xseg_mask", np.zeros(3), "is no picture"),
        ],
    )
    def test_what_cannot_be_is_said(self, key: str, value: Any, words: str) -> None:
        with pytest.raises(InputError, match=words):
            to_record(info_of() | {key: value}, 64, 64, "face 'x'")

    def test_what_was_changed_here_goes_back_changed(self) -> None:
        record = to_record(info_of() | {"old": (1, b"x")}, 64, 64, "")
        bigger = record.resized(128)
        info, _ = to_info(bigger, "")
        assert np.allclose(info["landmarks"], bigger.landmarks)
        assert info["source_filename"] == "00007.png"
        assert info["old"] == (1, b"x")

    def test_a_face_of_ours_becomes_one_of_theirs(self, tmp_path: Path) -> None:
        record = to_record(info_of(), 64, 64, "")
        shapes = [{"label": "include", "points": [[1, 2], [30, 2], [9, 40]]}]
        ours = FaceRecord(
            face_type=FaceType.WHOLE,
            size=64,
            matrix=record.matrix,
            landmarks=record.landmarks,
            frame_landmarks=record.frame_landmarks,
            box=(1.4, 2.0, 3.6, 4.0),
            frame_index=41,
            masks={"drawn": encode_mask(np.ones((64, 64, 1), np.float32))},
            extra={POLYGONS: {"size": 32, "shapes": shapes}},
        )
        png = bytes(cv2.imencode(".png", picture(64, 64).astype(np.uint16) * 257)[1])
        writer = JpegWriter(tmp_path)
        assert writer.add(FaceFile(name="a", data=png, record=ours))
        assert not writer.add(FaceFile(name="a", data=png, record=ours))
        assert len(writer.notes) == 1
        info = take_apart((tmp_path / "a.jpg").read_bytes(), "").info
        assert info is not None
        assert info["source_filename"] == "00042.png"
        assert info["source_rect"].tolist() == [1, 2, 4, 4]
        assert info["seg_ie_polys"]["polys"][0]["pts"].tolist()[1] == [60, 4]
        assert decode_mask(info["xseg_mask"].tobytes(), 256).min() == 1
        back = store(tmp_path).record(tmp_path / "a.jpg")
        assert np.array_equal(back.landmarks, ours.landmarks)

    def test_metadata_too_large_for_a_jpeg_is_refused_and_no_file_is_harmed(self) -> None:
        with pytest.raises(InputError, match="JPEG files hold 65533"):
            put_together(jpeg(), info_of() | {"x": b"0" * MOST_PAYLOAD}, 3, "face 'x'")

    def test_half_a_character_in_a_name_goes_there_and_back(self, tmp_path: Path) -> None:
        info = info_of() | {"source_filename": "a\ud8001.png"}
        (tmp_path / "a.jpg").write_bytes(face_file(info))
        (face,) = Faceset(tmp_path, store(tmp_path)).files()
        (tmp_path / "ours.jpg").write_bytes(with_record(face))
        again = to_info(read_file(tmp_path / "ours.jpg").record, "")[0]
        assert again["source_filename"] == "a\ud8001.png"

    def test_a_broken_extra_is_no_obstacle(self) -> None:
        record = to_record(info_of(), 64, 64, "")
        for extra in ({"dfl": 3}, {"dfl": {"info": {"landmarks": {"rows": 1}}}}, {"polygons": 4}):
            changed = to_info(FaceRecord(**{**_fields(record), "extra": extra}), "")[0]
            assert changed["face_type"] == "whole_face"


def _fields(record: FaceRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in FaceRecord.__slots__}


@settings(max_examples=60)
@given(data=st.data())
def test_flipped_and_cut_files_are_read_or_refused(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    raw = bytearray(face_file(info_of(48), 48))
    for place in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=4)):
        raw[place] ^= 1 << data.draw(st.integers(0, 7))
    del raw[data.draw(st.integers(0, len(raw))) :]
    folder = tmp_path_factory.mktemp("flipped")
    (folder / "a.jpg").write_bytes(raw)
    found = mien_dfl.mien_open_faceset(path=folder)
    try:
        for face in Faceset(folder, found):
            assert face.image.shape == (face.record.size, face.record.size, 3)
    except InputError:
        return


def test_a_picture_of_ours_keeps_its_pixels_on_the_way(tmp_path: Path) -> None:
    record = to_record(info_of(), 64, 64, "")
    path = write_face(tmp_path, "a", picture(64, 64), record)
    JpegWriter(tmp_path / "theirs").add(read_file(path))
    image, _ = store(tmp_path / "theirs").read(tmp_path / "theirs" / "a.jpg")
    assert np.array_equal(image, read_face(path)[0])


class TestSavedMetadata:
    def test_pictures_that_lost_it_take_it_from_the_file(
        self, folder: Path, tmp_path: Path
    ) -> None:
        before = [record for _, record in Faceset(folder, store(folder)).records()]
        with MetaWriter(folder) as writer:
            assert all([writer.add(face) for face in Faceset(folder, store(folder)).files()])
        for number, path in enumerate(sorted(folder.glob("*.jpg"))):
            path.write_bytes(jpeg(128, seed=number))  # edited elsewhere, twice as large
        after = [record for _, record in Faceset(folder, store(folder)).records()]
        assert [each.size for each in after] == [128] * 3
        for one, other in zip(before, after, strict=True):
            np.testing.assert_allclose(other.landmarks, one.resized(128).landmarks, atol=1e-3)
            np.testing.assert_array_equal(other.frame_landmarks, one.frame_landmarks)

    def test_two_people_of_one_name_are_not_mixed_up(self, folder: Path, tmp_path: Path) -> None:
        (face, *_) = Faceset(folder, store(folder)).files()
        writer = MetaWriter(tmp_path / "saved")
        writer.add(face)
        with pytest.raises(InputError, match="another face has this name"):
            writer.add(face)
