"""Colours: as OpenCV says where it has a word for it, in range, seeded."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mien.testing.fakes import picture
from mien.training.data import colours
from mien.training.data.clahe import clahe, places_of
from mien.training.data.draw import Draw


def pictures(count: int = 2, size: int = 24) -> torch.Tensor:
    """Smooth pictures and noise, with black, white and grey among them."""
    rng = np.random.default_rng(0)
    made = [picture(size, size, seed=index) for index in range(count)]
    made.append(rng.integers(0, 256, (size, size, 3), np.uint8))
    made[0][0, :3] = [[0] * 3, [255] * 3, [128] * 3]
    return torch.from_numpy(np.stack(made)).permute(0, 3, 1, 2).float().div(255)


def draw(count: int, seed: int = 0) -> Draw:
    return Draw(torch.Generator().manual_seed(seed), count)


def test_lab_is_opencvs_and_comes_back() -> None:
    given_ = pictures()
    lab = colours.to_lab(given_)
    for mine, image in zip(lab, given_, strict=True):
        wanted = cv2.cvtColor(image.permute(1, 2, 0).numpy(), cv2.COLOR_BGR2LAB)
        scaled = mine.permute(1, 2, 0).numpy() * (100, 255, 255) - (0, 128, 128)
        # OpenCV reads its answers from a table of 33 steps a channel.
        np.testing.assert_allclose(scaled, wanted, atol=0.4)
        assert np.abs(scaled - wanted).mean() < 0.1
    torch.testing.assert_close(colours.from_lab(lab), given_, atol=2e-4, rtol=0)


def test_hue_saturation_and_value_change_as_opencv_does_it() -> None:
    given_ = pictures()
    change = torch.tensor([[30.0, 0.1, -0.1], [-50.0, -0.05, 0.1], [7.0, 0.0, 0.0]])
    made = colours.turned(given_, change)
    for mine, image, (hue, saturation, value) in zip(made, given_, change.tolist(), strict=True):
        hsv = cv2.cvtColor(image.permute(1, 2, 0).numpy(), cv2.COLOR_BGR2HSV)
        hsv[..., 0] = (hsv[..., 0] + hue) % 360
        hsv[..., 1:] = np.clip(hsv[..., 1:] + (saturation, value), 0, 1)
        wanted = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
        np.testing.assert_allclose(mine.permute(1, 2, 0).numpy(), wanted, atol=1e-5)


@pytest.mark.parametrize("power", [0.001, 0.1, 0.3])
def test_hue_turns_by_whole_degrees_and_no_further_than_asked(power: float) -> None:
    change = colours.turning(draw(2000), power)
    most = max(1, int(180 * power))
    assert sorted(set(change[:, 0].tolist())) == [float(hue) for hue in range(-most, most + 1)]
    assert float(change[:, 1:].abs().max()) <= power / 2


def test_leaning_moves_towards_top_and_bottom_of_each_channel() -> None:
    lab = torch.full((2, 3, 1, 1), 0.5)
    shares = torch.tensor([[0.3, -0.2, 0.0], [-0.5, 1.0, 0.08]])
    wanted = [[0.65, 0.4, 0.5], [0.25, 1.0, 0.54]]
    torch.testing.assert_close(colours.leant(lab, shares)[..., 0, 0], torch.tensor(wanted))


def test_light_and_colour_lean_by_their_own_shares() -> None:
    shares = colours.leaning(draw(500), 0.3, 0.08)
    assert 0.28 < float(shares[:, 0].abs().max()) <= 0.3
    assert 0.07 < float(shares[:, 1:].abs().max()) <= 0.08


@given(
    seed=st.integers(0, 99), light=st.floats(0, 1), color=st.floats(0, 1), power=st.floats(0, 0.3)
)
def test_no_colour_leaves_the_range(seed: int, light: float, color: float, power: float) -> None:
    given_ = pictures(1, 8)
    lab = colours.leant(colours.to_lab(given_), colours.leaning(draw(2, seed), light, color))
    for made in (
        colours.from_lab(lab),
        colours.turned(given_, colours.turning(draw(2, seed), power)),
        colours.mixed(given_, *colours.mixing(draw(2, seed), 2 * light)),
    ):
        assert made.isfinite().all()
        assert -1e-6 <= float(made.min()) <= float(made.max()) <= 1 + 1e-6


@pytest.mark.parametrize("places", [1, 2, 3, 4, 6])
def test_clahe_is_opencvs_where_places_fit_into_the_picture(places: int) -> None:
    light = np.stack([picture(48, 48, seed=index)[..., 0] for index in range(3)])
    light[0] = light[0] // 6 + 90  # little contrast
    tool = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(places, places))
    wanted = np.stack([tool.apply(each) for each in light])
    made = clahe(torch.from_numpy(light).float() / 255, torch.full((3,), places)).numpy() * 255
    assert np.abs(made - wanted).max() <= 1.01


def test_clahe_takes_places_of_another_number_for_every_face() -> None:
    light = torch.from_numpy(np.stack([picture(50, 50, seed=i)[..., 0] for i in range(4)])) / 255
    places = torch.tensor([1, 2, 5, 7])
    together = clahe(light, places)
    for index in range(4):
        alone = clahe(light[index : index + 1], places[index : index + 1])
        assert together[index].equal(alone[0])
    assert clahe(light[:0], places[:0]).shape == (0, 50, 50)


@pytest.mark.parametrize(("size", "steps", "wanted"), [(64, 4, range(2, 7)), (512, 2, (4, 6, 8))])
def test_places_are_drawn_as_faceswap_does(size: int, steps: int, wanted: range) -> None:
    assert sorted(set(places_of(draw(400), size, steps).tolist())) == list(wanted)
