import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mien.geometry import (
    FIT_POINTS,
    HEAD_MODEL,
    MEAN_FACE,
    align_unit,
    compose,
    crop_matrix,
    face_box,
    invert,
    transform,
)
from mien.types import FaceType

GOLDEN_NAMES = {
    "half_face": FaceType.HALF,
    "midfull_face": FaceType.MID,
    "full_face": FaceType.FULL,
    "full_face_no_align": FaceType.FULL_UPRIGHT,
    "whole_face": FaceType.WHOLE,
    "head": FaceType.HEAD,
    "head_no_align": FaceType.HEAD_UPRIGHT,
}
ANGLED = [t for t in FaceType if t not in (FaceType.FULL_UPRIGHT, FaceType.HEAD_UPRIGHT)]


def similarity(angle=0.0, zoom=1.0, x=0.0, y=0.0):
    c, s = zoom * np.cos(angle), zoom * np.sin(angle)
    return np.array([[c, -s, x], [s, c, y]])


def mean_face():
    """68 points whose fit is the identity; the jaw, which has no mean, is that of a front view."""
    jaw = HEAD_MODEL[:17, :2] / 150 + np.float32([0.5, 0.5])
    return np.concatenate((jaw, MEAN_FACE)).astype(np.float64)


similarities = st.builds(
    similarity,
    st.floats(-3.1, 3.1),
    st.floats(20, 900),
    st.floats(-500, 3000),
    st.floats(-500, 3000),
)


@given(similarities)
def test_the_fit_finds_the_similarity_that_moved_the_mean_face(moved):
    found = align_unit(transform(moved, mean_face()))
    np.testing.assert_allclose(compose(moved, found), np.eye(2, 3), atol=1e-6)


def test_the_jaw_and_the_lips_take_no_part_in_the_fit():
    points = mean_face() * 100
    others = np.setdiff1d(np.arange(68), FIT_POINTS)
    bent = points.copy()
    bent[others] += 30
    np.testing.assert_array_equal(align_unit(points), align_unit(bent))


@pytest.mark.parametrize("face_type", list(FaceType))
@given(placed=similarities, size=st.integers(16, 1024))
def test_a_crop_follows_its_face_wherever_it_goes(face_type, placed, size):
    if face_type not in ANGLED:
        placed = similarity(0.0, np.hypot(*placed[:, 0]), *placed[:, 2])
    points = mean_face() * 100
    here = transform(crop_matrix(points, face_type, size), points)
    there = transform(placed, points / 100)
    # 2e-3 of the side: the corners are float32 in frame pixels, the smallest face 20 pixels wide.
    got = transform(crop_matrix(there, face_type, size), there)
    np.testing.assert_allclose(got, here, atol=2e-3 * size)


@pytest.mark.parametrize("face_type", list(FaceType))
def test_half_the_size_is_half_the_matrix(face_type):
    points = mean_face() * 200 + 50
    full, half = (crop_matrix(points, face_type, size) for size in (256, 128))
    np.testing.assert_allclose(full / 2, half, atol=1e-9)


@pytest.mark.parametrize("face_type", list(FaceType))
def test_a_larger_scale_zooms_in_about_the_centre(face_type):
    points = mean_face() * 200 + 50
    plain, zoomed = (crop_matrix(points, face_type, 256, scale) for scale in (1.0, 2.0))
    centre = transform(invert(plain), np.array([[128.0, 128.0]]))
    np.testing.assert_allclose(transform(zoomed, centre), [[128, 128]], atol=1e-3)
    np.testing.assert_allclose(zoomed[:, :2], 2 * plain[:, :2], atol=1e-4)


def test_face_types_show_more_and_more_of_the_head():
    points = mean_face() * 200
    zooms = [np.hypot(*crop_matrix(points, face_type, 256)[:, 0]) for face_type in ANGLED]
    assert zooms == sorted(zooms, reverse=True)
    sides = [256 / (200 * zoom) for zoom in zooms]
    np.testing.assert_allclose(sides, [1.0, 1.19092, 1.59662, 2.13137, 2.97990], rtol=1e-4)


def test_a_full_crop_is_centred_and_a_whole_one_looks_at_the_forehead():
    points = mean_face() * 200
    for face_type, centre in ((FaceType.FULL, (0.5, 0.5)), (FaceType.WHOLE, (0.5, 0.43))):
        matrix = crop_matrix(points, face_type, 256)
        np.testing.assert_allclose(
            transform(matrix, np.array([centre]) * 200), [[128, 128]], atol=0.01
        )


