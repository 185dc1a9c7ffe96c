"""The controls of the new face: each does what its line of help says, and nothing at 0."""

import cv2
import numpy as np
import pytest
from mien.errors import StageError
from mien.merging import MergeOptions, finish, place
from mien.merging.enhancing import enhanced
from mien.merging.finishing import few_colours, lose_resolution, median_soften, sharpen
from mien.merging.grain import add_grain, noise_spectrum
from mien.merging.light import match_light
from mien.merging.motion import blur_along, movement
from mien.stages import Blended
from mien.types import Frame, Swap


def smooth(size=96, seed=0, base=0.5):
    y, x = np.mgrid[:size, :size].astype(np.float32)
    waves = [np.sin(x / 17 + k + seed) * np.cos(y / 23 - k) for k in range(3)]
    return (base + 0.15 * np.stack(waves, -1)).astype(np.float32)


def disc(size=96, share=0.4):
    y, x = np.mgrid[:size, :size] - size / 2
    return (np.hypot(x, y) < share * size).astype(np.float32)[..., None]


def detail(image):
    return float(np.abs(image - cv2.GaussianBlur(image, (0, 0), 2)).mean())


def noise(shape, sigma, seed=0, coarse=0.0):
    made = np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)
    if coarse:
        made = cv2.GaussianBlur(made, (0, 0), coarse)
    return made / made.std() * np.float32(sigma)


def swap_of(image, alpha=None):
    size = image.shape[0]
    matrix = np.array([[1.0, 0, -10], [0, 1.0, -10]])
    return Swap(image=image, matrix=matrix, alpha=disc(size) if alpha is None else alpha)


def test_at_0_every_control_leaves_the_picture_as_it_came():
    frame = Frame(index=0, image=(255 * smooth(120)).astype(np.uint8))
    swap = swap_of(smooth(seed=3))
    plain = place(frame, swap, MergeOptions())
    blended = Blended(image=plain.pair.swap, alpha=plain.pair.alpha)
    done = finish(blended, plain.pair, MergeOptions(), np.random.default_rng(0))
    assert np.array_equal(done.image, blended.image)


def test_sharpening_raises_detail_and_softening_lowers_it():
    image = smooth() + noise((96, 96, 3), 0.02)
    for mode in ("box", "gaussian"):
        assert detail(sharpen(image, mode, 3)) > 1.5 * detail(image)
    assert detail(sharpen(image, "none", -10)) < 0.6 * detail(image)
    assert sharpen(image, "none", 50) is image


def test_denoising_mixes_in_the_part_of_a_round_that_is_left():
    image = smooth() + noise((96, 96, 3), 0.02)
    once = cv2.medianBlur(image, 5)
    np.testing.assert_allclose(
        median_soften(image, 30, 100, 100), image * 0.7 + once * 0.3, atol=1e-6
    )
    assert np.array_equal(median_soften(image, 200, 100, 100), cv2.medianBlur(once, 5))


def test_less_resolution_is_less_detail_at_the_same_size():
    image = smooth() + noise((96, 96, 3), 0.02)
    seen = [detail(lose_resolution(image, power)) for power in (0, 40, 80, 100)]
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] < 0.3 * seen[0]


def test_a_palette_has_256_colours_and_is_near_the_picture():
    image = smooth(128)
    seen = disc(128)[..., 0] > 0
    few = few_colours(image, seen, 100)[seen]
    assert len(np.unique(few, axis=0)) <= 256
    assert np.abs(few - image[seen]).mean() < 0.012
    half = few_colours(image, seen, 50)[seen]
    np.testing.assert_allclose(half, (few + image[seen]) / 2, atol=1e-6)


def test_a_moving_face_is_blurred_along_its_way_only():
    stripes = np.zeros((64, 64, 3), np.float32)
    stripes[::4] = 1
    np.testing.assert_allclose(blur_along(stripes, (20.0, 0.0)), stripes, atol=1e-5)
    assert np.ptp(blur_along(stripes, (0.0, 20.0))[20:44]) < 0.2
    assert blur_along(stripes, (0.2, 0.1)) is stripes


def test_a_face_that_is_missing_or_flat_stands_still():
    points = np.random.default_rng(0).normal(100, 20, (68, 2)).astype(np.float32)
    assert movement(points, None) == (0, 0)
    assert movement(points, np.zeros((68, 2), np.float32)) == (0, 0)
    assert movement(points, points + np.float32(5)) == pytest.approx((5, 5), abs=0.01)


@pytest.mark.parametrize("coarse", [0.0, 1.2])
def test_grain_is_measured_by_strength_and_size(coarse):
    image = smooth(256) + noise((256, 256, 3), 0.02, coarse=coarse)
    spectrum = noise_spectrum(image, np.ones((256, 256), bool))
    clean = noise_spectrum(smooth(256), np.ones((256, 256), bool))
    assert spectrum[0].mean() > 50 * clean[0].mean()
    along = np.abs(np.fft.fftfreq(16))
    high, low = spectrum[0][along > 0.35][:, along > 0.35], spectrum[0][2:4, 2:4]
    assert (high.mean() / low.mean() > 0.5) == (coarse == 0.0)


