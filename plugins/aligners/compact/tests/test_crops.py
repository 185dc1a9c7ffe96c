"""Where the net looks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mien.geometry import level_of_five, transform
from mien.testing import face_at
from mien.types import Detection
from mien_compact.crops import MARGIN, SIDE, box_matrix, points_matrix


def five(points: np.ndarray) -> np.ndarray:
    """Eyes, nose tip and mouth corners of 68 points."""
    eyes = [points[36:42].mean(axis=0), points[42:48].mean(axis=0)]
    return np.stack([*eyes, points[30], points[48], points[54]])


@given(st.floats(-180, 180), st.floats(20, 400))
def test_the_points_fill_the_same_part_of_the_crop_at_any_turn_and_size(
    roll: float, size: float
) -> None:
    points = face_at(500, 400, size, roll=roll).landmarks
    assert points is not None
    seen = transform(points_matrix(points), points)
    middle = (seen.min(axis=0) + seen.max(axis=0)) / 2
    np.testing.assert_allclose(middle, SIDE / 2, atol=1e-2)
    assert np.ptp(seen, axis=0).max() == pytest.approx(SIDE / MARGIN, rel=1e-3)
    assert seen[45, 1] == pytest.approx(seen[36, 1], abs=1e-2)  # the eyes lie level
    assert seen[45, 0] > seen[36, 0]


@pytest.mark.parametrize("roll", [-170, -80, -20, 0, 45, 120])
def test_five_points_tell_how_the_head_is_turned(roll: float) -> None:
    points = face_at(100, 100, 60, roll=roll).landmarks
    assert points is not None
    across = points[45] - points[36]
    np.testing.assert_allclose(level_of_five(five(points)), across / np.hypot(*across), atol=1e-5)


def test_in_profile_the_roll_comes_from_eyes_and_mouth_together() -> None:
    profile = np.array([(50, 40), (52, 40), (62, 55), (50, 70), (52, 70)], np.float32)
    np.testing.assert_allclose(level_of_five(profile), [1, 0], atol=0.25)


@pytest.mark.parametrize("roll", [0, 30, -100])
def test_a_box_and_its_points_lead_to_nearly_the_same_crop(roll: float) -> None:
    """The box of a face as detectors draw it: from the forehead to the chin."""
    face = face_at(300, 300, 80, roll=roll)
    assert face.landmarks is not None
    upright = face_at(300, 300, 80).landmarks
    assert upright is not None
    (x0, _), (x1, y1) = upright.min(axis=0), upright.max(axis=0)
    top = y1 - 1.4 * (x1 - x0)
    angle = np.deg2rad(roll)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = turn @ (np.array([(x0 + x1) / 2, (top + y1) / 2]) - 300) + 300
    half = np.array([x1 - x0, y1 - top]) / 2
    box = (*(middle - half).tolist(), *(middle + half).tolist())
    found = Detection(box=box, score=1, points5=five(face.landmarks))
    by_box = transform(box_matrix(found), face.landmarks)
    by_points = transform(points_matrix(face.landmarks), face.landmarks)
    assert np.abs(by_box - by_points).max() < 0.1 * SIDE


def test_a_margin_shows_more() -> None:
    found = Detection(box=(10, 20, 50, 70), score=1)
    ratio = box_matrix(found, 1.5)[0, 0] / box_matrix(found)[0, 0]
    assert ratio == pytest.approx(1 / 1.5)


@pytest.mark.parametrize(
    "points", [np.zeros((68, 2)), np.full((68, 2), np.nan), np.ones((68, 2)) * [[1e3, 5]]]
)
def test_points_that_are_no_face_still_give_a_crop_or_a_sentence(points: np.ndarray) -> None:
    matrix = points_matrix(np.nan_to_num(points).astype(np.float32))
    assert np.isfinite(matrix).all()


def test_a_box_without_size_does_not_blow_up() -> None:
    found = Detection(box=(5, 5, 5, 5), score=1, points5=np.zeros((5, 2), np.float32))
    assert np.isfinite(box_matrix(found)).all()
