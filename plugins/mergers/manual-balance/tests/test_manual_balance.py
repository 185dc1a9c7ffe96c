import cv2
import numpy as np
import pytest
from mien.stages import ColorPair
from mien_color_manual_balance import Options, create

NAMES = [
    "HSV_0_0_0_0_0",
    "HSV_10_-20_15_0_0",
    "RGB_5_10_-10_20_-5",
    "LAB_8_-6_4_0_10",
    "YCrCb_-10_5_7_-15_0",
]


def change(swap, **options):
    pair = ColorPair(swap=swap, plate=swap, area=np.ones((*swap.shape[:2], 1), np.float32))
    (result,) = create(Options(**options), None)([pair])
    return result


@pytest.mark.parametrize("name", NAMES)
def test_it_gives_the_colours_that_faceswap_gives(shared, name):
    space, *numbers = name.split("_")
    names = ("balance_1", "balance_2", "balance_3", "contrast", "brightness")
    values = dict(zip(names, map(float, numbers), strict=True))
    with np.load(shared("golden/faceswap/convert_plugins.npz"), allow_pickle=False) as golden:
        swap = golden["new"].astype(np.float32) / 255
        wanted = golden[f"manual_balance_{name}"]
    result = change(swap, space=space.lower(), form="faceswap", **values)
    np.testing.assert_allclose(result, wanted, atol=1e-6)


def test_nothing_set_changes_nothing():
    swap = np.random.default_rng(0).random((8, 8, 3), dtype=np.float32)
    assert change(swap) is swap


@pytest.mark.parametrize("space", ["rgb", "lab", "ycrcb", "hsv"])
def test_the_forms_agree_within_8_bits_where_hue_is_not_touched(space):
    swap = np.random.default_rng(0).uniform(0.2, 0.8, (16, 16, 3)).astype(np.float32)
    values = {"balance_2": 10.0, "balance_3": -8.0, "contrast": 15.0, "brightness": 4.0}
    floats, eight = (
        change(swap, space=space, form=form, **values) for form in ("float", "faceswap")
    )
    assert np.abs(floats - eight).mean() < 3 / 255


def test_hue_is_an_angle():
    red = np.zeros((2, 2, 3), np.float32)
    red[..., 2] = 1
    for percent, degrees in ((100.0, 180), (-50.0, 270), (50.0, 90)):
        hue = cv2.cvtColor(change(red, balance_1=percent), cv2.COLOR_BGR2HSV)[0, 0, 0]
        assert hue == pytest.approx(degrees, abs=0.1)


def test_brightness_and_contrast_are_lines():
    grey = np.full((2, 2, 3), 0.4, np.float32)
    np.testing.assert_allclose(change(grey, brightness=20.0), 0.4 + 25.4 / 255, atol=1e-6)
    np.testing.assert_allclose(change(grey, contrast=50.0), 0.6 - 63.5 / 255, atol=1e-6)
    assert change(grey, contrast=-100.0, brightness=-100.0).min() >= 0
