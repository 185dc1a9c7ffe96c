"""Putting swaps into frames: what changes, and above all what does not."""

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mien.arrays import as_dtype, as_float
from mien.errors import StageError
from mien.geometry import HEAD_MODEL, crop_matrix, invert, transform
from mien.merging import MergeOptions, apply, face_alpha, paste_matrix, plate_crop, to_frame
from mien.stages import Blended
from mien.types import Face, FaceType, Frame, Swap

DTYPES = ["uint8", "uint16", "float32"]


def picture(height, width, dtype="uint8", seed=0):
    """Noise; a float one also holds what float plates hold: above white, below black, -0."""
    rng = np.random.default_rng(seed)
    if dtype != "float32":
        return rng.integers(0, np.iinfo(dtype).max, (height, width, 3), dtype, endpoint=True)
    image = rng.normal(0.5, 1.0, (height, width, 3)).astype(np.float32)
    image[rng.random(image.shape) < 0.1] = -0.0
    return image


def placed_square(x, y, side, angle, size):
    """Matrix to a crop of `size` that shows the square of `side` around (x, y)."""
    c, s = np.cos(angle) * size / side, np.sin(angle) * size / side
    linear = np.array([[c, -s], [s, c]])
    return np.column_stack((linear, size / 2 - linear @ (x, y)))


def overlay(placed):
    return Blended(image=placed.pair.swap, alpha=placed.pair.alpha)


def unchanged(before, after):
    """Which pixels have the very same bits.  # (H, W)"""
    bits = {1: np.uint8, 2: np.uint16, 4: np.uint32}[before.dtype.itemsize]
    return (before.view(bits) == after.view(bits)).all(-1)


squares = st.tuples(
    st.floats(-30, 70),
    st.floats(-30, 70),
    st.floats(1, 200),
    st.floats(-3.1, 3.1),
    st.integers(1, 40),
)


