import cv2
import numpy as np
import pytest
from mien.stages import ColorPair, Neighbours
from mien_color_steady import Options, create
from mien_color_steady.look import look_at, robust_mean

SIZE = 64
LAB = 0.5  # OpenCV's table, and 32 x 32 means


def face(seed=1):
    """A smooth face-like picture: skin with darker places."""
    rng = np.random.default_rng(seed)
    shade = cv2.GaussianBlur(rng.random((SIZE, SIZE)).astype(np.float32), (0, 0), 4)
    shade = 0.75 + 2.5 * (shade - shade.mean())
    return np.clip(np.float32([0.45, 0.55, 0.75]) * shade[..., None], 0, 1).astype(np.float32)


def oval(shift=0):
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    return ((np.hypot(x - shift, y) < 24).astype(np.float32))[..., None]


def pair(swap, plate, index, area=None, track=1):
    area = oval() if area is None else area
    return ColorPair(swap=swap, plate=plate, area=area, frame_index=index, track=track)


def run(pairs, **options):
    stage = create(Options(**options), None)
    reach = stage.window[0]
    items = [
        Neighbours(
            item=each,
            before=tuple(pairs[max(0, i - reach) : i]),
            after=tuple(pairs[i + 1 : i + 1 + reach]),
        )
        for i, each in enumerate(pairs)
    ]
    return [
        result for start in range(0, len(items), 8) for result in stage(items[start : start + 8])
    ]


def mean_lab(image, inside=None):
    lab = cv2.cvtColor(image, cv2.COLOR_BGR2LAB)
    return lab[oval()[..., 0] > 0 if inside is None else inside].mean(axis=0)


def lit(image, gain):
    return np.clip(image * np.float32(gain), 0, 1).astype(np.float32)


def flicker(results):
    return np.std(np.diff([mean_lab(each) for each in results], axis=0), axis=0).max()


def test_the_swap_gets_the_plates_colours():
    swap, plate = face(1), lit(face(1), (1.15, 0.9, 0.8))
    (result,) = run([pair(swap, plate, 0)])
    np.testing.assert_allclose(mean_lab(result), mean_lab(plate), atol=2 * LAB)


def test_a_still_face_does_not_flicker_with_a_noisy_plate():
    rng = np.random.default_rng(0)
    plates = [lit(face(), 1 + 0.02 * rng.standard_normal()) for _ in range(16)]
    pairs = [pair(face(2), plate, i) for i, plate in enumerate(plates)]
    steady, alone = flicker(run(pairs)), flicker(run(pairs, frames=0))
    assert steady < 0.35 * alone


def test_a_flickering_swap_comes_to_rest():
    rng = np.random.default_rng(0)
    swaps = [lit(face(2), 1 + 0.03 * rng.standard_normal()) for _ in range(16)]
    pairs = [pair(swap, face(), i) for i, swap in enumerate(swaps)]
    assert flicker(run(pairs)) < 0.2 * flicker(swaps)


def test_a_flash_is_followed_in_its_frame_and_leaves_the_others_alone():
    bright = lit(face(), 1.3)
    pairs = [pair(face(2), bright if i == 6 else face(), i) for i in range(13)]
    results = run(pairs)
    quiet = run([pair(face(2), face(), 0)])[0]
    np.testing.assert_allclose(mean_lab(results[6]), mean_lab(bright), atol=2)
    for near in (5, 7):
        np.testing.assert_allclose(mean_lab(results[near]), mean_lab(quiet), atol=0.3)


def test_a_hand_before_the_face_does_not_colour_it():
    plates = [face() for _ in range(9)]
    for plate in plates[3:6]:
        plate[20:44, 20:40] = (0.9, 0.2, 0.1)
    pairs = [pair(face(), plate, i) for i, plate in enumerate(plates)]
    alone = run([pair(face(), plates[4].copy(), 0)], frames=0)
    for result in (run(pairs)[4], alone[0]):
        np.testing.assert_allclose(mean_lab(result), mean_lab(face()), atol=1.5)


def test_a_face_that_leaves_the_picture_keeps_its_colours():
    areas = [oval() for _ in range(8)]
    for index, area in enumerate(areas):
        area[:, : 8 * index] = 0
    pairs = []
    for index, area in enumerate(areas):
        plate = lit(face(), (1.2, 0.9, 0.8))
        plate[:, : 8 * index] = 0.0
        pairs.append(pair(face(), plate, index, area=area))
    for index, result in enumerate(run(pairs)[:6]):
        shown = areas[index][..., 0] > 0
        wanted = mean_lab(lit(face(), (1.2, 0.9, 0.8)), shown)
        np.testing.assert_allclose(mean_lab(result, shown), wanted, atol=1.5)


