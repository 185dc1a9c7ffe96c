"""The palette of colour degrade: what its colours are, and that nothing breaks it."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mien.merging.finishing import few_colours


def picture(seed=0, height=96, width=90, waves=12):
    rng = np.random.default_rng(seed)
    coarse = rng.random((waves, waves, 3), dtype=np.float32)
    made = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(made, 0, 1)


def all_of(image):
    return np.ones(image.shape[:2], bool)


def palette(image):
    colours, which = np.unique(image.reshape(-1, 3), axis=0, return_inverse=True)
    return colours, which.ravel()


@pytest.mark.parametrize("seed", range(3))
def test_every_colour_is_the_mean_of_the_pixels_that_get_it(seed):
    image = picture(seed)
    colours, which = palette(few_colours(image, all_of(image), 100))
    assert len(colours) == 256
    for number in range(0, 256, 7):
        mean = image.reshape(-1, 3)[which == number].mean(0)
        np.testing.assert_allclose(colours[number], mean, atol=1e-5)


def test_noise_has_256_colours_too_and_none_is_wasted():
    image = np.random.default_rng(0).random((64, 64, 3), dtype=np.float32)
    colours, which = palette(few_colours(image, all_of(image), 100))
    assert len(colours) == 256
    # Evenly spread colours: no box holds much more than its share of 16 pixels.
    assert np.bincount(which).max() <= 64


def test_a_palette_is_as_good_as_cutting_the_worthiest_box_each_time():
    image = picture(5, waves=6)
    gap = np.abs(few_colours(image, all_of(image), 100) - image).mean()
    assert gap < 0.0319  # 0.0316 where the worthiest box is cut, and only then the next


def test_few_colours_stay_what_they_are():
    image = np.zeros((40, 40, 3), np.float32)
    image[:, 20:] = (0.2, 0.4, 0.6)
    image[30:] = (1.0, 0.5, 0.0)
    np.testing.assert_allclose(few_colours(image, all_of(image), 100), image, atol=1e-6)


def test_nothing_seen_and_no_power_change_nothing():
    image = picture()
    assert few_colours(image, np.zeros(image.shape[:2], bool), 100) is image
    assert few_colours(image, all_of(image), 0) is image


def test_what_is_not_seen_has_no_say_in_the_palette():
    image = np.full((40, 40, 3), 0.3, np.float32)
    image[20:] = picture(1, 20, 40)
    seen = np.zeros((40, 40), bool)
    seen[:20] = True
    np.testing.assert_allclose(few_colours(image, seen, 100)[:20], 0.3, atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    power=st.floats(0.5, 100),
    bad=st.sampled_from([None, np.nan, np.inf, -3.0, 7.0]),
    seed=st.integers(0, 99),
)
def test_any_picture_comes_through(height, width, power, bad, seed):
    rng = np.random.default_rng(seed)
    image = rng.random((height, width, 3), dtype=np.float32)
    hurt = rng.random((height, width)) < 0.1
    if bad is not None:
        image[hurt] = bad
    seen = rng.random((height, width)) < 0.7
    made = few_colours(image, seen, power)
    assert made.shape == image.shape
    assert made.dtype == np.float32
    assert np.isfinite(made[~hurt]).all()


def test_pixels_that_are_no_numbers_do_not_spread_through_the_palette():
    image = np.full((40, 40, 3), 0.01, np.float32)
    image[3, 4] = np.nan
    made = few_colours(image, all_of(image), 100)
    assert np.isnan(made).all(-1).sum() == 1
    np.testing.assert_allclose(made[10:], 0.01, atol=1e-6)