@pytest.mark.parametrize("face_type", [FaceType.FULL_UPRIGHT, FaceType.HEAD_UPRIGHT])
def test_upright_crops_do_not_turn_with_the_head(face_type):
    matrix = crop_matrix(transform(similarity(0.6, 200), mean_face()), face_type, 256)
    np.testing.assert_allclose(matrix[[0, 1], [1, 0]], 0, atol=1e-6)
    assert matrix[0, 0] > 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda p: p * np.nan, "landmarks hold values that are not finite"),
        (lambda p: p * np.inf, "landmarks hold values that are not finite"),
        (lambda p: p * 0 + 7, "landmarks lie on one point or one line"),
        (lambda p: np.column_stack((p[:, 0], 2 * p[:, 0])), "landmarks lie on one point or one"),
        (lambda p: p[:5], r"landmarks have shape \(5, 2\), must be \(68, 2\)"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_points_that_are_no_face_are_refused_in_a_sentence(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        crop_matrix(change(mean_face() * 100), FaceType.FULL, 256)


@given(similarities, similarities)
def test_there_and_back_is_nowhere(first, then):
    points = mean_face()
    both = compose(first, then)
    np.testing.assert_allclose(
        transform(both, points), transform(then, transform(first, points)), rtol=1e-9
    )
    back = transform(invert(both), transform(both, points))
    np.testing.assert_allclose(back, points, atol=1e-6)


def test_a_flat_matrix_cannot_be_inverted():
    with pytest.raises(ValueError, match="cannot be inverted"):
        invert(np.array([[1.0, 2, 0], [2, 4, 0]]))


def test_points_keep_their_precision():
    matrix = similarity(0.1, 3, 5, 7)
    assert transform(matrix, np.ones((4, 2), np.float32)).dtype == np.float32
    assert transform(matrix, np.ones((4, 2), np.float64)).dtype == np.float64
    assert transform(matrix, np.ones((4, 2), np.int64)).dtype == np.float32


@given(similarities, st.integers(1, 400), st.integers(1, 400), st.integers(1, 300))
def test_the_box_holds_every_frame_pixel_that_falls_into_the_crop(placed, height, width, size):
    matrix = invert(placed) * (size / 2)
    x0, y0, x1, y1 = face_box(matrix, size, (height, width, 3))
    assert 0 <= x0 <= x1 <= width
    assert 0 <= y0 <= y1 <= height
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).reshape(-1, 2)
    seen = transform(matrix, grid.astype(np.float64))
    inside = grid[((seen > -1) & (seen < size)).all(1)]
    if len(inside):
        assert (inside >= (x0, y0)).all()
        assert (inside < (x1, y1)).all()


def test_a_crop_outside_the_frame_has_an_empty_box():
    x0, y0, x1, y1 = face_box(similarity(x=-900), 64, (100, 200, 3))
    assert x0 == x1 or y0 == y1


def test_crops_fall_on_deepfacelabs_pixels(shared):
    with np.load(shared("golden/dfl-image/align.npz"), allow_pickle=False) as golden:
        types = [GOLDEN_NAMES[str(name)] for name in golden["face_types"]]
        sizes, scales = golden["sizes"].tolist(), golden["scales"].tolist()
        landmarks, plain, zoomed = (
            golden[name] for name in ("landmarks", "mats", "mats_scaled_256")
        )
    worst = 0.0
    for points, of_plain, of_zoomed in zip(landmarks, plain, zoomed, strict=True):
        for i, face_type in enumerate(types):
            cases = [(size, 1.0, of_plain[i, k]) for k, size in enumerate(sizes)]
            cases += [(256, scale, of_zoomed[i, k]) for k, scale in enumerate(scales)]
            for size, scale, wanted in cases:
                corners = np.array([(x, y) for x in (0.0, size) for y in (0.0, size)])
                frame = transform(invert(crop_matrix(points, face_type, size, scale)), corners)
                worst = max(worst, np.abs(transform(wanted, frame) - corners).max())
    assert worst < 1e-6  # every float32 step is the same; 1e-3 would still be the same pixels


def test_the_unit_fit_is_deepfacelabs(shared):
    with np.load(shared("golden/dfl-image/align.npz"), allow_pickle=False) as golden:
        for points, wanted in zip(golden["landmarks"], golden["unit_mat"], strict=True):
            np.testing.assert_allclose(align_unit(points), wanted, atol=1e-12)


def test_a_crop_that_is_asked_for_again_is_an_array_of_its_own():
    points = mean_face() * 100
    first = crop_matrix(points, FaceType.FULL, 64)
    wanted = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(crop_matrix(points, FaceType.FULL, 64), wanted)
    points += 1
    moved = crop_matrix(points, FaceType.FULL, 64)
    np.testing.assert_allclose(moved[:, :2], wanted[:, :2], atol=1e-5)
    assert np.abs(moved[:, 2] - wanted[:, 2]).max() > 0.1
