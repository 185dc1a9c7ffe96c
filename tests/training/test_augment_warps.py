"""Warps: as strong as their originals, without their slips, and towards the right landmarks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from mien.training.data.draw import Draw
from mien.training.data.landmark_warp import LandmarkWarp, nearest
from mien.training.data.parity_warp import draw as draw_parity
from mien.training.data.warps import DflWarp, GridWarp, Move, Warp

from .conftest import head_points

CPU = torch.device("cpu")
SIZE = 64


def move(count: int, mirror: float = 1.0, angle: float = 0.0) -> Move:
    cos, sin = math.cos(angle), math.sin(angle)
    linear = torch.tensor([[cos * mirror, sin], [-sin * mirror, cos]]).expand(count, 2, 2)
    return Move(linear=linear, shift=torch.zeros(count, 2))


def field(warp: Warp, count: int, seed: int = 0, how: Move | None = None) -> torch.Tensor:
    drawn = warp.draw(Draw(torch.Generator().manual_seed(seed), count), torch.arange(count))
    return warp.bend(drawn, how or move(count))


def people(count: int, wide: float = 1.0, size: int = SIZE) -> torch.Tensor:
    """Landmarks of faces, each a little larger than the one before, in pixels of a crop."""
    middle = size / 2 - 0.5
    points = [head_points(0, 0, size * (0.4 + 0.01 * index)) for index in range(count)]
    stacked = np.stack(points) * np.array([wide, 1.0]) + middle
    return torch.from_numpy(stacked.astype(np.float32))


def test_moved_places_are_those_of_the_matrix() -> None:
    how = Move(linear=torch.tensor([[[0.9, 0.2], [-0.3, 1.1]]]), shift=torch.tensor([[0.1, -0.2]]))
    axis = torch.linspace(-1, 1, 5)
    made = how.places(axis)
    for row, y in enumerate(axis):
        for column, x in enumerate(axis):
            wanted = how.linear[0] @ torch.stack((x, y)) + how.shift[0]
            torch.testing.assert_close(made[0, :, row, column], wanted)


@pytest.mark.parametrize("kind", [GridWarp, DflWarp])
def test_a_field_bends_in_the_faces_own_directions(kind: type[GridWarp] | type[DflWarp]) -> None:
    warp = kind(SIZE, 1.0, CPU)
    plain = field(warp, 3)
    turned = field(warp, 3, how=move(3, -1.0, math.pi / 2))
    # Mirrored, then a quarter turn: what went right goes down, what went down goes right.
    torch.testing.assert_close(turned[:, 0], plain[:, 1], atol=1e-6, rtol=0)
    torch.testing.assert_close(turned[:, 1], plain[:, 0], atol=1e-6, rtol=0)


def test_strength_scales_every_kind() -> None:
    torch.testing.assert_close(
        field(GridWarp(SIZE, 2.0, CPU), 2), 2 * field(GridWarp(SIZE, 1.0, CPU), 2)
    )
    torch.testing.assert_close(
        field(DflWarp(SIZE, 2.0, CPU), 2), 2 * field(DflWarp(SIZE, 1.0, CPU), 2)
    )


def test_the_dfl_warp_is_as_strong_as_the_original_in_each_direction() -> None:
    """The original adds two draws to the same numbers: its spread is root two of ours."""
    made = field(DflWarp(SIZE, 1.0, CPU), 1500) * SIZE / 2  # pixels
    own = torch.arange(SIZE, dtype=torch.float32) + 0.5
    theirs = [draw_parity(seed, SIZE, flip=False).across - own.numpy() for seed in range(1500)]
    assert float(made.std()) == pytest.approx(float(np.std(theirs)) / math.sqrt(2), rel=0.05)
    assert abs(float(made.mean())) < 0.02
    both = made[:, 0].flatten(), made[:, 1].transpose(1, 2).flatten()
    assert abs(float(torch.corrcoef(torch.stack(both))[0, 1])) < 0.05


@pytest.mark.parametrize("seed", range(6))
def test_the_dfl_warp_holds_the_crops_edges(seed: int) -> None:
    made = field(DflWarp(256, 1.0, CPU), 4, seed) * 128
    edge = torch.cat((made[..., 0, :], made[..., -1, :], made[..., 0], made[..., -1]))
    assert float(edge.abs().max()) < 0.2  # half a pixel from the edge
    # 0.24 of a cell of half the crop is the furthest that a point goes.
    assert float(made.abs().max()) <= 0.24 * 128


def test_draws_are_bounded_and_normal_inside() -> None:
    numbers = Draw(torch.Generator().manual_seed(0), 20_000).bounded_normal(2.5, 4)
    assert 2.4 < float(numbers.abs().max()) <= 2.5
    # The deviation of a normal number that is drawn anew beyond 2.5 deviations.
    assert float(numbers.std()) == pytest.approx(0.9549, abs=0.01)


def test_landmarks_move_to_those_of_the_other_person() -> None:
    own, other = people(3), people(1, wide=1.3)
    fields = []
    for seed in range(60):  # many, so that the trembling cancels out
        warp = LandmarkWarp(own, other, SIZE, 1.0, CPU)
        fields.append(field(warp, 3, seed))
    mean = torch.stack(fields).mean(0) * SIZE / 2  # (3, 2, P, P) pixels
    for face in range(3):
        for point in (8, 19, 30, 36, 45, 48, 54):
            x, y = other[0, point].round().long().tolist()
            there = other[0, point] - torch.tensor((x, y))  # less than half a pixel off
            wanted = own[face, point] - other[0, point]
            torch.testing.assert_close(mean[face, :, y, x], wanted + 0 * there, atol=0.75, rtol=0)


def test_the_landmark_warp_keeps_the_crops_edges_and_its_strength() -> None:
    own, other = people(2), people(4, wide=1.2)
    whole = field(LandmarkWarp(own, other, SIZE, 1.0, CPU), 2)
    edge = torch.stack((whole[..., 0, 0], whole[..., 0, -1], whole[..., -1, 0], whole[..., -1, -1]))
    assert float(edge.abs().max()) * SIZE / 2 < 0.3
    half = field(LandmarkWarp(own, other, SIZE, 0.5, CPU), 2)
    torch.testing.assert_close(half, whole / 2, atol=1e-5, rtol=0)


def test_a_landmark_warp_of_moved_faces_moves_with_them() -> None:
    """Shifting all places by a cell of the lattice shifts the field by as many pixels."""
    own, other = people(2), people(2, wide=1.2)
    warp = LandmarkWarp(own, other, SIZE, 1.0, CPU)
    plain = field(warp, 2)
    how = Move(linear=torch.eye(2).expand(2, 2, 2), shift=torch.tensor([[0.25, 0.0]]).expand(2, 2))
    moved = field(warp, 2, how=how)
    torch.testing.assert_close(moved[..., :-8], plain[..., 8:], atol=5e-3, rtol=0)


def test_jaw_points_that_a_turned_head_hides_are_not_held() -> None:
    own, other = people(1), people(1)
    hidden = other.clone()
    hidden[0, 3] = other[0, 30] + torch.tensor([-2.0, 0.0])  # beside the nose
    plain = field(LandmarkWarp(own, other, SIZE, 1.0, CPU), 1)
    loose = field(LandmarkWarp(own, hidden, SIZE, 1.0, CPU), 1)
    x, y = hidden[0, 3].round().long().tolist()
    assert float((loose - plain)[..., y, x].abs().max()) * SIZE / 2 < 0.5


def test_the_nearest_faces_are_found_and_never_more_than_there_are() -> None:
    own, other = people(5), people(20)
    found = nearest(own, other)
    assert found.shape == (5, 10)
    assert found[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert nearest(own, other[:1]).tolist() == [[0]] * 5
