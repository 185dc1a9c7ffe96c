"""Facesets: what is written is read, what is damaged is named, every viewer still sees a face."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mien.errors import InputError, OutputError
from mien.faceset import (
    FaceRecord,
    Faceset,
    decode_mask,
    encode_mask,
    pictures,
    read_face,
    read_file,
    read_record,
    with_record,
    write_face,
)
from mien.faceset.kept import keep, kept
from mien.faceset.record import from_json, to_json
from mien.types import FaceType

QUIET = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def picture(size: int = 48, dtype: type = np.uint8) -> np.ndarray:
    top = np.iinfo(dtype).max
    y, x = np.mgrid[0:size, 0:size] / size
    return (np.stack([x, y, 1 - x], axis=-1) * top).astype(dtype)


def record(size: int = 48, **changes: object) -> FaceRecord:
    rng = np.random.default_rng(3)
    values = {
        "face_type": FaceType.FULL,
        "size": size,
        "matrix": np.array([[0.31, 0.02, -7.125], [-0.02, 0.31, 3.5]]),
        "landmarks": rng.uniform(0, size, (68, 2)).astype(np.float32),
        "frame_landmarks": rng.uniform(0, 2000, (68, 2)).astype(np.float32),
        "box": (10.5, 20.0, 300.25, 400.0),
        "clip": "clips/größe 1.mov",
        "fingerprint": "ab" * 32,
        "frame_index": 12,
        "pts": 1 << 40,
        "time_base": Fraction(1001, 30000),
        "face_index": 1,
        "score": 0.97,
        "track": 4,
        "masks": {"bisenet": encode_mask(np.full((size, size, 1), 0.6, np.float32))},
        "pose": (1.5, -20.0, 3.0),
        "extra": {"note": "kept", "numbers": [1, 2.5, None]},
    }
    return FaceRecord(**(values | changes))  # type: ignore[arg-type]


def complaints(read: Callable[..., object], *args: object) -> list[str]:
    """What an InputError says, nothing where there is none; any other error goes on."""
    try:
        read(*args)
    except InputError as error:
        return [str(error)]
    return []


@pytest.mark.parametrize(
    ("format", "dtype"), [("jpg", np.uint8), ("png", np.uint8), ("png", np.uint16)]
)
def test_a_written_face_is_read_back_with_all_that_is_known(
    tmp_path: Path, format: str, dtype: type
) -> None:
    wanted = record()
    path = write_face(tmp_path, "face_1", picture(dtype=dtype), wanted, format=format)
    image, seen = read_face(path)
    assert to_json(seen) == to_json(wanted)
    assert seen.landmarks.dtype == np.float32
    assert np.array_equal(seen.landmarks, wanted.landmarks)
    assert image.dtype == dtype
    if format == "png":
        assert np.array_equal(image, picture(dtype=dtype))
    else:
        assert np.abs(image.astype(int) - picture()).mean() < 3


@pytest.mark.parametrize("format", ["jpg", "png"])
def test_the_metadata_changes_no_pixel_and_any_reader_opens_the_picture(
    tmp_path: Path, format: str
) -> None:
    path = write_face(tmp_path, "a", picture(), record(), format=format)
    plain = cv2.imdecode(
        cv2.imencode(f".{format}", picture(), [cv2.IMWRITE_JPEG_QUALITY, 95])[1], 1
    )
    assert np.array_equal(cv2.imread(str(path)), plain)


def test_metadata_larger_than_one_jpeg_segment_is_split_and_joined(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).random((300, 300, 1)).astype(np.float32)
    wanted = record(masks={"a": encode_mask(noise), "b": encode_mask(1 - noise)})
    path = write_face(tmp_path, "a", picture(), wanted)
    assert path.read_bytes().count(b"mien\0") > 2
    assert to_json(read_record(path)) == to_json(wanted)


def test_a_mask_comes_back_at_the_size_that_is_asked_for() -> None:
    mask = np.zeros((32, 32, 1), np.float32)
    mask[8:24, 8:24] = 1
    seen = decode_mask(encode_mask(mask), 64)
    assert seen.shape == (64, 64, 1)
    assert seen[32, 32, 0] == 1
    assert seen[2, 2, 0] == 0


def test_a_face_that_another_program_enlarged_keeps_its_record_in_its_new_size(
    tmp_path: Path,
) -> None:
    wanted = record(48)
    write_face(tmp_path, "a", picture(96), wanted.resized(96))
    scaled = read_record(tmp_path / "a.jpg")
    # The text still speaks of the old size where only the pixels were scaled.
    text = to_json(wanted)
    from mien.faceset.container import embed_png

    big = cv2.imencode(".png", picture(96))[1].tobytes()
    (tmp_path / "b.png").write_bytes(embed_png(big, text))
    seen = read_record(tmp_path / "b.png")
    assert seen.size == 96
    assert np.allclose(seen.landmarks, scaled.landmarks, atol=1e-4)
    # The corner (-0.5, -0.5) of the picture stays its corner.
    inverse = np.linalg.inv(np.vstack([wanted.matrix, [0, 0, 1]]))
    corner = (inverse @ [-0.5, -0.5, 1])[:2]
    assert np.allclose(seen.matrix[:, :2] @ corner + seen.matrix[:, 2], -0.5)


def test_a_name_that_is_no_unicode_is_written_and_read_back(tmp_path: Path) -> None:
    """A clip's name may hold any byte; a half of a character stands for it."""
    write_face(tmp_path, "a", picture(), record(clip="clip\udcff.mp4"))
    assert read_record(tmp_path / "a.jpg").clip == "clip\udcff.mp4"


