"""Grain: how much, how coarse, where; and drawn anew for every frame, but not for every run."""

import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mien.arrays import as_dtype, as_float
from mien.geometry import make_crop
from mien.merging import MergeOptions, apply, face_alpha, finish, place
from mien.merging.grain import _white, add_grain
from mien.stages import Blended
from mien.types import CropSpec, Face, FaceType, Frame, Swap, replace

LUMA = np.array([[0.114, 0.587, 0.299], [-0.0813, -0.4187, 0.5], [0.5, -0.3313, -0.1687]])
DEPTHS = ["uint8", "10 bit", "uint16", "float32"]


def rng(*seed):
    return np.random.default_rng(seed)


def flat(height=256, width=256):
    return np.full((height, width, 3), 0.5, np.float32)


def noise(sigma, coarse=0.0, size=256, seed=0):
    made = rng(seed).normal(0, 1, (size, size, 3)).astype(np.float32)
    if coarse:
        made = cv2.GaussianBlur(made, (0, 0), coarse)
    return made / made.std() * np.float32(sigma)


def disc(height=256, width=256, share=0.35):
    y, x = np.mgrid[:height, :width]
    far = np.hypot((x - width / 2) / width, (y - height / 2) / height)
    return (far < share).astype(np.float32)[..., None]


def strength(image):
    """Standard deviation in luma and the two colour differences."""
    return cv2.transform(image, LUMA.astype(np.float32)).std((0, 1))


def alike(one, other):
    return float((one * other).mean() / np.sqrt(np.square(one).mean() * np.square(other).mean()))


def neighbours(image):
    """How alike a pixel's luma is to that of the next one."""
    plane = (image @ LUMA[0]).astype(np.float32)
    plane = plane - plane.mean()
    return alike(plane[:, 1:], plane[:, :-1])


@pytest.mark.parametrize("coarse", [0.0, 0.6])
def test_the_face_gets_the_strength_and_the_size_of_the_plates_grain(coarse):
    plate = flat() + noise(0.02, coarse)
    made = add_grain(flat(), plate, disc(), 1.0, rng(1))
    np.testing.assert_allclose(strength(made), strength(plate), rtol=0.15)
    assert neighbours(made) == pytest.approx(neighbours(plate), abs=0.08)


def test_coarse_grain_stays_coarse():
    plate = flat() + noise(0.02, 1.2)
    made = add_grain(flat(), plate, disc(), 1.0, rng(1))
    assert neighbours(made) > 0.65
    np.testing.assert_allclose(strength(made), strength(plate), rtol=0.4)


def test_grey_grain_brings_no_colour():
    plate = flat() + noise(0.02)[..., :1]
    made = add_grain(flat(), plate, disc(), 1.0, rng(1))
    luma, *colours = strength(made)
    assert luma == pytest.approx(0.02, rel=0.1)
    assert max(colours) < 0.05 * luma


def test_twice_the_share_is_twice_the_grain():
    plate = flat() + noise(0.01)
    once, twice = (add_grain(flat(), plate, disc(), share, rng(1)) - 0.5 for share in (1.0, 2.0))
    np.testing.assert_allclose(twice, 2 * once, atol=1e-6)


@pytest.mark.parametrize("sigma", [0.0, 0.0008])
def test_noise_that_nobody_sees_is_not_answered(sigma):
    image = flat()
    assert add_grain(image, flat() + noise(sigma) * (sigma > 0), disc(), 1.0, rng(1)) is image


def test_hair_around_a_smooth_face_is_no_grain():
    inside = disc(share=0.45)
    plate = flat() + noise(0.05, 0.6) * (1 - inside)
    image = flat()
    assert add_grain(image, plate, disc(), 1.0, rng(1)) is image


def test_a_textured_face_before_a_smooth_wall_is_no_grain():
    plate = flat() + noise(0.05, 0.6) * disc(share=0.36)
    image = flat()
    assert add_grain(image, plate, disc(share=0.34), 1.0, rng(1)) is image


def test_the_same_draw_is_the_same_grain_whatever_came_before():
    plate = flat() + noise(0.02)
    alone = add_grain(flat(), plate, disc(), 1.0, rng(3, 1))
    for frame in range(3):
        add_grain(flat(), plate, disc(), 1.0, rng(frame, 1))
    assert np.array_equal(add_grain(flat(), plate, disc(), 1.0, rng(3, 1)), alone)
    other = add_grain(flat(), plate, disc(), 1.0, rng(4, 1))
    assert abs(alike(other - 0.5, alone - 0.5)) < 0.05


@pytest.mark.parametrize("side", [250, 700])
def test_noise_repeats_neither_in_a_frame_nor_from_frame_to_frame(side):
    planes = [_white(side, side, rng(seed)) for seed in range(3)]
    for plane in planes:
        assert plane.std() == pytest.approx(1, abs=0.02)
        assert abs(plane.mean()) < 0.02
    spectra = [np.fft.rfft2(plane, (2 * side, 2 * side)) for plane in planes]
    for one in range(3):
        for other in range(one + 1):
            shifts = np.fft.irfft2(spectra[one] * np.conj(spectra[other])) / side**2
            if one == other:
                shifts[0, 0] = 0
            # A piece that comes twice makes up a half of a tile at most.
            assert np.abs(shifts).max() < 0.5


def test_most_frames_repeat_nothing_at_all():
    side, seen = 400, []
    for seed in range(12):
        power = np.abs(np.fft.rfft2(_white(side, side, rng(seed)), (2 * side, 2 * side))) ** 2
        shifts = np.fft.irfft2(power) / side**2
        shifts[0, 0] = 0
        seen.append(np.abs(shifts).max())
    assert np.median(seen) < 0.06


