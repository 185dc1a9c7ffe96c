import subprocess
import sys

import cv2
import numpy as np
import pytest
from mien.geometry import (
    HEAD_MODEL,
    crop_matrix,
    crop_to_bgr,
    invert,
    make_crop,
    transform,
    warp,
)
from mien.types import CropSpec, Face, FaceType, Frame


def smooth_picture(height=260, width=300):
    """Waves of 40 to 90 pixels: any shift of it shows in its gradient."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    waves = [np.sin(x / 9 + y / 23 + k) * np.cos(y / 8 - x / 31 + 2 * k) for k in range(3)]
    return (0.5 + 0.4 * np.stack(waves, -1)).astype(np.float32)


def landmarks(x=150.0, y=130.0, height=90.0, angle=0.2):
    points = HEAD_MODEL[:, :2] * (height / 140)
    c, s = np.cos(angle), np.sin(angle)
    return (points @ np.array([[c, s], [-s, c]]) + (x, y)).astype(np.float32)


def shift_between(before, after, where):
    """(dx, dy) by which `after` is moved, in pixels, by least squares over the gradient."""
    gy, gx = np.gradient(before, axis=(0, 1))
    slopes = np.column_stack((gx[where].ravel(), gy[where].ravel()))
    return np.linalg.lstsq(slopes, -(after - before)[where].ravel(), rcond=None)[0]


@pytest.mark.parametrize("face_type", list(FaceType))
@pytest.mark.parametrize("size", [48, 64, 97, 128, 256, 640])
def test_a_picture_does_not_move_on_its_way_into_a_crop_and_back(face_type, size):
    picture = smooth_picture()
    matrix = crop_matrix(landmarks(), face_type, size)
    crop = warp(picture, matrix, size, cubic=True)
    back = warp(crop, invert(matrix), (300, 260), cubic=True)
    seen = warp(np.ones((size, size, 1), np.float32), invert(matrix), (300, 260))[..., 0]
    inner = np.zeros_like(seen, dtype=bool)
    inner[12:-12, 12:-12] = cv2.erode(seen, np.ones((25, 25)))[12:-12, 12:-12] == 1
    assert inner.sum() > 500
    dx, dy = shift_between(picture, back, inner)
    assert np.hypot(dx, dy) < 0.02
    assert np.abs(back - picture)[inner].max() < (0.02 if size > 48 else 0.08)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("zoom", [0.1, 0.3, 0.7, 1.0, 3.0])
@pytest.mark.parametrize("cubic", [False, True])
def test_every_dtype_is_kept_and_flat_colour_stays_flat(dtype, zoom, cubic):
    value = 0.5 if dtype == "float32" else np.iinfo(dtype).max // 2
    picture = np.full((70, 90, 3), value, dtype)
    matrix = np.array([[zoom, 0, 0], [0, zoom, 0]])
    out = warp(picture, matrix, (20, 9), cubic=cubic, border="replicate")
    assert out.shape == (9, 20, 3)
    assert out.dtype == dtype
    assert np.abs(out.astype(float) - value).max() <= (1e-6 if dtype == "float32" else 0)


def test_a_mask_keeps_its_one_channel_and_a_grey_picture_none():
    matrix = np.eye(2, 3)
    assert warp(np.ones((8, 9, 1), np.float32), matrix, 5).shape == (5, 5, 1)
    assert warp(np.ones((8, 9), np.float32), matrix, (4, 3)).shape == (3, 4)


def test_shrinking_averages_instead_of_picking_pixels():
    stripes = np.zeros((256, 256, 1), np.float32)
    stripes[:, ::2] = 1
    small = warp(stripes, np.array([[0.125, 0, 0], [0, 0.125, 0]]), 32)
    np.testing.assert_allclose(small[2:-2, 2:-2], 0.5, atol=0.02)


@pytest.mark.parametrize("factor", [2, 3, 5, 8])
def test_shrinking_by_a_whole_number_is_the_mean_over_squares(factor):
    picture = np.random.default_rng(2).random((40 * factor, 30 * factor, 3), dtype=np.float32)
    middle = (factor - 1) / 2
    matrix = np.array([[1, 0, -middle], [0, 1, -middle]]) / factor
    wanted = picture.reshape(40, factor, 30, factor, 3).mean((1, 3))
    np.testing.assert_allclose(warp(picture, matrix, (30, 40)), wanted, atol=1e-5)


def test_shrinking_a_part_gives_the_part_of_the_shrunken_whole():
    picture = smooth_picture()
    for offset in (-37.5, 0.0, 11.3):
        matrix = np.array([[0.31, 0.02, offset], [-0.02, 0.31, 4.0]])
        moved = matrix - np.array([[0, 0, 20.0], [0, 0, 30.0]])
        whole, part = warp(picture, matrix, (90, 80)), warp(picture, moved, (40, 30))
        np.testing.assert_allclose(part, whole[30:60, 20:60], atol=1e-5)


@pytest.mark.parametrize("zoom", [0.05, 0.4, 1.0, 4.0])
@pytest.mark.parametrize("x", [-5000, 5000])
def test_beside_the_picture_lies_black_or_its_edge(zoom, x):
    picture = np.full((30, 40, 3), 200, np.uint8)
    matrix = np.array([[zoom, 0, x], [0, zoom, 0]])
    assert not warp(picture, matrix, 16).any()
    assert (warp(picture, matrix, 16, border="replicate") == 200).all()


@pytest.mark.parametrize("zoom", [1.6, 2.6, 3.7, 6.0])
@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_a_quick_enlargement_is_nearly_the_cubic_one(zoom, channels):
    image = np.random.default_rng(0).random((60, 50, *channels), dtype=np.float32)
    image = cv2.GaussianBlur(image, (0, 0), 1).reshape(image.shape)
    image = (image - image.min()) / np.ptp(image)
    c, s = zoom * np.cos(0.3), zoom * np.sin(0.3)
    matrix = np.array([[c, -s, 12.3], [s, c, -40.7]])
    size = (int(50 * zoom), int(70 * zoom))
    exact = warp(image, matrix, size, cubic=True, border="replicate")
    quick = warp(image, matrix, size, cubic=True, border="replicate", quick=True)
    assert quick.shape == exact.shape
    assert np.sqrt(np.square(quick - exact).mean()) < 2.5 / 255
    assert abs(quick.mean() - exact.mean()) < 1e-3


def test_a_quick_enlargement_does_not_move_the_picture():
    ramp = np.tile(np.linspace(0, 1, 50, dtype=np.float32), (50, 1))
    for zoom in (2.6, 3.3, 5.2):
        matrix = np.array([[zoom, 0, 0.4], [0, zoom, 0.7]])
        seen = warp(ramp, matrix, int(50 * zoom), cubic=True, border="replicate", quick=True)
        at = (np.arange(seen.shape[1]) - 0.4) / zoom / 49
        inside = (at > 0.06) & (at < 0.94)
        assert abs(seen - at)[:, inside].max() < 1.5 / 32 / 49  # OpenCV's step of places


def test_nothing_warps_to_nothing():
    picture = np.ones((4, 4, 3), np.uint8)
    assert warp(picture, np.eye(2, 3), (0, 7)).shape == (7, 0, 3)
    assert not warp(picture[:0], np.eye(2, 3), 5).any()


def frame_and_face(dtype="uint8"):
    picture = smooth_picture()
    if dtype != "float32":
        picture = np.rint(picture * np.iinfo(dtype).max).astype(dtype)
    return Frame(index=7, image=picture), Face(box=(0, 0, 1, 1), landmarks=landmarks())


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize(
    "spec",
    [
        CropSpec(size=64),
        CropSpec(size=64, order="rgb", low=-1, high=1),
        CropSpec(size=64, dtype="uint8", order="rgb"),
        CropSpec(size=64, face_type=FaceType.HEAD, scale=1.5, low=0, high=255),
    ],
)
def test_a_crop_has_the_form_its_spec_asks_for_and_comes_back_from_it(dtype, spec):
    frame, face = frame_and_face(dtype)
    crop = make_crop(frame, face, spec)
    assert crop.image.dtype == spec.dtype
    assert crop.frame_index == 7
    matrix = crop_matrix(face.landmarks, spec.face_type, 64, spec.scale)
    np.testing.assert_array_equal(crop.matrix, matrix)
    np.testing.assert_allclose(crop.landmarks, transform(matrix, face.landmarks), atol=1e-4)
    wanted = np.clip(warp(smooth_picture(), matrix, 64, cubic=True), 0, 1)
    unit = crop_to_bgr(crop.image, spec)
    assert unit.dtype == np.float32
    np.testing.assert_allclose(unit, wanted, atol=1.5 / 255)


def test_a_crop_is_black_where_it_leaves_the_frame():
    frame, _ = frame_and_face()
    face = Face(box=(0, 0, 1, 1), landmarks=landmarks(x=0.0, angle=0.0))
    crop = make_crop(frame, face, CropSpec(size=64, low=-1, high=1))
    np.testing.assert_allclose(crop.image[:, :24], -1, atol=1e-6)
    assert crop.image[:, 40:].min() > -1


def test_highlights_above_white_are_clipped_in_a_float_crop():
    frame = Frame(index=0, image=np.full((200, 200, 3), 4, np.float32))
    face = Face(box=(0, 0, 1, 1), landmarks=landmarks(x=100, y=100))
    assert make_crop(frame, face, CropSpec(size=32)).image.max() == 1


def test_a_face_without_landmarks_needs_an_aligner():
    frame, _ = frame_and_face()
    with pytest.raises(ValueError, match="frame 7 has no landmarks: it needs an aligner"):
        make_crop(frame, Face(box=(0, 0, 1, 1)), CropSpec())


def test_importing_geometry_brings_no_cv2():
    code = "import sys, mien.geometry, mien.merging; sys.exit('cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_blind_crop_knows_all_but_the_picture() -> None:
    face = Face(box=(40, 40, 120, 120), landmarks=landmarks(100, 100))
    frame = Frame(index=3, image=np.full((200, 200, 3), 90, np.uint8))
    for spec in (CropSpec(size=32), CropSpec(size=32, dtype="uint8"), CropSpec(size=32, low=-1.0)):
        seen, blind = make_crop(frame, face, spec), make_crop(frame, face, spec, blind=True)
        assert (blind.image == spec.low).all()
        assert blind.image.shape == seen.image.shape
        assert blind.image.dtype == seen.image.dtype
        assert np.array_equal(blind.matrix, seen.matrix)
        assert np.array_equal(blind.landmarks, seen.landmarks)
