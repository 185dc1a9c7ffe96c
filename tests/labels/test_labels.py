"""Labels: what is drawn becomes a mask, a file and a picture, and comes back as it was."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mien.errors import InputError
from mien.faceset import POLYGONS, FaceRecord
from mien.geometry import crop_matrix, invert, transform
from mien.labels import (
    EXCLUDE,
    INCLUDE,
    Label,
    Shape,
    companions,
    draw_label,
    from_labelme,
    label_path,
    of_face,
    rasterise,
    read_label,
    remove_label,
    to_labelme,
    with_polygons,
    write_label,
)
from mien.labels.shapes import label_of
from mien.testing.fakes import face_at
from mien.types import FaceType

SQUARE = np.array([(8.0, 8.0), (24.0, 8.0), (24.0, 24.0), (8.0, 24.0)])
HOLE = np.array([(12.0, 12.0), (20.0, 12.0), (20.0, 20.0), (12.0, 20.0)])


def label(size: int = 32) -> Label:
    return Label(size=size, shapes=(Shape(EXCLUDE, HOLE), Shape(INCLUDE, SQUARE)))


def record(size: int = 32, **extra: object) -> FaceRecord:
    points = face_at(100, 90, 60).landmarks
    matrix = crop_matrix(points, FaceType.FULL, size)
    assert np.allclose(transform(invert(matrix), transform(matrix, points)), points, atol=1e-3)
    return FaceRecord(
        face_type=FaceType.FULL,
        size=size,
        matrix=matrix,
        landmarks=transform(matrix, points).astype(np.float32),
        frame_landmarks=points,
        box=(60, 50, 140, 130),
        extra=extra,
    )


# --- masks --------------------------------------------------------------------------------------


def test_a_square_covers_its_pixels_and_a_hole_takes_its_own_away():
    mask = rasterise(label(), 32)
    assert mask.shape == (32, 32, 1)
    assert mask.dtype == np.float32
    assert mask.sum() == pytest.approx(16 * 16 - 8 * 8, rel=0.1)
    assert mask[9, 9] == 1
    assert mask[16, 16] == 0
    assert mask[4, 4] == 0


def test_what_is_excluded_is_out_wherever_it_stands_in_the_list():
    one, other = label(), Label(size=32, shapes=label().shapes[::-1])
    np.testing.assert_array_equal(rasterise(one, 32), rasterise(other, 32))


def test_an_edge_through_a_pixel_covers_part_of_it():
    half = Shape(INCLUDE, np.array([(0.0, 0.0), (4.5, 0.0), (4.5, 8.0), (0.0, 8.0)]))
    row = rasterise(Label(size=8, shapes=(half,)), 8)[4, :, 0]
    assert row[3] == 1
    assert 0.4 <= row[4] <= 0.8
    assert row[6] == 0


@given(size=st.integers(8, 96))
@settings(max_examples=20, deadline=None)
def test_the_mask_is_the_same_at_any_size(size):
    mask = rasterise(label(), size)
    share = (16 * 16 - 8 * 8) / 32**2
    assert mask.mean() == pytest.approx(share, abs=3 / size)
    again = rasterise(label().resized(size), size)
    np.testing.assert_allclose(mask, again, atol=0.3)


@given(
    points=st.lists(
        st.tuples(*[st.floats(-1e9, 1e9, allow_nan=False)] * 2), min_size=1, max_size=12
    )
)
@settings(max_examples=40, deadline=None)
def test_any_points_make_a_mask_and_a_picture(points):
    wild = Label(size=16, shapes=(Shape(INCLUDE, np.array(points)),))
    mask = rasterise(wild, 16)
    assert np.isfinite(mask).all()
    assert draw_label(np.zeros((16, 16, 3), np.uint8), wild, mask).shape == (16, 16, 3)


def test_the_mask_is_deepfacelabs_but_for_pixels_at_the_outline(shared: Callable[[str], Path]):
    """It cuts coordinates down to whole pixels and fills every pixel that the outline touches."""
    import cv2

    data = np.load(shared("golden/dfl-image/masks.npz"))
    wanted = np.unpackbits(data["poly_mask_packed"])[: 128 * 128].reshape(128, 128)
    shapes = tuple(
        Shape(INCLUDE if kind else EXCLUDE, points.astype(np.float64))
        for kind, points in zip(data["poly_types"], data["poly_pts"], strict=True)
    )
    found = rasterise(Label(size=128, shapes=shapes), 128)[..., 0] >= 0.5
    outline = np.zeros((128, 128), np.uint8)
    for shape in shapes:
        cv2.polylines(outline, [np.floor(shape.points).astype(np.int32)], True, 1, 3)
    different = found != wanted
    assert not (different & (outline == 0)).any()
    assert different.mean() < 0.03


# --- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.jpg", "größe und raum.png", "顔" * 60 + ".jpg"])
def test_a_file_gives_back_what_was_drawn(tmp_path, name):
    face = tmp_path / name
    path = write_label(face, label())
    assert path == label_path(face) == tmp_path / "labels" / f"{name}.json"
    assert read_label(path).plain() == label().plain()
    assert json.loads(path.read_text(encoding="utf-8"))["face"] == name
    assert remove_label(face)
    assert not remove_label(face)


def test_a_face_has_its_file_else_its_metadata_else_nothing(tmp_path):
    face, other = tmp_path / "a.jpg", label(64)
    plain = record()
    assert of_face(face, plain) is None
    drawn = with_polygons(plain, other)
    assert of_face(face, drawn).plain() == other.plain()
    write_label(face, label())
    assert of_face(face, drawn).plain() == label().plain()
    write_label(face, Label(size=32, shapes=()))
    assert of_face(face, drawn) is None


def test_beside_the_faces_of_a_pack_lies_no_drawing(tmp_path):
    (tmp_path / "faces.zip").write_bytes(b"")
    face = tmp_path / "faces.zip" / "a.jpg"
    assert of_face(face, record()) is None
    assert of_face(face, with_polygons(record(), label())).plain() == label().plain()
    assert companions(face, tmp_path / "b.jpg") == []


def test_the_files_of_a_picture_are_named_with_their_new_places(tmp_path):
    face, becomes = tmp_path / "a 1.jpg", tmp_path / "trash" / "00007.jpg"
    assert companions(face, becomes) == []
    write_label(face, label())
    (tmp_path / "a 1.json").write_text("{}")
    assert companions(face, becomes) == [
        (tmp_path / "labels" / "a 1.jpg.json", tmp_path / "trash" / "labels" / "00007.jpg.json"),
        (tmp_path / "a 1.json", tmp_path / "trash" / "00007.json"),
    ]


def test_polygons_of_another_program_may_have_few_points(tmp_path):
    shapes = [{"label": "include", "points": [[1.0, 2.0]]}, {"label": "exclude", "points": []}]
    found = of_face(tmp_path / "a.jpg", record(**{POLYGONS: {"size": 32, "shapes": shapes}}))
    assert found.includes == found.excludes == 1
    assert rasterise(found, 32).sum() < 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ("[]", "holds no table"),
        ('{"size": 32}', "'shapes' must be a list"),
        ('{"size": 0, "shapes": []}', "must be 1..8192 pixels"),
        ('{"size": 1e9, "shapes": []}', "whole number of pixels"),
        ('{"version": 9, "size": 32, "shapes": []}', "written by a later mien (version 9"),
        ('{"size": 32, "shapes": [1]}', "shape 0 is no table"),
        ('{"size": 32, "shapes": [{"label": "include", "points": [[1, 2]]}]}', "has 1 points"),
        (
            '{"size": 32, "shapes": [{"label": "hair", "points": [[1, 2], [3, 4], [5, 6]]}]}',
            "must be include or exclude",
        ),
        (
            '{"size": 32, "shapes": [{"label": "include", "points": [[1, 2], [NaN, 4], [5, 6]]}]}',
            "no place in a picture",
        ),
        (
            '{"size": 32, "shapes": [{"label": "include", "points": '
            f"[[1, 2], [1{'0' * 400}, 4], [5, 6]]}}]}}",
            "shape 0: int too large",
        ),
        (
            '{"size": 32, "shapes": [{"label": "include", "points": [[1, 2], [3], [5, 6]]}]}',
            "table of 2 columns",
        ),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(tmp_path, text, words):
    path = tmp_path / "a.jpg.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"a\.jpg\.json") as caught:
        read_label(path)
    assert words in str(caught.value)


@given(value=st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["size", "shapes", "label", "points", "imageWidth", "imageHeight"]),
        inner,
        max_size=5,
    ),
    max_leaves=20,
))  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_any_json_is_a_drawing_or_a_sentence(value):
    for read in (label_of, from_labelme):
        with contextlib.suppress(ValueError):
            assert isinstance(read(value), Label)


# --- LabelMe ------------------------------------------------------------------------------------


def test_labelme_gives_back_what_it_got():
    told = json.loads(json.dumps(to_labelme(label(), "a.jpg")))
    assert told["imagePath"] == "a.jpg"
    assert from_labelme(told).plain() == label().plain()


def test_labelmes_rectangles_and_circles_become_polygons():
    told = to_labelme(label(), "a.jpg")
    told["shapes"] = [
        {"label": "Face", "shape_type": "rectangle", "points": [[8, 8], [24, 24]]},
        {"label": "hole", "shape_type": "circle", "points": [[16, 16], [20, 16]]},
    ]
    mask = rasterise(from_labelme(told), 32)
    assert mask.sum() == pytest.approx(256 - np.pi * 16, rel=0.1)


def test_an_unknown_word_of_labelmes_is_asked_about():
    told = to_labelme(label(), "a.jpg")
    told["shapes"][0]["label"] = "Hair"
    with pytest.raises(ValueError, match="labelled 'hair'; say what that means with --include"):
        from_labelme(told)
    found = from_labelme(told, include={"hair", "include"}, exclude={"exclude"})
    assert found.includes == 1


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("imageHeight", 20, "a face is square"),
        ("shapes", [{"label": "face", "shape_type": "line", "points": [[1, 2]]}], "is a 'line'"),
        ("shapes", [{"label": "face", "points": [[1, 2]]}], "is a polygon of 1 points"),
        ("shapes", [{"label": "face", "shape_type": [1], "points": []}], r"is a \[1\]"),
    ],
)
def test_a_file_of_labelmes_that_fits_no_face_is_refused(key, value, words):
    with pytest.raises(ValueError, match=words):
        from_labelme(to_labelme(label(), "a.jpg") | {key: value})
