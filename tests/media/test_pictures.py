"""Pictures as clips: which files, in which order, in which depth."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mien.errors import InputError
from mien.media.contact import save_picture
from mien.media.files import natural_key
from mien.media.pictures import PictureSource


def grey(value: int, height: int = 6, width: int = 8) -> Any:
    return np.full((height, width, 3), value, np.uint8)


def values(source: PictureSource) -> list[int]:
    return [int(frame.image[0, 0, 0]) for frame in source.frames()]


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """A folder with shot_1, shot_2 and shot_10 (grey 1, 2, 10) and things that are no pictures."""
    folder = tmp_path / "shots"
    folder.mkdir()
    for n in (10, 2, 1):
        save_picture(folder / f"shot_{n}.png", grey(n))
    (folder / "notes.txt").write_text("not a picture")
    (folder / "._shot_1.png").write_bytes(b"a system's own file")
    return folder


def test_a_folder_is_read_in_natural_order(shots: Path) -> None:
    source = PictureSource(shots)
    frames = list(source.frames())
    assert [frame.name for frame in frames] == ["shot_1", "shot_2", "shot_10"]
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert [frame.seconds for frame in frames] == [0, Fraction(1, 25), Fraction(2, 25)]
    info = source.info
    assert (info.width, info.height, info.frames, info.still) == (8, 6, 3, True)
    assert source.notes == []


def test_a_glob_chooses_pictures(shots: Path) -> None:
    assert values(PictureSource(shots / "shot_1*.png")) == [1, 10]
    with pytest.raises(InputError, match="no picture has a name like this"):
        PictureSource(shots / "take_*.png")


def test_a_pattern_takes_the_numbers_in_order_and_notes_gaps(shots: Path) -> None:
    source = PictureSource(shots / "shot_%d.png")
    assert values(source) == [1, 2, 10]
    assert source.notes == [
        f"{shots}/shot_%d.png: 7 of the numbers 1 to 10 are missing; "
        "the frames are joined without a gap"
    ]
    with pytest.raises(InputError, match="has a name like this"):
        PictureSource(shots / "shot_%05d.png")


def test_one_picture_is_a_clip_of_one_frame(shots: Path) -> None:
    source = PictureSource(shots / "shot_2.png")
    assert values(source) == [2]
    assert source.info.frames == 1


def test_start_stop_and_step_choose_pictures(shots: Path) -> None:
    source = PictureSource(shots)
    assert [frame.index for frame in source.frames(0, 99, 2)] == [0, 2]
    assert [frame.index for frame in source.frames(1, 2)] == [1]


def test_every_picture_keeps_its_own_size(shots: Path) -> None:
    save_picture(shots / "shot_11.png", grey(11, 20, 30))
    assert [frame.image.shape for frame in PictureSource(shots).frames()][-1] == (20, 30, 3)


@pytest.mark.parametrize("content", [b"", b"no picture at all"])
def test_an_unreadable_picture_is_skipped_with_a_note(shots: Path, content: bytes) -> None:
    (shots / "shot_2.png").write_bytes(content)
    source = PictureSource(shots)
    assert [frame.index for frame in source.frames()] == [0, 2]
    (note,) = source.notes
    assert note.startswith(f"{shots}/shot_2.png: ")
    assert note.endswith("; it is skipped")


def test_no_readable_picture_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the folder holds no pictures"):
        PictureSource(tmp_path)
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(InputError) as error:
        PictureSource(tmp_path / "a.png")
    assert str(error.value) == f"{tmp_path}/a.png: the picture is empty (0 bytes)"
    (tmp_path / "b.png").write_bytes(b"x")
    with pytest.raises(InputError, match="none of the 2 pictures can be read"):
        PictureSource(tmp_path)


@pytest.mark.parametrize(
    ("name", "stored", "expected"),
    [
        ("grey.png", np.full((4, 5), 7, np.uint8), np.full((4, 5, 3), 7, np.uint8)),
        ("alpha.png", np.full((4, 5, 4), (1, 2, 3, 0), np.uint8),
         np.full((4, 5, 3), (1, 2, 3), np.uint8)),
        ("deep.png", np.full((4, 5, 3), 40000, np.uint16), np.full((4, 5, 3), 40000, np.uint16)),
        ("grey16.tif", np.full((4, 5), 513, np.uint16), np.full((4, 5, 3), 513, np.uint16)),
        ("float.tif", np.full((4, 5, 3), 1.25, np.float32), np.full((4, 5, 3), 1.25, np.float32)),
    ],
)  # fmt: skip
def test_every_kind_of_picture_becomes_bgr_in_its_own_depth(
    tmp_path: Path, name: str, stored: Any, expected: Any
) -> None:
    path = tmp_path / name
    path.write_bytes(bytes(cv2.imencode(path.suffix, stored)[1]))
    source = PictureSource(path)
    (frame,) = source.frames()
    assert frame.image.dtype == expected.dtype
    assert np.array_equal(frame.image, expected)
    assert (
        frame.bits
        == source.info.bits
        == {"uint8": 8, "uint16": 16, "float32": 32}[expected.dtype.name]
    )


def test_a_photograph_taken_sideways_is_shown_upright(tmp_path: Path) -> None:
    picture = np.zeros((16, 32, 3), np.uint8)
    picture[:, :16] = 255
    jpeg = bytes(cv2.imencode(".jpg", picture)[1])
    # An EXIF segment with a single entry: orientation 6, to be turned a quarter clockwise.
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)
    exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4)
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    (tmp_path / "side.jpg").write_bytes(jpeg[:2] + segment + jpeg[2:])
    (frame,) = PictureSource(tmp_path / "side.jpg").frames()
    assert frame.image.shape == (32, 16, 3)
    assert frame.image[:12].min() > 200
    assert frame.image[20:].max() < 50


@given(st.lists(st.integers(0, 10**6), unique=True))
def test_numbers_in_names_sort_by_value(numbers: list[int]) -> None:
    names = sorted((f"take {n} b" for n in numbers), key=natural_key)
    assert names == [f"take {n} b" for n in sorted(numbers)]


@given(st.lists(st.text(max_size=8)))
def test_any_names_can_be_sorted(names: list[str]) -> None:
    assert sorted(sorted(names, key=natural_key), key=natural_key) == sorted(names, key=natural_key)
