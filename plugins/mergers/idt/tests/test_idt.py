import cv2
import numpy as np
import pytest
from mien.colour.transport import random_lines, sliced_distance
from mien.stages import ColorPair
from mien.testing import FakeContext
from mien_color_idt import Options, create
from mien_color_idt.curves import QuantileCurve


@pytest.mark.parametrize(
    ("statistics", "name", "tolerance"), [("crop", "idt", 1e-4), ("dfl", "idt_m", 2e-3)]
)
def test_it_gives_the_colours_that_deepfacelab_gives(shared, statistics, name, tolerance):
    with np.load(shared("golden/dfl-image/color.npz"), allow_pickle=False) as golden:
        pair = ColorPair(swap=golden["src"], plate=golden["trg"], area=golden["mask_area"])
        wanted, rotations = golden[name], golden[name + "_rot"]
    stage = create(Options(statistics=statistics, form="dfl"), FakeContext())
    stage.turns = rotations
    (result,) = stage([pair])
    # A value at the edge of a bin may fall to either side: other rounding, other NumPy.
    np.testing.assert_allclose(result, wanted, atol=tolerance)


def test_the_quick_form_comes_nearer_to_the_plates_colours_than_the_old_one():
    rng = np.random.default_rng(2)
    swap, plate = (
        np.clip(cv2.GaussianBlur(rng.random((96, 96, 3)), (0, 0), 2) * gain + lift, 0, 1).astype(
            np.float32
        )
        for gain, lift in (((1.5, 1, 1), 0), ((1, 2, 1.2), (-0.2, -0.5, 0.1)))
    )
    pair = ColorPair(swap=swap, plate=plate, area=np.ones((96, 96, 1), np.float32))
    lines = random_lines(rng, 1, 32)[0]
    aims = plate.reshape(-1, 3)
    before = sliced_distance(swap.reshape(-1, 3), aims, lines)
    quick, old = (
        sliced_distance(
            create(Options(form=form), FakeContext())([pair])[0].reshape(-1, 3), aims, lines
        )
        for form in ("quick", "dfl")
    )
    assert quick < old < before
    assert quick < 0.25 * before


def test_the_turns_follow_the_seed_of_the_run():
    first, again, other = (create(Options(), FakeContext(seed=seed)).turns for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1
    np.testing.assert_allclose(
        first @ first.transpose(0, 2, 1), np.tile(np.eye(3), (4, 1, 1)), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(first), 1)


def test_a_curve_leads_sorted_numbers_to_each_other_and_goes_on_beyond_its_ends():
    here = np.sort(np.random.default_rng(0).random(5000).astype(np.float32))
    curve = QuantileCurve(here, here**2)
    np.testing.assert_allclose(here + curve(here), here**2, atol=2e-3)
    beyond = np.array([-1, 0, 1, 3], np.float32)
    np.testing.assert_allclose(curve(beyond), [0, 0, 0, 0], atol=2e-3)
