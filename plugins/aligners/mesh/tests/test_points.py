"""From the mesh to the 68 points."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mien_mesh.points import divide_evenly, to_ibug


def test_a_line_is_divided_by_length_not_by_corners() -> None:
    line = np.array([[0.0, 0], [1, 0], [2, 0], [2, 10]])
    np.testing.assert_allclose(divide_evenly(line, 4), [[0, 0], [2, 2], [2, 6], [2, 10]])


@given(
    st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=2, max_size=9),
    st.integers(2, 20),
)
def test_the_ends_of_a_divided_line_stay(corners: list[tuple[int, int]], count: int) -> None:
    line = np.array(corners, np.float64)
    divided = divide_evenly(line, count)
    assert divided.shape == (count, 2)
    np.testing.assert_allclose(divided[[0, -1]], line[[0, -1]], atol=1e-9)


def test_moving_and_turning_the_mesh_moves_and_turns_the_points() -> None:
    mesh = np.random.default_rng(3).uniform(0, 192, (468, 2))
    turn = np.array([[0.6, -0.8], [0.8, 0.6]]) * 2.5
    moved = to_ibug(mesh @ turn.T + (30, -7))
    np.testing.assert_allclose(moved, to_ibug(mesh) @ turn.T + (30, -7), rtol=1e-5, atol=1e-3)


def test_the_points_are_those_of_the_reference_mesh(shared: Callable[[str], Path]) -> None:
    faces = json.loads(shared("data/faces/faces.json").read_text(encoding="utf-8"))["images"]
    wanted = {each["file"]: each["faces"][0]["lm68"] for each in faces if each["faces"]}
    with np.load(shared("data/faces/mesh478.npz"), allow_pickle=False) as stored:
        names, meshes = stored["names"].tolist(), stored["xyz"].astype(np.float64)
    for name, mesh in list(zip(names, meshes, strict=True))[::20]:
        # half floats of pixels up to 256 are exact to 1/16, the written points to 0.05
        np.testing.assert_allclose(to_ibug(mesh[:468, :2]), wanted[name], atol=0.25)


@pytest.mark.parametrize(("left", "right"), [(0, 16), (3, 13), (17, 26), (36, 45), (48, 54)])
def test_mirrored_points_come_from_mirrored_places(
    shared: Callable[[str], Path], left: int, right: int
) -> None:
    with np.load(shared("data/faces/mesh478.npz"), allow_pickle=False) as stored:
        mean = stored["xyz"].astype(np.float64).mean(axis=0)[:468, :2]
    points = to_ibug(mean)
    middle = points[27:31, 0].mean()
    assert abs((points[left, 0] + points[right, 0]) / 2 - middle) < 2
    assert points[left, 0] < middle < points[right, 0]