def test_unknown_keys_of_the_metadata_survive_in_extra() -> None:
    values = json.loads(to_json(record())) | {"mood": "cheerful"}
    seen = from_json(json.dumps(values), "x")
    assert seen.extra["mood"] == "cheerful"
    assert seen.extra["note"] == "kept"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2}, "written by a later mien (metadata version 2, this one knows 1)"),
        ({"size": 0}, "metadata 'size' is damaged (must be 1..8192 pixels, is 0)"),
        ({"time_base": "1/0"}, "metadata 'time_base' is damaged"),
        ({"face_type": "nose"}, "metadata 'face_type' is damaged"),
        ({"landmarks": [[1, 2]]}, "metadata 'landmarks' is damaged (must be a list of 68 rows)"),
        ({"masks": {"a": "!"}}, "metadata 'masks' is damaged (a mask is no base64"),
        (
            {"matrix": [[1e300, 0, 0], [0, 1, 0]]},
            "holds a number that no picture is large enough for",
        ),
    ],
)
def test_a_wrong_value_is_named(change: dict[str, object], words: str) -> None:
    text = json.dumps(json.loads(to_json(record())) | change)
    with pytest.raises(InputError) as error:
        from_json(text, "face 'a.jpg'")
    assert str(error.value).startswith("face 'a.jpg': ")
    assert words in str(error.value)


def test_a_missing_value_is_named() -> None:
    values = json.loads(to_json(record()))
    del values["box"], values["matrix"]
    with pytest.raises(InputError, match="its metadata lacks matrix, box"):
        from_json(json.dumps(values), "x")


def test_a_face_of_16_bit_does_not_go_into_a_jpeg(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="a JPEG holds 8 bits"):
        write_face(tmp_path, "a", picture(dtype=np.uint16), record())
    assert not list(tmp_path.iterdir())


def test_a_face_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_face(tmp_path, "a", picture(), record())
    before = path.read_bytes()

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match="no space left on the disk"):
        write_face(tmp_path, "a", picture() // 2, record())
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.jpg"]


def test_faces_are_counted_as_a_person_counts(tmp_path: Path) -> None:
    for name in ("f10", "f2", "F1"):
        write_face(tmp_path, name, picture(), record())
    (tmp_path / ".f3.jpg.12ab").write_bytes(b"interrupted")
    (tmp_path / "notes.txt").write_text("no face")
    faces = Faceset(tmp_path)
    assert len(faces) == 3
    assert [face.path.stem for face in faces] == ["F1", "f2", "f10"]
    assert [path.stem for path, _ in faces.records()] == ["F1", "f2", "f10"]
    assert faces.notes == []


def test_damaged_and_foreign_pictures_are_skipped_and_named_once(tmp_path: Path) -> None:
    good = write_face(tmp_path, "a", picture(), record())
    (tmp_path / "b.jpg").write_bytes(good.read_bytes()[:-400])
    cv2.imwrite(str(tmp_path / "c.png"), picture())
    faces = Faceset(tmp_path)
    for _ in range(2):
        assert [face.path.name for face in faces] == ["a.jpg"]
    assert len(faces.notes) == 2
    assert "b.jpg': the picture breaks off" in faces.notes[0]
    assert "c.png': carries no metadata of mien" in faces.notes[1]


def test_a_folder_without_any_face_is_an_error_that_says_why(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such folder"):
        Faceset(tmp_path / "none")
    with pytest.raises(InputError, match="holds no JPEG or PNG picture; fill it with"):
        Faceset(tmp_path)
    cv2.imwrite(str(tmp_path / "c.png"), picture())
    with pytest.raises(InputError, match=r"none of its 1 pictures is a readable face.*c\.png"):
        list(Faceset(tmp_path))


@pytest.mark.parametrize("format", ["jpg", "png"])
@QUIET
@given(data=st.data())
def test_a_damaged_file_raises_nothing_but_an_input_error(
    tmp_path: Path, format: str, data: st.DataObject
) -> None:
    path = write_face(tmp_path, "a", picture(16), record(16), format=format)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        bit = data.draw(st.integers(0, len(content) * 8 - 1))
        content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    for read in (read_record, read_face):
        assert all("a." in sentence for sentence in complaints(read, path))


@QUIET
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=9))
def test_any_json_in_place_of_a_value_is_an_input_error_or_a_record(value: object) -> None:
    values = json.loads(to_json(record()))
    for key in values:
        for sentence in complaints(from_json, json.dumps(values | {key: value}), "x"):
            assert sentence.startswith("x: ")


