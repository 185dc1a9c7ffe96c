"""One promise of all blends that are installed: what is not under the mask keeps its bits."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mien.arrays import as_float
from mien.merging import MergeOptions, apply, face_alpha, finish, place
from mien.registry import Registry
from mien.stages import BlendProvider
from mien.testing import FakeContext
from mien.types import Face, Frame, Swap, replace

REGISTRY = Registry.installed()
BLENDS = {
    name: card.create(card.options(), FakeContext())
    for name in REGISTRY.names("blend")
    for card in [REGISTRY.get(BlendProvider, name)]
}
IN_FRAMES = sorted(name for name, b in BLENDS.items() if getattr(b, "shows", "mask") != "patch")


def picture(height, width, dtype, seed):
    """Noise; a float one also holds what float plates hold: above white, below black, -0."""
    rng = np.random.default_rng(seed)
    if dtype != "float32":
        return rng.integers(0, np.iinfo(dtype).max, (height, width, 3), dtype, endpoint=True)
    image = rng.normal(0.5, 0.6, (height, width, 3)).astype(np.float32)
    image[rng.random(image.shape) < 0.1] = -0.0
    return image


def matrix_of(x, y, side, angle, size):
    c, s = np.cos(angle) * size / side, np.sin(angle) * size / side
    linear = np.array([[c, -s], [s, c]])
    return np.column_stack((linear, size / 2 - linear @ (x, y)))


squares = st.tuples(st.floats(-20, 70), st.floats(-20, 70), st.floats(1, 150), st.floats(-3.1, 3.1))
finishes = st.builds(
    MergeOptions,
    mask=st.sampled_from(["full", "swap", "full - swap", "swap*0.5"]),
    erode=st.floats(-25, 25),
    blur=st.floats(0, 50),
    scale=st.floats(-50, 50),
    light=st.sampled_from([0.0, 100.0]),
    contrast=st.sampled_from([0.0, 50.0]),
    sharpen_mode=st.sampled_from(["none", "box", "gaussian"]),
    sharpen=st.sampled_from([0.0, 20.0, -15.0]),
    motion_blur=st.sampled_from([0.0, 60.0]),
    denoise=st.sampled_from([0.0, 130.0]),
    degrade=st.sampled_from([0.0, 70.0]),
    color_degrade=st.sampled_from([0.0, 0.0, 50.0]),
    grain=st.sampled_from([0.0, 100.0]),
)


def test_there_are_blends():
    assert {"overlay", "seamless", "laplacian", "hist-match", "raw-rgb"} <= set(IN_FRAMES)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(IN_FRAMES),
    dtype=st.sampled_from(["uint8", "uint16", "float32"]),
    height=st.integers(1, 56),
    width=st.integers(1, 56),
    where=st.lists(squares, min_size=1, max_size=2),
    size=st.integers(1, 40),
    options=finishes,
    seed=st.integers(0, 99),
)
def test_pixels_that_are_not_under_the_mask_keep_their_bits(
    name, dtype, height, width, where, size, options, seed
):
    frame = Frame(index=0, image=picture(height, width, dtype, seed))
    covered = np.zeros((height, width), bool)
    faces = []
    for number, (x, y, side, angle) in enumerate(where):
        swap = Swap(
            image=as_float(picture(size, size, "uint8", seed + number)),
            matrix=matrix_of(x, y, side, angle, size),
            masks={"swap": as_float(picture(size, size, "uint8", number))[..., :1].copy()},
        )
        swap = replace(swap, alpha=face_alpha(frame, Face(box=(0, 0, 1, 1)), swap, options))
        whole = getattr(BLENDS[name], "shows", "mask") == "crop"
        placed = place(frame, swap, options, way=(3.0, -9.0), whole=whole)
        if placed.is_empty:
            continue
        (blended,) = BLENDS[name]([placed.pair])
        blended = finish(blended, placed.pair, options, np.random.default_rng(seed))
        x0, y0, x1, y1 = placed.box
        covered[y0:y1, x0:x1] |= placed.pair.alpha[..., 0] > 0
        faces.append((placed, blended))
    result = apply(frame, faces)
    assert result.image.dtype == dtype
    assert result.image.shape == frame.image.shape
    bits = {1: np.uint8, 2: np.uint16, 4: np.uint32}[frame.image.dtype.itemsize]
    same = (frame.image.view(bits) == result.image.view(bits)).all(-1)
    assert same[~covered].all()
    assert np.isfinite(result.image.astype(np.float64)).all()