@pytest.mark.parametrize("coarse", [0.0, 1.2])
def test_a_clean_face_gets_the_grain_of_its_plate(coarse):
    plate = smooth(256) + noise((256, 256, 3), 0.02, coarse=coarse)
    face, alpha = smooth(256, seed=2), disc(256)
    made = add_grain(face, plate, alpha, 1.0, np.random.default_rng(1))
    everywhere = np.ones((256, 256), bool)
    got, wanted = noise_spectrum(made, everywhere), noise_spectrum(plate, everywhere)
    assert got[0].mean() == pytest.approx(wanted[0].mean(), rel=0.3)
    again = add_grain(made, plate, alpha, 1.0, np.random.default_rng(2))
    more = noise_spectrum(again, everywhere)
    assert more[0].mean() < 1.35 * got[0].mean()  # it lacks next to nothing now


def test_grain_is_the_same_for_the_same_seed_and_differs_from_frame_to_frame():
    plate = smooth(128) + noise((128, 128, 3), 0.02)
    grains = [
        add_grain(smooth(128), plate, disc(128), 1.0, np.random.default_rng(seed))
        for seed in (1, 1, 2)
    ]
    assert np.array_equal(grains[0], grains[1])
    assert not np.array_equal(grains[0], grains[2])


@pytest.mark.parametrize("size", [1, 7, 15, 40])
def test_too_little_to_measure_gives_no_grain(size):
    image = smooth(size)
    alpha = np.zeros((size, size, 1), np.float32)
    assert add_grain(image, image, alpha, 1.0, np.random.default_rng(0)) is image


def test_light_comes_from_the_plate_and_features_stay():
    face = smooth(128)
    shaded = face * np.linspace(0.6, 1.4, 128, dtype=np.float32)[:, None]
    inside = disc(128)[..., 0] > 0
    made = match_light(face, shaded, disc(128), 1.0, 0.0)
    before = np.abs(face - shaded)[inside].mean()
    assert np.abs(made - shaded)[inside].mean() < 0.35 * before
    half = match_light(face, shaded, disc(128), 0.5, 0.0)
    assert 0.5 * before < np.abs(half - shaded)[inside].mean() + 0.1 * before < before


def test_contrast_goes_to_that_of_the_plate():
    rng = np.random.default_rng(0)
    bumps = cv2.GaussianBlur(rng.normal(0, 1, (128, 128, 1)).astype(np.float32), (0, 0), 4)
    bumps = np.repeat(bumps[..., None] / bumps.std(), 3, axis=2)
    face, plate = 0.5 + 0.04 * bumps, 0.5 + 0.07 * bumps[::-1]
    inside = disc(128)[..., 0] > 0
    made = match_light(face, plate.astype(np.float32), disc(128), 0.0, 1.0)
    assert made[inside].std() == pytest.approx(0.07, rel=0.12)


def test_no_area_no_light():
    face = smooth()
    assert match_light(face, smooth(base=0.2), disc() * 0, 1.0, 1.0) is face


def test_an_enhanced_swap_lies_on_the_same_pixels():
    frame = Frame(index=0, image=np.zeros((120, 120, 3), np.uint8))
    swap = swap_of(smooth(48), disc(48))
    fine = cv2.resize(swap.image, (192, 192), interpolation=cv2.INTER_LINEAR)
    finer = enhanced(swap, fine, 0.7)
    assert finer.image.shape == (192, 192, 3)
    assert finer.alpha.shape == (192, 192, 1)
    one, other = (place(frame, each, MergeOptions()) for each in (swap, finer))
    pictures = []
    for placed in (one, other):
        whole = np.zeros((120, 120, 3), np.float32)
        x0, y0, x1, y1 = placed.box
        whole[y0:y1, x0:x1] = placed.pair.swap * (placed.pair.alpha > 0.99)
        pictures.append(whole)
    both = (pictures[0] > 0) & (pictures[1] > 0)
    assert both.sum() > 1000
    assert np.abs(pictures[0] - pictures[1])[both].max() < 0.02


def test_an_enhancer_that_gives_no_square_is_refused():
    with pytest.raises(StageError, match="the enhancer gave a picture of shape"):
        enhanced(swap_of(smooth(16), disc(16)), np.zeros((32, 30, 3), np.float32), 1.0)


def test_unsharp_leaves_what_is_nearly_flat():
    image = smooth() + noise((96, 96, 3), 0.002)
    assert np.array_equal(sharpen(image, "unsharp", 5), image)
    image[:, 48:] += 0.3
    made = sharpen(image, "unsharp", 1)
    assert np.array_equal(made[:, :40], image[:, :40])
    assert made[:, 48].mean() > image[:, 48].mean() + 0.05
