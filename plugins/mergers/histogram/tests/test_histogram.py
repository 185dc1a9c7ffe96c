import numpy as np
import pytest
from mien.stages import ColorPair
from mien_color_histogram import Options, create


@pytest.mark.parametrize("threshold", [255, 238, 128])
def test_it_gives_the_colours_that_deepfacelab_gives(shared, threshold):
    with np.load(shared("golden/dfl-image/color.npz"), allow_pickle=False) as golden:
        pair = ColorPair(swap=golden["src"], plate=golden["trg"], area=golden["mask_area"])
        wanted = golden[f"hist_{threshold}"]
    (result,) = create(Options(statistics="crop", threshold=float(threshold)), None)([pair])
    np.testing.assert_allclose(result, wanted, atol=1e-6)


def test_the_values_inside_the_area_are_the_plates():
    rng = np.random.default_rng(1)
    swap, plate = rng.random((2, 32, 32, 3), dtype=np.float32) ** np.float32(2)
    plate = plate * np.float32(0.5)
    area = np.zeros((32, 32, 1), np.float32)
    area[4:20, 6:30] = 1
    (result,) = create(Options(), None)([ColorPair(swap=swap, plate=plate, area=area)])
    inside = area[..., 0] > 0
    for channel in range(3):
        got, wanted = (np.sort(each[..., channel][inside]) for each in (result, plate))
        np.testing.assert_allclose(got, wanted, atol=1e-6)


def test_a_masked_match_of_deepfacelab_counts_the_rest_as_white():
    rng = np.random.default_rng(1)
    swap, plate = rng.random((2, 16, 16, 3), dtype=np.float32)
    area = np.zeros((16, 16, 1), np.float32)
    area[:8] = 1
    white = [np.where(area > 0, each, np.float32(1)) for each in (swap, plate)]
    (result,) = create(Options(statistics="dfl", threshold=238.0), None)(
        [ColorPair(swap=swap, plate=plate, area=area)]
    )
    (wanted,) = create(Options(statistics="crop", threshold=238.0), None)(
        [ColorPair(swap=white[0], plate=white[1], area=area)]
    )
    np.testing.assert_array_equal(result, wanted)