@settings(deadline=None)
@given(
    dtype=st.sampled_from(DTYPES),
    height=st.integers(1, 48),
    width=st.integers(1, 48),
    where=st.lists(squares, max_size=4),
    options=st.builds(
        MergeOptions,
        mask=st.just("full"),
        erode=st.floats(-25, 25),
        blur=st.floats(0, 50),
        scale=st.floats(-50, 50),
    ),
)
def test_pixels_under_no_face_keep_their_bits(dtype, height, width, where, options):
    frame = Frame(index=0, image=picture(height, width, dtype))
    covered = np.zeros((height, width), bool)
    faces = []
    for k, (x, y, side, angle, size) in enumerate(where):
        swap = Swap(
            image=as_float(picture(size, size, seed=k)),
            matrix=placed_square(x, y, side, angle, size),
        )
        alpha = face_alpha(frame, Face(box=(0, 0, 1, 1)), swap, options)
        placed = to_frame(frame, swap.image, alpha, paste_matrix(swap, options))
        x0, y0, x1, y1 = placed.box
        covered[y0:y1, x0:x1] |= placed.pair.alpha[..., 0] > 0
        faces.append((placed, overlay(placed)))
    result = apply(frame, faces)
    assert result.image.dtype == dtype
    assert unchanged(frame.image, result.image)[~covered].all()
    assert np.isfinite(result.image.astype(np.float64)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_under_full_alpha_the_swap_stands_and_under_half_the_mean(dtype):
    frame = Frame(index=0, image=picture(60, 60, dtype))
    matrix = placed_square(30, 30, 40, 0, 40)
    swap = np.full((40, 40, 3), 0.25, np.float32)
    for share in (1.0, 0.5):
        placed = to_frame(frame, swap, np.full((40, 40, 1), share, np.float32), matrix)
        seen = apply(frame, [(placed, overlay(placed))]).image[12:48, 12:48]
        plate = as_float(frame.image)[12:48, 12:48]
        wanted = as_dtype(plate + np.float32(share) * (np.float32(0.25) - plate), dtype)
        off = np.abs(seen.astype(np.float64) - wanted).max()
        assert off <= (1e-5 if dtype == "float32" else 1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_mix_is_the_plate_and_the_masked_difference(dtype):
    frame = Frame(index=0, image=picture(40, 48, dtype))
    rng = np.random.default_rng(1)
    swap = rng.random((40, 48, 3), dtype=np.float32)
    alpha = rng.random((40, 48, 1), dtype=np.float32)
    placed = to_frame(frame, swap, alpha, np.eye(2, 3))
    plate = placed.pair.plate.astype(np.float64)
    wanted = plate + (placed.pair.swap - plate) * placed.pair.alpha
    if dtype != "float32":
        wanted = np.clip(wanted, 0, 1) * np.iinfo(dtype).max
    x0, y0, x1, y1 = placed.box
    mixed = apply(frame, [(placed, overlay(placed))]).image[y0:y1, x0:x1]
    assert abs(mixed - wanted).max() < {"uint8": 0.5001, "uint16": 0.52, "float32": 1e-6}[dtype]


def test_a_later_face_lies_over_an_earlier_one():
    frame = Frame(index=0, image=picture(50, 50))
    faces = []
    for x, value in ((20, 0.2), (30, 0.8)):
        image = np.full((24, 24, 3), value, np.float32)
        matrix = placed_square(x, 25, 24, 0, 24)
        placed = to_frame(frame, image, np.ones((24, 24, 1), np.float32), matrix)
        faces.append((placed, overlay(placed)))
    both = apply(frame, faces).image
    assert (both[25, 12:17] == 51).all()
    assert (both[25, 22:40] == 204).all()
    one_by_one = apply(apply(frame, faces[:1]), faces[1:]).image
    assert np.array_equal(both, one_by_one)


def test_the_frame_given_is_left_alone_and_its_other_facts_are_kept():
    frame = Frame(index=5, image=picture(30, 30, "uint16"), pts=77, bits=10, name="shot")
    before = frame.image.copy()
    matrix = placed_square(15, 15, 20, 0, 20)
    placed = to_frame(
        frame, np.zeros((20, 20, 3), np.float32), np.ones((20, 20, 1), np.float32), matrix, track=3
    )
    result = apply(frame, [(placed, overlay(placed))])
    assert np.array_equal(frame.image, before)
    assert (result.index, result.pts, result.bits, result.name) == (5, 77, 10, "shot")
    assert (placed.pair.frame_index, placed.pair.track) == (5, 3)


@pytest.mark.parametrize("x", [-500.0, 500.0])
def test_a_face_beside_the_frame_is_empty_and_changes_nothing(x):
    frame = Frame(index=0, image=picture(40, 40))
    placed = to_frame(
        frame,
        np.zeros((16, 16, 3), np.float32),
        np.ones((16, 16, 1), np.float32),
        placed_square(x, 20, 30, 0.3, 16),
    )
    assert placed.is_empty
    assert np.array_equal(apply(frame, [(placed, overlay(placed))]).image, frame.image)


def test_a_face_with_no_alpha_is_empty():
    frame = Frame(index=0, image=picture(40, 40))
    zero = np.zeros((16, 16, 1), np.float32)
    matrix = placed_square(20, 20, 30, 0, 16)
    assert to_frame(frame, np.zeros((16, 16, 3), np.float32), zero, matrix).is_empty


def test_only_the_part_with_alpha_is_warped():
    frame = Frame(index=0, image=picture(100, 100))
    alpha = np.zeros((80, 80, 1), np.float32)
    alpha[20:30, 40:55] = 1
    matrix = placed_square(50, 50, 80, 0, 80)
    placed = to_frame(frame, np.zeros((80, 80, 3), np.float32), alpha, matrix)
    x0, y0, x1, y1 = placed.box
    assert (x0, y0) >= (47, 27)
    assert (x1, y1) <= (69, 44)
    whole = to_frame(frame, np.zeros((80, 80, 3), np.float32), np.ones_like(alpha), matrix)
    inside = np.zeros((100, 100), bool)
    inside[30:40, 50:65] = True
    assert (placed.pair.alpha[..., 0] == 1).sum() == inside.sum()
    assert whole.pair.alpha.shape[0] >= 80


def test_the_edge_of_a_bright_swap_does_not_darken():
    """The crop's black surroundings must not bleed in through interpolation."""
    frame = Frame(index=0, image=np.full((90, 90, 3), 200, np.uint8))
    swap = np.full((30, 30, 3), 200 / 255, np.float32)
    placed = to_frame(
        frame, swap, np.ones((30, 30, 1), np.float32), placed_square(45, 45, 61.3, 0.4, 30)
    )
    assert (apply(frame, [(placed, overlay(placed))]).image == 200).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_values_that_are_not_finite_keep_the_plate_and_are_reported(dtype, caplog):
    frame = Frame(index=12, image=np.abs(picture(50, 50, dtype)))
    swap = np.full((30, 30, 3), 0.5, np.float32)
    swap[10:20, 10:20, 1] = np.nan
    swap[0, 0, 0] = np.inf
    matrix = placed_square(25, 25, 30, 0, 30)
    with caplog.at_level(logging.WARNING, "mien.merging"):
        placed = to_frame(frame, swap, np.ones((30, 30, 1), np.float32), matrix)
    assert "frame 12: the swap holds 101 pixels that are not finite" in caplog.text
    result = apply(frame, [(placed, overlay(placed))]).image
    assert np.isfinite(result.astype(np.float64)).all()
    assert unchanged(frame.image, result)[21:29, 21:29].all()
    assert (as_float(result)[13:18, 13:37] - 0.5).max() < 0.01


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_blend_that_is_not_finite_keeps_the_plate_and_is_reported(dtype, caplog):
    frame = Frame(index=3, image=picture(50, 50, dtype))
    matrix = placed_square(25, 25, 30, 0, 30)
    placed = to_frame(
        frame, np.ones((30, 30, 3), np.float32), np.ones((30, 30, 1), np.float32), matrix
    )
    image = placed.pair.swap.copy()
    image[8:12, 8:12] = np.nan
    image[20, 20] = np.inf
    with caplog.at_level(logging.WARNING, "mien.merging"):
        result = apply(frame, [(placed, Blended(image=image, alpha=placed.pair.alpha))]).image
    assert "frame 3: the blend holds 17 pixels that are not finite" in caplog.text
    x0, y0, *_ = placed.box
    kept = unchanged(frame.image, result)
    assert kept[y0 + 8 : y0 + 12, x0 + 8 : x0 + 12].all()
    assert kept[y0 + 20, x0 + 20]
    assert not kept[y0 + 14, x0 + 14]


def test_odd_values_of_a_float_plate_stay_where_no_face_is():
    image = picture(40, 40, "float32")
    image[0, 0], image[1, 1], image[20, 20] = np.nan, np.inf, np.nan
    frame = Frame(index=0, image=image)
    matrix = placed_square(20, 20, 20, 0, 20)
    alpha = np.ones((20, 20, 1), np.float32)
    placed = to_frame(frame, np.zeros((20, 20, 3), np.float32), alpha, matrix)
    kept = unchanged(image, apply(frame, [(placed, overlay(placed))]).image)
    assert kept[0, 0]
    assert kept[1, 1]
    assert kept[20, 20]


def test_a_blend_of_the_wrong_shape_is_a_fault_of_its_plugin():
    frame = Frame(index=4, image=picture(40, 40))
    matrix = placed_square(20, 20, 20, 0, 20)
    placed = to_frame(
        frame, np.zeros((20, 20, 3), np.float32), np.ones((20, 20, 1), np.float32), matrix
    )
    good = overlay(placed)
    with pytest.raises(ValueError, match=r"Blended.alpha has shape"):
        Blended(image=good.image, alpha=good.alpha[1:])
    bad = Blended(image=good.image[1:], alpha=good.alpha[1:])
    with pytest.raises(StageError, match=r"the blend gave an image of shape .* for frame 4"):
        apply(frame, [(placed, bad)])


def face_of(x=70.0, y=60.0, height=60.0, angle=0.15):
    points = HEAD_MODEL[:, :2] * (height / 140)
    c, s = np.cos(angle), np.sin(angle)
    points = (points @ np.array([[c, s], [-s, c]]) + (x, y)).astype(np.float32)
    return Face(box=(0, 0, 1, 1), landmarks=points)


def smooth(height, width, dtype):
    y, x = np.mgrid[:height, :width].astype(np.float32)
    waves = [np.sin(x / 9 + y / 23 + k) * np.cos(y / 8 - x / 31 + 2 * k) for k in range(3)]
    return as_dtype((0.5 + 0.4 * np.stack(waves, -1)).astype(np.float32), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("face_type", list(FaceType))
@pytest.mark.parametrize("x", [70.0, 10.0])
def test_a_swap_that_is_the_plate_itself_changes_nothing_to_be_seen(dtype, face_type, x):
    frame = Frame(index=0, image=smooth(120, 140, dtype))
    face = face_of(x)
    matrix = crop_matrix(face.landmarks, face_type, 128)
    blank = Swap(image=np.zeros((128, 128, 3), np.float32), matrix=matrix)
    alpha = face_alpha(frame, face, blank, MergeOptions(mask="full"))
    placed = to_frame(frame, plate_crop(frame, blank), alpha, matrix)
    result = apply(frame, [(placed, overlay(placed))])
    assert (placed.pair.alpha > 0.9).sum() > 100
    assert np.abs(as_float(result.image) - as_float(frame.image)).max() < 2 / 255


@pytest.mark.parametrize("percent", [-30.0, 0.0, 25.0])
def test_a_positive_scale_enlarges_the_face_about_its_centre(percent):
    swap = Swap(image=np.zeros((64, 64, 3), np.float32), matrix=placed_square(50, 40, 32, 0.2, 64))
    matrix = paste_matrix(swap, MergeOptions(scale=percent))
    ends = transform(invert(matrix), np.array([[0.0, 32], [64, 32]]))
    np.testing.assert_allclose(ends.mean(0), (50, 40), atol=1e-9)
    assert np.hypot(*(ends[1] - ends[0])) == pytest.approx(32 * (1 + percent / 100))


def test_a_paste_falls_on_deepfacelabs_pixels(shared):
    """Overlay of a whole face without colour transfer, its final alpha taken from the record."""
    with np.load(shared("golden/dfl-image/merge.npz"), allow_pickle=False) as golden:
        image, diff = golden["frame_f1"].copy(), golden["diff_02"]
        landmarks = golden["landmarks_f1"][0].astype(np.float32)
        tint, pattern = golden["tint"], golden["pattern"]
    wanted = diff + np.dstack((image, np.zeros_like(image[..., :1])))  # modulo 256
    frame = Frame(index=0, image=image)
    matrix = crop_matrix(landmarks, FaceType.WHOLE, 64)
    blank = Swap(image=np.zeros((64, 64, 3), np.float32), matrix=matrix)
    swap = np.clip(0.7 * plate_crop(frame, blank) + tint + pattern, 0, 1).astype(np.float32)
    placed = to_frame(frame, swap, np.ones((64, 64, 1), np.float32), matrix)
    x0, y0, x1, y1 = placed.box
    alpha = as_float(np.ascontiguousarray(wanted[y0:y1, x0:x1, 3:]))
    result = apply(frame, [(placed, Blended(image=placed.pair.swap, alpha=alpha))]).image
    off = np.abs(result.astype(int) - wanted[..., :3])[wanted[..., 3] > 0]
    # Up to 2: other OpenCV, truncated instead of rounded.  Beyond, at the rim of the crop and of
    # the picture: DeepFaceLab lets the black around bleed in, and shrinks without averaging.
    assert off.mean() < 0.8
    assert (off > 2).mean() < 0.02
    assert off.max() <= 10
