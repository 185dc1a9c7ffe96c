"""Augmentation: seeded, the mask moves with the face, nothing moves where all is switched off."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from mien.training.base import Side
from mien.training.data.augment import Augmenter
from mien.training.data.supply import make_warp
from mien.training.options import TrainOptions

STILL = TrainOptions(rotation=0, zoom=0, shift=0, warp=0, color=0)
CPU = torch.device("cpu")
NOBODY = torch.zeros(0, 68, 2)


def faces(size: int = 32, count: int = 4) -> torch.Tensor:
    """Smooth colours, and in the mask channel what the first channel shows."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    scale = 200 / size
    plane = (
        torch.stack((x * scale, y * scale, (size - x) * scale, x * scale)).round().to(torch.uint8)
    )
    return plane[None].repeat(count, 1, 1, 1)


def augmenter(
    options: TrainOptions, size: int = 32, flip: float = 0.0, hsv_power: float = 0.0
) -> Augmenter:
    warp = make_warp(options, NOBODY, NOBODY, size, CPU)
    return Augmenter(options, size, CPU, flip=flip, hsv_power=hsv_power, warp=warp)


def run(options: TrainOptions, seed: int = 1, size: int = 32, **own: float) -> Side:
    generator = torch.Generator().manual_seed(seed)
    return augmenter(options, size, **own).random(
        faces(size), torch.arange(4), size, size, generator
    )


def test_nothing_moves_where_everything_is_switched_off() -> None:
    side = run(STILL)
    wanted = faces().float() / 255
    torch.testing.assert_close(side.face, wanted[:, :3], atol=1e-5, rtol=0)
    torch.testing.assert_close(side.warped, wanted[:, :3], atol=1e-5, rtol=0)
    torch.testing.assert_close(side.mask, wanted[:, 3:], atol=1e-5, rtol=0)


def test_the_same_seed_gives_the_same_batch_and_another_one_another() -> None:
    first, again, other = run(TrainOptions()), run(TrainOptions()), run(TrainOptions(), seed=2)
    assert first.warped.equal(again.warped)
    assert first.face.equal(again.face)
    assert not first.face.equal(other.face)


def test_faces_of_one_batch_are_moved_each_in_its_own_way() -> None:
    side = run(TrainOptions())
    assert not side.face[0].equal(side.face[1])
    assert not side.warped[0].equal(side.warped[1])


def test_a_mirrored_face_is_exactly_mirrored() -> None:
    side = run(STILL, flip=1)
    torch.testing.assert_close(
        side.face, (faces()[:, :3].float() / 255).flip(-1), atol=1e-5, rtol=0
    )


def test_the_mask_moves_with_the_face() -> None:
    side = run(dataclasses.replace(TrainOptions(), color=0, shift=0, zoom=0, rotation=3))
    inside = (slice(None), slice(None), slice(4, -4), slice(4, -4))
    torch.testing.assert_close(side.mask[inside], side.face[:, :1][inside], atol=1e-6, rtol=0)


def test_beyond_the_crop_the_face_goes_on_and_the_mask_does_not() -> None:
    made = augmenter(dataclasses.replace(STILL, shift=0.5), flip=0.5)
    full = torch.full((16, 5, 32, 32), 255, dtype=torch.uint8)
    generator = torch.Generator().manual_seed(2)
    side = made.random(full, torch.arange(16), 32, 32, generator)
    assert float(side.face.min()) == 1
    shown = side.mask.mean((1, 2, 3))
    assert float(shown.min()) < 0.7
    torch.testing.assert_close(side.mask, side.focus)


def test_the_warp_bends_what_is_seen_and_not_what_is_wanted() -> None:
    side = run(dataclasses.replace(STILL, warp=1))
    torch.testing.assert_close(side.face, faces()[:, :3].float() / 255, atol=1e-5, rtol=0)
    assert float((side.warped - side.face).abs().max()) > 0.005


def test_the_warp_is_as_strong_as_five_pixels_of_256() -> None:
    """On a ramp the change of value is the shift: its spread is the jitter's, smoothed."""
    size, made = 64, []
    for seed in range(40):
        side = run(dataclasses.replace(STILL, warp=1), seed, size)
        slope = 200 / size / 255
        made.append((side.warped - side.face)[:, 0, 12:-12, 12:-12] / slope)
    shifts = torch.stack(made)
    assert abs(float(shifts.mean())) < 0.1  # half a pixel would be the original's slip
    # Between the grid's points bilinear weights keep 4/9 of the variance on average.
    assert float(shifts.std()) == pytest.approx(5 / 256 * size * 2 / 3, rel=0.15)


@pytest.mark.parametrize("strength", [1, 2])
def test_colours_stay_in_range_and_leave_the_mask_alone(strength: float) -> None:
    side = run(dataclasses.replace(STILL, color=strength))
    assert float(side.face.min()) >= 0
    assert float(side.face.max()) <= 1
    assert not side.face.equal(faces()[:, :3].float() / 255)
    torch.testing.assert_close(side.mask, faces()[:, 3:].float() / 255, atol=1e-5, rtol=0)
    torch.testing.assert_close(side.warped, side.face)


def test_what_is_seen_and_what_is_wanted_may_have_sizes_of_their_own() -> None:
    made = augmenter(TrainOptions())
    side = made.random(faces(), torch.arange(4), 16, 32, torch.Generator().manual_seed(0))
    assert side.warped.shape == (4, 3, 16, 16)
    assert side.face.shape == (4, 3, 32, 32)
    assert side.mask.shape == (4, 1, 32, 32)
    plain = made.plain(faces(), 16, 32)
    torch.testing.assert_close(plain.face, faces()[:, :3].float() / 255)
    assert plain.warped.shape == (4, 3, 16, 16)


def test_hsv_changes_what_is_seen_and_not_what_is_wanted() -> None:
    side = run(STILL, hsv_power=0.3)
    torch.testing.assert_close(side.face, faces()[:, :3].float() / 255, atol=1e-5, rtol=0)
    assert not side.warped.isclose(side.face, atol=0.02).all(1).all()
    assert not side.warped[0].equal(side.warped[1])


def test_a_kind_of_colour_does_not_change_how_faces_move() -> None:
    moving = dataclasses.replace(TrainOptions(), color=0)
    plain, lit = run(moving), run(dataclasses.replace(moving, lab_light=0.3, clahe=0.5))
    torch.testing.assert_close(plain.mask, lit.mask)
    assert not plain.face.equal(lit.face)


@pytest.mark.parametrize("chance", [1e-9, 1.0])
def test_contrast_is_evened_out_in_no_face_or_in_all(chance: float) -> None:
    side = run(dataclasses.replace(STILL, clahe=chance))
    same = side.face.isclose(faces()[:, :3].float() / 255, atol=1e-3).flatten(1).all(1)
    assert same.tolist() == [chance < 0.5] * 4
