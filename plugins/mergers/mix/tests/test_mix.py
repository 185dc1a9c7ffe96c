import cv2
import numpy as np
import pytest
from mien.colour.transport import unit
from mien.stages import ColorPair
from mien.testing import FakeContext
from mien_color_mix import Options, create


@pytest.mark.parametrize(("statistics", "name"), [("crop", "mix"), ("dfl", "mix_m")])
def test_it_gives_the_colours_that_deepfacelab_gives(shared, statistics, name):
    with np.load(shared("golden/dfl-image/color.npz"), allow_pickle=False) as golden:
        pair = ColorPair(swap=golden["src"], plate=golden["trg"], area=golden["mask_area"])
        wanted, normals = golden[name], golden[name + "_normals"]
    stage = create(Options(statistics=statistics, form="dfl"), FakeContext())
    stage.lines = unit(normals).reshape(10, 5, 3)
    (result,) = stage([pair])
    # 8-bit colours are full of equal values, whose order was left to the sort.
    off = np.abs(result - wanted)
    assert off.mean() < 3e-3
    assert off.max() < 0.1


@pytest.mark.parametrize("form", ["quick", "dfl"])
def test_light_gets_the_plates_mean_and_spread(form):
    rng = np.random.default_rng(2)
    swap, plate = (
        np.clip(cv2.GaussianBlur(rng.random((64, 64, 3)), (0, 0), 3) * gain + lift, 0, 1).astype(
            np.float32
        )
        for gain, lift in ((1, 0.1), (0.7, 0))
    )
    (result,) = create(Options(form=form), FakeContext())(
        [ColorPair(swap=swap, plate=plate, area=np.ones((64, 64, 1), np.float32))]
    )
    got, wanted = (cv2.cvtColor(each, cv2.COLOR_BGR2LAB)[..., 0] for each in (result, plate))
    assert got.mean() == pytest.approx(wanted.mean(), abs=0.5)
    assert got.std() == pytest.approx(wanted.std(), abs=0.5)
