import cv2
import numpy as np
import pytest
from mien.colour.transport import carry, random_lines, sliced_distance, unit
from mien.stages import ColorPair
from mien.testing import FakeContext
from mien_color_sot import Options, create


@pytest.mark.parametrize(
    ("statistics", "name", "batch", "tolerance"),
    [("crop", "sot", 5, 2e-4), ("dfl", "sot_m", 30, 1e-3)],
)
def test_it_gives_the_colours_that_deepfacelab_gives(shared, statistics, name, batch, tolerance):
    with np.load(shared("golden/dfl-image/color.npz"), allow_pickle=False) as golden:
        pair = ColorPair(swap=golden["src"], plate=golden["trg"], area=golden["mask_area"])
        wanted, normals = golden[name], golden[name + "_normals"]
    stage = create(Options(statistics=statistics, form="dfl", batch=batch), FakeContext())
    stage.lines = unit(normals).reshape(10, batch, 3)
    (result,) = stage([pair])
    # The order of equal values was left to the sort: black surroundings are thousands of them.
    np.testing.assert_allclose(result, wanted, atol=tolerance)


def test_the_cloud_without_its_filter_is_deepfacelabs(shared):
    with np.load(shared("golden/dfl-image/color.npz"), allow_pickle=False) as golden:
        swap, plate, wanted = (golden[name] for name in ("src", "trg", "sot_noreg"))
        lines = unit(golden["sot_noreg_normals"]).reshape(10, 5, 3)
    moved = carry(swap.reshape(-1, 3), plate.reshape(-1, 3), lines).reshape(swap.shape)
    off = np.abs(moved - wanted)
    assert off.mean() < 3e-4
    assert off.max() < 0.03  # single pixels of equal colour that changed places


def faces(size, seed=2):
    """Two smooth pictures with unlike colours."""
    rng = np.random.default_rng(seed)
    return [
        np.clip(
            cv2.GaussianBlur(rng.random((size, size, 3)), (0, 0), 8) * gain + lift, 0, 1
        ).astype(np.float32)
        for gain, lift in (((3, 2, 2), -0.6), ((2, 4, 2.5), (-0.7, -1.4, -0.8)))
    ]


def test_the_quick_form_comes_as_near_to_the_plates_colours_as_the_old_one():
    swap, plate = faces(96)
    pair = ColorPair(swap=swap, plate=plate, area=np.ones((96, 96, 1), np.float32))
    lines = random_lines(np.random.default_rng(0), 1, 32)[0]
    aims = plate.reshape(-1, 3)
    quick, old = (
        sliced_distance(create(options, FakeContext())([pair])[0].reshape(-1, 3), aims, lines)
        for options in (Options(), Options(form="dfl", batch=30))
    )
    assert quick < 1.02 * old
    assert old < 0.7 * sliced_distance(swap.reshape(-1, 3), aims, lines)


def test_neighbours_go_the_same_way():
    swap, plate = faces(96)
    (result,) = create(Options(), FakeContext())(
        [ColorPair(swap=swap, plate=plate, area=np.ones((96, 96, 1), np.float32))]
    )
    move = result - swap
    inner = (result > 0.01) & (result < 0.99)
    steps = np.abs(np.diff(move, axis=1))[(inner[:, 1:] & inner[:, :-1])]
    assert steps.max() < 0.01


def test_a_cloud_of_many_points_finds_its_way_too():
    rng = np.random.default_rng(0)
    cloud = rng.random((20000, 3), dtype=np.float32)
    target = (cloud[::-1] * 0.5 + 0.3).astype(np.float32)
    lines = random_lines(rng, 6, 3)
    moved = carry(cloud, target, lines)
    assert sliced_distance(moved, target, lines[0]) < 0.2 * sliced_distance(cloud, target, lines[0])
    assert carry(cloud[:1], target[:1], lines).shape == (1, 3)
