"""What is known of a face is drawn where it is, at any size."""

from __future__ import annotations

import numpy as np
import pytest
from mien.curation import draw_record
from mien.errors import InputError
from mien.faceset import encode_mask, read_face
from mien.labels import Label, Shape
from mien.types import FaceType, replace

from .conftest import SIZE, write_one


@pytest.fixture
def face(tmp_path):
    image, record = read_face(write_one(tmp_path, "a", 1))
    return np.full_like(image, 128), record


def coloured(picture, blue, green, red):
    """Where a picture shows about this colour."""
    return (np.abs(picture.astype(int) - (blue, green, red)).max(axis=-1) < 60).nonzero()


@pytest.mark.parametrize("side", [SIZE, 3 * SIZE])
def test_landmarks_lie_where_the_face_has_them(face, side):
    image, record = face
    drawn = draw_record(image, record, side, FaceType.FULL)
    assert drawn.shape == (side, side, 3)
    y, x = coloured(drawn, 0, 255, 0)
    points = record.resized(side).landmarks
    inside = points[((points > 2) & (points < side - 2)).all(axis=1)]
    for px, py in inside:
        assert np.hypot(x - px, y - py).min() < 2


def test_the_edge_of_a_mask_and_the_dark_outside(face):
    image, record = face
    mask = np.zeros((SIZE, SIZE, 1), np.float32)
    mask[40:60, 40:60] = 1
    drawn = draw_record(
        image, replace(record, masks={"m": encode_mask(mask)}), 2 * SIZE, FaceType.WHOLE
    )
    y, _ = coloured(drawn, 0, 140, 255)
    low, high = np.percentile(y, (5, 95))
    assert (low, high) == pytest.approx((80, 119), abs=4)
    assert drawn[30, 20:30].mean() < 90


def test_polygons_are_drawn_in_their_colours(face):
    image, record = face
    square = np.array([[10, 10], [90, 10], [90, 90], [10, 90]], np.float64)
    label = Label(size=SIZE, shapes=(Shape("exclude", square),))
    drawn = draw_record(image, record, SIZE, FaceType.FULL, label)
    assert abs(int(drawn[89, 50, 2]) - 255) < 60


def test_a_damaged_mask_is_told(face):
    image, record = face
    with pytest.raises(InputError, match="mask"):
        draw_record(image, replace(record, masks={"m": b"no"}), SIZE, FaceType.FULL)


def test_points_on_a_line_are_told(face):
    image, record = face
    flat = np.zeros((68, 2), np.float32)
    with pytest.raises(InputError, match="fit no head"):
        draw_record(image, replace(record, landmarks=flat), SIZE, FaceType.FULL)
