import numpy as np
import pytest
from mien.stages import ColorPair
from mien_color_linear import Options, create


@pytest.mark.parametrize(
    ("way", "name"), [("roots", "lct_pca"), ("cholesky", "lct_chol"), ("transport", "lct_sym")]
)
def test_it_gives_the_colours_that_deepfacelab_gives(shared, way, name):
    with np.load(shared("golden/dfl-image/color.npz"), allow_pickle=False) as golden:
        pair = ColorPair(swap=golden["src"], plate=golden["trg"], area=golden["mask_area"])
        wanted = golden[name]
    (result,) = create(Options(statistics="crop", way=way), None)([pair])
    np.testing.assert_allclose(result, wanted, atol=2e-6)  # rounding


def test_mean_and_covariance_inside_the_area_become_the_plates():
    rng = np.random.default_rng(1)
    mixed = rng.normal(0, 0.05, (64, 64, 3)) @ np.array([[1, 0.5, 0], [0, 1, 0.3], [0.2, 0, 1]])
    plate = (0.5 + mixed).astype(np.float32)
    swap = (0.4 + rng.normal(0, 0.08, (64, 64, 3))).astype(np.float32)
    area = np.zeros((64, 64, 1), np.float32)
    area[10:50, 8:60] = 1
    for way in ("roots", "cholesky", "transport"):
        (result,) = create(Options(way=way), None)([ColorPair(swap=swap, plate=plate, area=area)])
        got, wanted = (each[area[..., 0] > 0] for each in (result, plate))
        np.testing.assert_allclose(got.mean(axis=0), wanted.mean(axis=0), atol=1e-4)
        np.testing.assert_allclose(np.cov(got.T), np.cov(wanted.T), atol=1e-4)
