import numpy as np
import pytest
from mien.stages import BlendPair
from mien_blend_hist_match import Options, create


def pair(side=64, seed=0):
    rng = np.random.default_rng(seed)
    alpha = np.zeros((side, side, 1), np.float32)
    alpha[16:48, 16:48] = 1
    return BlendPair(
        plate=(rng.random((side, side, 3)) ** 2).astype(np.float32),
        swap=(0.3 + 0.2 * rng.random((side, side, 3))).astype(np.float32),
        alpha=alpha,
    )


def blended(given, **options):
    (only,) = create(Options(**options), None)([given])
    return only


def test_under_the_mask_the_values_are_spread_as_the_plates_are():
    given = pair()
    inside = given.alpha[..., 0] == 1
    quantiles = np.linspace(0.05, 0.95, 19)
    got = np.quantile(blended(given).image[inside], quantiles, axis=0)
    wanted = np.quantile(given.plate[inside], quantiles, axis=0)
    np.testing.assert_allclose(got, wanted, atol=0.005)


def test_the_order_of_values_is_kept():
    given = pair()
    before, after = given.swap[..., 1].ravel(), blended(given).image[..., 1].ravel()
    assert (np.diff(after[np.argsort(before)]) >= -1e-6).all()


def test_what_is_not_under_the_mask_does_not_count_unless_asked():
    given = pair()
    other = given.plate.copy()
    other[given.alpha[..., 0] == 0] = 1
    bright = BlendPair(plate=other, swap=given.swap, alpha=given.alpha)
    assert np.array_equal(blended(given).image, blended(bright).image)
    assert blended(bright, masked=False).image.mean() > blended(given).image.mean() + 0.1


def test_a_lower_threshold_is_darker():
    given = pair()
    inside = given.alpha[..., 0] == 1
    means = [blended(given, threshold=t).image[inside].mean() for t in (100.0, 238.0, 255.0)]
    assert means == sorted(means)
    assert means[0] < means[2] - 0.1


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_flat_pictures_give_the_plates_colour(value):
    flat = np.full((20, 20, 3), value, np.float32)
    alpha = np.ones((20, 20, 1), np.float32)
    given = BlendPair(plate=flat, swap=np.full_like(flat, 0.7), alpha=alpha)
    np.testing.assert_allclose(blended(given).image, flat, atol=1e-3)
