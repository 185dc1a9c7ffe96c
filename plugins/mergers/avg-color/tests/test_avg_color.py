import numpy as np
from mien.stages import ColorPair
from mien_color_avg_color import Options, create


def test_it_gives_the_colours_that_faceswap_gives(shared):
    with np.load(shared("golden/faceswap/convert_plugins.npz"), allow_pickle=False) as golden:
        plate, swap, area = (
            golden[name].astype(np.float32) / 255 for name in ("old", "new", "mask")
        )
        wanted = golden["avg_color"]
    (result,) = create(Options(), None)([ColorPair(swap=swap, plate=plate, area=area)])
    np.testing.assert_allclose(result, wanted, atol=1e-6)


def test_a_soft_area_counts_by_its_weight():
    swap = np.full((4, 4, 3), 0.5, np.float32)
    plate, area = swap.copy(), np.ones((4, 4, 1), np.float32)
    plate[:2] += 0.2
    area[2:] = 0.25
    (result,) = create(Options(), None)([ColorPair(swap=swap, plate=plate, area=area)])
    np.testing.assert_allclose(result, 0.5 + 0.2 / 1.25, atol=1e-6)