@settings(deadline=None, max_examples=40)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    share=st.sampled_from([0.0, 0.2, 0.5, 1.0]),
    bad=st.sampled_from([None, np.nan, np.inf, -np.inf, 1e30]),
    seed=st.integers(0, 99),
)
def test_small_faces_and_broken_plates_do_no_harm(height, width, share, bad, seed):
    plate = rng(seed).normal(0.5, 0.05, (height, width, 3)).astype(np.float32)
    if bad is not None:
        plate[rng(seed).random((height, width)) < 0.05] = bad
    image = flat(height, width)
    made = add_grain(image, plate, disc(height, width, share), 1.0, rng(seed))
    assert made.shape == image.shape
    assert made.dtype == np.float32
    assert np.isfinite(made).all()


def test_pixels_that_are_no_numbers_are_left_out_of_the_measure():
    plate = flat() + noise(0.02)
    broken = plate.copy()
    broken[100:130, 100:140] = np.nan
    made = add_grain(flat(), broken, disc(), 1.0, rng(1))
    np.testing.assert_allclose(strength(made), strength(plate), rtol=0.15)
    hurt = flat()
    hurt[5, 5] = np.nan
    made = add_grain(hurt, plate, disc(), 1.0, rng(1))
    assert np.isnan(made).any()
    assert np.isfinite(made[20:]).all()


def test_a_face_larger_than_the_sheet_of_noise_is_covered():
    plate = rng(0).normal(0.5, 0.02, (1100, 1300, 3)).astype(np.float32)
    made = add_grain(flat(1100, 1300), plate, disc(1100, 1300), 1.0, rng(1))
    parts = [strength(made[y : y + 100, x : x + 100]) for y in (0, 1000) for x in (0, 600, 1200)]
    for part in parts:
        np.testing.assert_allclose(part, strength(plate), rtol=0.2)


def frame_of(depth, picture):
    if depth == "10 bit":
        ten = np.rint(np.clip(picture, 0, 1) * 1023).astype(np.uint32)
        return ((ten * 65535 + 511) // 1023).astype(np.uint16)
    return as_dtype(picture, depth)


@pytest.mark.parametrize("depth", DEPTHS)
def test_grain_falls_on_the_face_alone_at_every_depth(depth):
    image = frame_of(depth, flat(180, 200) + rng(0).normal(0, 0.02, (180, 200, 3)))
    image = image.astype(np.float32) if depth == "float32" else image
    frame = Frame(index=0, image=image)
    matrix = np.array([[1.0, 0, -30], [0, 1.0, -20]])
    swap = Swap(image=flat(128, 128), matrix=matrix, alpha=disc(128, 128))
    options = MergeOptions(grain=100)
    placed = place(frame, swap, options)
    blended = Blended(image=placed.pair.swap, alpha=placed.pair.alpha)
    done = apply(frame, [(placed, finish(blended, placed.pair, options, rng(1)))])
    shown = np.zeros(image.shape[:2], bool)
    x0, y0, x1, y1 = placed.box
    shown[y0:y1, x0:x1] = placed.pair.alpha[..., 0] > 0
    bits = f"u{image.dtype.itemsize}"
    assert done.image.dtype == image.dtype
    assert np.array_equal(done.image[~shown].view(bits), image[~shown].view(bits))
    luma = as_float(done.image)[shown] @ LUMA[0]
    assert luma.std() == pytest.approx(0.02 * np.linalg.norm(LUMA[0]), rel=0.15)


def test_a_smooth_face_in_a_noisy_clip_is_as_restless_as_its_plate(shared):
    """From frame to frame, which is where a pasted face gives itself away."""
    path = shared("data/clips/tech_dark_noisy.mp4")
    known = json.loads(path.with_suffix(".faces.json").read_text())["frames"]
    reader, options = cv2.VideoCapture(str(path)), MergeOptions()
    rests = []
    for index in range(5):
        _, image = reader.read()
        frame, truth = Frame(index=index, image=image), known[index]["faces"][0]
        face = Face(box=tuple(truth["box"]), landmarks=np.float32(truth["lm68"]), track=0)
        crop = make_crop(frame, face, CropSpec(face_type=FaceType.WHOLE, size=128))
        swap = Swap(image=cv2.GaussianBlur(as_float(crop.image), (0, 0), 1), matrix=crop.matrix)
        swap = replace(swap, alpha=face_alpha(frame, face, swap, options))
        placed = place(frame, swap, options)
        pair, (x0, y0, x1, y1) = placed.pair, placed.box
        grained = add_grain(pair.swap, pair.plate, pair.alpha, 1.0, rng(index))
        fine = []
        for picture in (pair.plate, pair.swap, grained):
            whole = np.full(image.shape[:2], np.nan, np.float32)
            luma = (picture @ LUMA[0]).astype(np.float32)
            detail = luma - cv2.GaussianBlur(luma, (0, 0), 2)
            whole[y0:y1, x0:x1] = np.where(pair.alpha[..., 0] > 0.9, detail, np.nan)
            fine.append(whole)
        rests.append(np.stack(fine))
    reader.release()
    plate, smooth, grained = np.nanmedian(np.abs(np.diff(rests, axis=0)), axis=(0, 2, 3))
    assert smooth < 0.5 * plate
    assert grained == pytest.approx(plate, rel=0.25)