def test_a_mouth_that_opens_is_not_taken_for_another_light():
    pairs = []
    for index in range(9):
        both = [face(), face(2)]
        if index == 4:
            for each in both:
                each[40:48, 26:38] = 0.05
        pairs.append(pair(both[1], both[0], index))
    results, cheek = run(pairs), np.zeros((SIZE, SIZE), bool)
    cheek[24:36, 16:48] = True
    np.testing.assert_allclose(mean_lab(results[4], cheek), mean_lab(results[0], cheek), atol=0.5)


def test_a_frame_depends_on_its_neighbourhood_and_not_on_where_the_run_began():
    rng = np.random.default_rng(0)
    pairs = [pair(face(2), lit(face(), 1 + 0.02 * rng.standard_normal()), i) for i in range(20)]
    whole, late = run(pairs, frames=3), run(pairs[5:], frames=3)
    for index in range(8, 20):
        np.testing.assert_array_equal(whole[index], late[index - 5])


def test_other_tracks_and_broken_runs_of_frames_do_not_count():
    swap, other = face(2), lit(face(), (0.9, 0.97, 1.0))
    alone = run([pair(swap, face(), 4)])[0]
    for strangers in (
        [pair(swap, face(), 4), pair(swap, other, 5, track=2)],
        [pair(swap, face(), 4, track=-1), pair(swap, other, 6, track=-1)],
        [pair(swap, face(), 4, track=-1), pair(swap, other, 5, track=0)],
    ):
        np.testing.assert_array_equal(run(strangers)[0], alone)
    together = run([pair(swap, face(), 4, track=-1), pair(swap, other, 5, track=-1)])[0]
    assert np.abs(together - alone).max() > 1e-3


def test_a_face_in_another_light_becomes_the_plate():
    plate = face()
    for light in ((0.55, 0.6, 0.8), (1.2, 0.6, 0.4), (0.2, 0.2, 0.2), (1.1, 1.1, 1.15)):
        (result,) = run([pair(lit(plate, light), plate, 0)])
        np.testing.assert_allclose(result, plate, atol=0.02)


@pytest.mark.parametrize("contrast", [False, True])
def test_black_stays_black(contrast):
    swap, plate = face(), lit(face(), (1.3, 0.6, 0.4))
    swap[:20] = 0.0
    (result,) = run([pair(swap, plate, 0)], contrast=contrast)
    lab = cv2.cvtColor(result[:10], cv2.COLOR_BGR2LAB)
    assert np.abs(lab[..., 1:]).max() < 1.5


def test_a_soft_face_is_not_stretched_far():
    soft = cv2.GaussianBlur(face(2), (0, 0), 12)
    (result,) = run([pair(soft, face(), 0)])
    inside = oval()[..., 0] > 0
    assert result[inside].std(axis=0).max() < 1.5 * soft[inside].std(axis=0).max()


def test_strength_leads_from_the_swap_to_the_full_result():
    swap, plate = face(2), lit(face(), (1.1, 0.9, 0.9))
    none, half, full = (
        run([pair(swap, plate, 0)], strength=strength)[0] for strength in (0.0, 0.5, 1.0)
    )
    assert none is swap
    middle = (mean_lab(swap) + mean_lab(full)) / 2
    np.testing.assert_allclose(mean_lab(half), middle, atol=2 * LAB)


def test_a_tiny_area_is_not_eroded_away():
    speck = np.zeros((SIZE, SIZE, 1), np.float32)
    speck[30:32, 30:32] = 1
    look = look_at(pair(face(), face(), 0, area=speck), 0.1)
    assert look is not None
    assert look.weight.max() > 0
    assert look_at(pair(face(), face(), 0, area=speck * 0), 0.1) is None


def test_the_robust_mean_leaves_out_what_does_not_belong():
    rows = np.random.default_rng(0).normal(5, 1, (100, 3)).astype(np.float32)
    rows[:30] = 60
    centre, trust = robust_mean(rows, np.ones(100, np.float32), 2.0)
    np.testing.assert_allclose(centre, rows[30:].mean(axis=0), atol=0.3)
    assert trust[:30].max() < 0.01
    assert trust[30:].mean() > 0.3


@pytest.mark.parametrize("frames", [0, 3])
def test_the_window_is_as_wide_as_asked_for(frames):
    assert create(Options(frames=frames), None).window == (frames, frames)
