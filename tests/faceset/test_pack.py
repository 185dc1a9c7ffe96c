"""A faceset in one file: the same faces, byte by byte; damage is told for the face that has it."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mien.errors import InputError, OutputError
from mien.faceset import FaceRecord, Faceset, Pack, write_face, write_pack
from mien.faceset.pack import is_safe
from mien.labels import of_face
from mien.types import FaceType

SIZE = 24
LABEL = json.dumps({"version": 1, "size": SIZE, "shapes": []}).encode()


def write(folder, name, number=0, form="jpg"):
    points = np.random.default_rng(number).uniform(0, SIZE, (68, 2)).astype(np.float32)
    record = FaceRecord(
        face_type=FaceType.FULL,
        size=SIZE,
        matrix=np.eye(2, 3),
        landmarks=points,
        frame_landmarks=points,
        box=(0.0, 0.0, 9.0, 9.0),
        frame_index=number,
    )
    image = np.random.default_rng(number).integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)
    return write_face(folder, name, image, record, format=form)


@pytest.fixture
def packed(tmp_path):
    folder = tmp_path / "faces ü"
    names = ["a 1", "名前", "x" * 150, "f_10", "f_9"]
    for number, name in enumerate(names):
        write(folder, name, number, "png" if number % 2 else "jpg")
    with write_pack(tmp_path / "made" / "all of it.zip") as add:
        for path in Faceset(folder).paths:
            add(path.name, path.read_bytes())
        add("labels/a 1.jpg.json", LABEL)
    return folder, tmp_path / "made" / "all of it.zip"


def test_a_pack_is_read_as_its_folder_was(packed):
    folder, path = packed
    one, other = Faceset(folder), Faceset(path)
    assert [each.name for each in other.paths] == [each.name for each in one.paths]
    for ours, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(ours.image, theirs.image)
        assert ours.record.frame_index == theirs.record.frame_index
    for ours, theirs in zip(one.files(), other.files(), strict=True):
        assert (ours.name, ours.data) == (theirs.name, theirs.data)
    drawn = {face.path.stem: face.record.extra.get("polygons") for face in other}
    assert drawn.pop("a 1") == {"size": SIZE, "shapes": []}
    assert set(drawn.values()) == {None}
    for (_, ours), (_, theirs) in zip(one.records(), other.records(), strict=True):
        np.testing.assert_array_equal(ours.landmarks, theirs.landmarks)


def test_bytes_come_back_and_any_program_can_open_it(packed):
    folder, path = packed
    pack = Pack(path)
    for name in pack.names[:-1]:
        assert pack.data(name) == (folder / name).read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 6


def test_the_same_faces_make_the_same_pack(packed, tmp_path):
    folder, path = packed
    with write_pack(tmp_path / "again.zip") as add:
        for each in Faceset(folder).paths:
            add(each.name, each.read_bytes())
        add("labels/a 1.jpg.json", LABEL)
    assert (tmp_path / "again.zip").read_bytes() == path.read_bytes()


def test_a_face_with_damaged_bytes_is_named_and_the_others_are_read(packed):
    _, path = packed
    data = bytearray(path.read_bytes())
    entry = Pack(path)._entries["f_9.jpg"]
    data[entry.start + 300] ^= 1
    path.write_bytes(bytes(data))
    faceset = Faceset(path)
    assert len(list(faceset)) == 4
    assert len(faceset.notes) == 1
    assert "f_9.jpg': its bytes in the pack are damaged" in faceset.notes[0]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is no whole faceset pack"),
        (b"PK\x05\x06" + bytes(18), "holds no JPEG or PNG picture at its top"),
        (b"GIF89a", "is no whole faceset pack"),
    ],
)
def test_a_file_that_is_no_pack_is_told(tmp_path, data, said):
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(InputError, match=said):
        Faceset(tmp_path / "a.zip")


def test_half_a_pack_is_told(packed):
    _, path = packed
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match="is no whole faceset pack"):
        Faceset(path)


def test_a_compressed_archive_is_refused_with_the_way_out(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", bytes(10000))
    with pytest.raises(InputError, match="unzip it, and pack the folder with 'mien faces pack'"):
        Faceset(tmp_path / "a.zip")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        *((name, True) for name in ("a.jpg", "labels/a.json", "..a", "名 前.png")),
        *((name, False) for name in ("", "/a", "../a", "a/../../b", "a\\b", "c:a", "a\0b")),
    ],
)
def test_names_that_lead_elsewhere_are_known(name, safe):
    assert is_safe(name) == safe


def test_names_that_lead_elsewhere_are_passed_over(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("../../evil.jpg", "/evil.jpg", "good.jpg"):
            archive.writestr(name, b"x")
    assert Pack(tmp_path / "a.zip").names == ("good.jpg",)


def test_a_file_without_a_name_is_passed_over(tmp_path):
    picture = write(tmp_path, "a").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo(""), b"what")
        archive.writestr("a.jpg", picture)
    assert Pack(tmp_path / "a.zip").names == ("a.jpg",)


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    def stop():
        with write_pack(tmp_path / "a.zip") as add:
            add("a.jpg", b"x")
            raise KeyError

    with pytest.raises(KeyError):
        stop()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot be written"), write_pack(tmp_path / "file/a.zip"):
        pass


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_change_of_a_byte_makes_a_wrong_face_or_another_error(tmp_path, data):
    path = tmp_path / "a.zip"
    if not path.exists():
        source = write(tmp_path / "faces", "a")
        with write_pack(path) as add:
            add("a.jpg", source.read_bytes())
            add("labels/a.jpg.json", LABEL)
    whole = path.read_bytes()
    changed = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(whole) - 1))
        changed[place] = data.draw(st.integers(0, 255))
    other = tmp_path / "b.zip"
    other.write_bytes(bytes(changed))
    original = next(iter(Faceset(path)))
    try:
        for face in Faceset(other):
            np.testing.assert_array_equal(face.image, original.image)
    except InputError:
        pass


@pytest.mark.parametrize("label", [b"", b"[]", b"{}", b"[" * 99999])
def test_a_damaged_drawing_is_told_to_whoever_asks_for_drawings(tmp_path, label):
    source = write(tmp_path / "faces", "a")
    with write_pack(tmp_path / "a.zip") as add:
        add("a.jpg", source.read_bytes())
        add("labels/a.jpg.json", label)
    (face,) = Faceset(tmp_path / "a.zip")
    with pytest.raises(InputError, match="its polygons are damaged"):
        of_face(face.path, face.record)