class TestFiles:
    @pytest.mark.parametrize("form", ["jpg", "png"])
    def test_a_file_is_the_picture_without_its_record(self, tmp_path: Path, form: str) -> None:
        path = write_face(tmp_path, "a", picture(), record(), format=form)  # type: ignore[arg-type]
        face = read_file(path)
        assert (face.name, face.suffix) == ("a", f".{form}")
        assert b"mien" not in face.data
        assert with_record(face) == path.read_bytes()

    def test_a_face_of_another_program_is_named(self, tmp_path: Path) -> None:
        jpeg = write_face(tmp_path, "a", picture(), record())
        plain = read_file(jpeg).data
        jpeg.write_bytes(plain[:2] + b"\xff\xef\x00\x06\x80\x03}." + plain[2:])
        with pytest.raises(InputError, match="face of DeepFaceLab; to read it: pip install mien-d"):
            read_face(jpeg)

    def test_a_mask_that_claims_gigabytes_is_refused(self) -> None:
        small = bytearray(encode_mask(np.ones((4, 4, 1), np.float32)))
        small[16:24] = struct.pack(">II", 60_000, 60_000)
        small[29:33] = struct.pack(">I", zlib.crc32(small[12:29]))
        with pytest.raises(InputError, match="60000x60000 pixels is refused"):
            decode_mask(bytes(small), 64)
        with pytest.raises(InputError, match="neither a JPEG nor a PNG"):
            decode_mask(b"no picture", 64)

    def test_a_chunk_that_never_comes_is_not_waited_for(self) -> None:
        small = bytearray(encode_mask(np.ones((4, 4, 1), np.float32)))
        small[33:37] = struct.pack(">I", 0x26000013)
        with pytest.raises(InputError, match="breaks off"):
            decode_mask(bytes(small), 64)


class TestKept:
    @pytest.mark.parametrize(
        "value",
        [
            None,
            [1, 2.5, "ü", b"\0", (), (1, (2,)), float("inf")],
            {"half": "a\ud800b", "\udfff": 1},
            {"rows": 1},
            {1: "a", "b": [[1.0, 2.0], [3.0, 4.0]]},
            np.float32(1.5),
            np.arange(6, dtype="<i4").reshape(2, 3),
        ],
    )
    def test_values_survive_json(self, value: Any) -> None:
        text = json.dumps(keep(value), ensure_ascii=False).encode()
        again = kept(json.loads(text))
        assert repr(again) == repr(value)

    @pytest.mark.parametrize("value", [{1}, 1 << 70, np.zeros(2, "c8"), object()])
    def test_what_cannot_be_kept_is_said(self, value: Any) -> None:
        with pytest.raises(TypeError):
            keep(value)

    @pytest.mark.parametrize(
        "value",
        [
            {"rows": "x"},
            {"rows": "AAAA", "shape": [9, 9]},
            {"array": "|O", "shape": [], "data": ""},
            {"bytes": 3},
            {"dict": 4},
            {"float": "x"},
        ],
    )
    def test_what_was_not_kept_by_us_is_refused(self, value: Any) -> None:
        with pytest.raises(ValueError):  # noqa: PT011  (any sentence will do)
            kept(value)


def test_only_files_that_can_be_there_are_listed(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    (tmp_path / "b.jpg").mkdir()
    (tmp_path / "c.jpg").symlink_to(tmp_path / "nowhere")
    (tmp_path / ".d.jpg").write_bytes(b"")
    (tmp_path / "e.JPEG").write_bytes(b"")
    assert [path.name for path in pictures(tmp_path)] == ["a.jpg", "e.JPEG"]
