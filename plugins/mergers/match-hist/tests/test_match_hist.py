import numpy as np
from mien.stages import ColorPair
from mien_color_match_hist import Options, create


def test_it_gives_the_colours_that_faceswap_gives(shared):
    with np.load(shared("golden/faceswap/convert_plugins.npz"), allow_pickle=False) as golden:
        plate, swap, area = (
            golden[name].astype(np.float32) / 255 for name in ("old", "new", "mask")
        )
        wanted = golden["match_hist_99"]
    (result,) = create(Options(), None)([ColorPair(swap=swap, plate=plate, area=area)])
    np.testing.assert_allclose(result, wanted, atol=1e-6)
    np.testing.assert_array_equal(result[area[..., 0] == 0], swap[area[..., 0] == 0])
