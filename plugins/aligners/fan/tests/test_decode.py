"""Heat maps to points: known answers, the programs' own answers, and the edges of the map."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mien_fan.decode import DECODERS, dark, difference, faceswap_dark, peaks, quarter
from numpy.typing import NDArray


def bumps(centres: NDArray[np.float64], sigma: float = 1.5) -> NDArray[np.float32]:
    """(N, 64, 64) Gaussians; a centre of 10.0 is the middle of cell 10."""
    ys, xs = np.mgrid[:64, :64]
    away = (xs - centres[:, 0, None, None]) ** 2 + (ys - centres[:, 1, None, None]) ** 2
    return np.exp(-away / (2 * sigma**2)).astype(np.float32)


CENTRES = np.random.default_rng(5).uniform(5, 58, (200, 2))


@pytest.mark.parametrize(("name", "bound"), [("dark", 0.01), ("deepfacelab", 0.36)])
def test_the_middle_of_a_bump_is_found_in_units_of_the_crop(name: str, bound: float) -> None:
    found = DECODERS[name](bumps(CENTRES)) * 64 - 0.5
    assert np.abs(found - CENTRES).max() < bound


def test_dark_is_ten_times_as_exact_as_a_quarter_step() -> None:
    maps, wanted = bumps(CENTRES), CENTRES + 0.5
    errors = [np.linalg.norm(each(maps) * 64 - wanted, axis=1).mean() for each in (dark, quarter)]
    assert errors[0] < errors[1] / 10


def test_faceswaps_dark_lies_half_a_cell_off_in_both_directions() -> None:
    maps = bumps(CENTRES)
    np.testing.assert_allclose(dark(maps) - faceswap_dark(maps), 0.5 / 64, atol=1e-9)


def test_the_published_decoders_give_their_published_points(shared: Callable[[str], Path]) -> None:
    with np.load(shared("golden/nets/fan_decode.npz"), allow_pickle=False) as golden:
        maps, side = golden["heatmaps"], 200 * float(golden["scale"])
        step = quarter(maps)
        np.testing.assert_array_equal(step * 64, golden["fa_preds_64"])
        in_frame = (step - 0.5) * side + golden["center"]
        np.testing.assert_allclose(in_frame, golden["dfl_pts"], atol=1e-9)
        np.testing.assert_array_equal(np.trunc(in_frame), golden["fa_preds_img"])
        np.testing.assert_array_equal(peaks(maps)[2], golden["fa_scores"])
        np.testing.assert_allclose(difference(maps), golden["faceswap_delta_0_1"], atol=1e-6)
        np.testing.assert_allclose(faceswap_dark(maps), golden["faceswap_dark_0_1"], atol=1e-6)


@pytest.mark.parametrize("name", DECODERS)
def test_many_maps_decode_as_each_alone(name: str) -> None:
    maps = np.random.default_rng(2).normal(0, 1, (3, 5, 64, 64)).astype(np.float32)
    together = DECODERS[name](maps)
    assert together.shape == (3, 5, 2)
    for row in range(3):
        for column in range(5):
            np.testing.assert_array_equal(
                together[row, column], DECODERS[name](maps[row, column][None])[0]
            )


@given(st.integers(0, 63), st.integers(0, 63), st.sampled_from(["dark", "deepfacelab"]))
def test_a_lone_cell_anywhere_is_found_within_two_cells(x: int, y: int, name: str) -> None:
    maps = np.zeros((1, 64, 64), np.float32)
    maps[0, y, x] = 1
    found = DECODERS[name](maps)[0] * 64 - 0.5
    assert np.abs(found - (x, y)).max() < 2


@pytest.mark.parametrize("value", [0.0, -3.0])
@pytest.mark.parametrize("name", DECODERS)
def test_a_flat_map_gives_a_finite_point(name: str, value: float) -> None:
    assert np.isfinite(DECODERS[name](np.full((2, 64, 64), value, np.float32))).all()


def test_of_equal_cells_the_first_in_reading_order_is_the_peak() -> None:
    maps = np.zeros((1, 64, 64), np.float32)
    maps[0, 7, 9] = maps[0, 9, 7] = 2
    x, y, height = peaks(maps)
    assert (x[0], y[0], height[0]) == (9, 7, 2)
