import cv2
import numpy as np
import pytest
from mien.stages import BlendPair
from mien_blend_laplacian import Options, create


def pair(offset=0.2, size=96, soft=4.0):
    y, x = np.mgrid[:size, :size].astype(np.float32)
    plate = np.stack([0.4 + 0.2 * np.sin(x / 7 + y / 11 + k) for k in range(3)], -1)
    inside = (np.hypot(x - size / 2, y - size / 2) < size / 3).astype(np.float32)
    alpha = cv2.GaussianBlur(inside, (0, 0), soft)[..., None]
    alpha[alpha < 1e-3] = 0
    plate = plate.astype(np.float32)
    return BlendPair(plate=plate, swap=plate + np.float32(offset), alpha=alpha)


def shown(given, **options):
    (only,) = create(Options(**options), None)([given])
    return given.plate + only.alpha * (only.image - given.plate)


@pytest.mark.parametrize("bands", [1, 3, 6])
def test_a_swap_that_is_the_plate_changes_nothing(bands):
    given = pair(0.0)
    np.testing.assert_allclose(shown(given, bands=bands), given.plate, atol=1e-5)


def test_the_middle_shows_the_swap():
    given = pair(soft=2.0)
    np.testing.assert_allclose(
        shown(given, bands=3)[44:52, 44:52], given.swap[44:52, 44:52], atol=0.02
    )


def test_a_difference_of_colour_ends_more_softly_than_the_mask_does():
    given = pair(soft=1.0)
    steps = [
        np.abs(np.diff((shown(given, bands=bands) - given.plate)[48, :, 0])).max()
        for bands in (1, 5)
    ]
    assert steps[1] < 0.7 * steps[0]


def test_nothing_changes_where_the_mask_is_0():
    given = pair()
    outside = given.alpha[..., 0] == 0
    assert outside.any()
    assert np.array_equal(shown(given)[outside], given.plate[outside])
