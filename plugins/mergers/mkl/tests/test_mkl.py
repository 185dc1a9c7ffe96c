import numpy as np
import pytest
from mien.stages import ColorPair
from mien_color_mkl import Options, create


@pytest.mark.parametrize(("statistics", "name"), [("crop", "mkl"), ("dfl", "mkl_m")])
def test_it_gives_the_colours_that_deepfacelab_gives(shared, statistics, name):
    with np.load(shared("golden/dfl-image/color.npz"), allow_pickle=False) as golden:
        pair = ColorPair(swap=golden["src"], plate=golden["trg"], area=golden["mask_area"])
        wanted = golden[name]
    (result,) = create(Options(statistics=statistics), None)([pair])
    np.testing.assert_allclose(result, wanted, atol=5e-6)  # a symmetric eigen-solver


def test_strength_leads_from_the_swap_to_the_full_result():
    rng = np.random.default_rng(1)
    swap, plate = (rng.uniform(0.3, 0.6, (2, 16, 16, 3))).astype(np.float32)
    pair = ColorPair(swap=swap, plate=plate, area=np.ones((16, 16, 1), np.float32))
    none, half, full = (
        create(Options(strength=strength), None)([pair])[0] for strength in (0.0, 0.5, 1.0)
    )
    assert none is swap
    np.testing.assert_allclose(half, (swap + full) / 2, atol=1e-6)
