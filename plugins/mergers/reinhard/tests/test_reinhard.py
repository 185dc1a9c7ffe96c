import cv2
import numpy as np
import pytest
from mien.geometry import crop_matrix
from mien.merging import apply, plate_crop, to_frame
from mien.stages import Blended, ColorPair
from mien.types import FaceType, Frame, Swap
from mien_color_reinhard import Options, create, mien_color_transfers

# OpenCV goes to Lab through a table: up to 0.3 Lab units, 0.6/255 there and back.
LAB, BGR = 0.3, 0.003


def crops(size=24, seed=3):
    rng = np.random.default_rng(seed)
    swap = cv2.GaussianBlur(rng.random((size, size, 3), dtype=np.float32), (5, 5), 0)
    plate = cv2.GaussianBlur(rng.random((size, size, 3), dtype=np.float32), (5, 5), 0)
    area = np.zeros((size, size, 1), np.float32)
    area[4:-4, 4:-4] = 1
    return swap * 0.3 + 0.5, plate * 0.5 + 0.2, area


def transfer(pair, **options):
    (result,) = create(Options(**options), None)([pair])
    return result


def lab_statistics(image, area):
    return cv2.meanStdDev(cv2.cvtColor(image, cv2.COLOR_BGR2LAB), mask=area.astype(np.uint8))


def test_mean_and_spread_inside_the_area_become_those_of_the_plate():
    swap, plate, area = crops()
    plate[area[..., 0] == 0] = (0, 0, 1)  # a red backdrop must not count
    result = transfer(ColorPair(swap=swap, plate=plate, area=area))
    got, wanted = lab_statistics(result, area), lab_statistics(plate, area)
    np.testing.assert_allclose(got[0], wanted[0], atol=LAB)
    np.testing.assert_allclose(got[1], wanted[1], atol=LAB)


def test_the_backdrop_counts_when_the_whole_crop_is_measured():
    swap, plate, area = crops()
    red = plate.copy()
    red[area[..., 0] == 0] = (0, 0, 1)
    pairs = [ColorPair(swap=swap, plate=each, area=area) for each in (plate, red)]
    assert np.abs(np.subtract(*(transfer(p, statistics="crop") for p in pairs))).max() > 0.05
    assert np.array_equal(*(transfer(p, statistics="area") for p in pairs))


@pytest.mark.parametrize("statistics", ["area", "crop", "dfl"])
def test_a_swap_that_has_the_colours_already_keeps_them(statistics):
    swap, _, area = crops()
    result = transfer(ColorPair(swap=swap, plate=swap, area=area), statistics=statistics)
    np.testing.assert_allclose(result, swap, atol=BGR)


def test_strength_leads_from_the_swap_to_the_full_result():
    swap, plate, area = crops()
    pair = ColorPair(swap=swap, plate=plate, area=area)
    assert transfer(pair, strength=0.0) is swap
    full, half = transfer(pair), transfer(pair, strength=0.5)
    middle = (cv2.cvtColor(swap, cv2.COLOR_BGR2LAB) + cv2.cvtColor(full, cv2.COLOR_BGR2LAB)) / 2
    np.testing.assert_allclose(cv2.cvtColor(half, cv2.COLOR_BGR2LAB), middle, atol=2 * LAB)


def test_a_flat_swap_is_shifted_to_the_mean_and_stays_finite():
    _, plate, area = crops()
    flat = np.full_like(plate, 0.5)
    result = transfer(ColorPair(swap=flat, plate=plate, area=area))
    got = cv2.cvtColor(result, cv2.COLOR_BGR2LAB)
    assert np.ptp(got, axis=(0, 1)).max() < 1e-2
    np.testing.assert_allclose(got[0, 0], lab_statistics(plate, area)[0][:, 0], atol=LAB)


def test_a_face_outside_the_picture_is_returned_as_it_came():
    swap, plate, area = crops()
    assert transfer(ColorPair(swap=swap, plate=plate, area=area * 0)) is swap


@pytest.mark.parametrize("statistics", ["area", "crop", "dfl"])
def test_the_result_stays_in_range_with_extreme_plates(statistics):
    swap, plate, area = crops()
    hard = (plate > 0.45).astype(np.float32)
    result = transfer(ColorPair(swap=swap, plate=hard, area=area), statistics=statistics)
    assert result.dtype == np.float32
    assert result.min() >= 0
    assert result.max() <= 1


@pytest.mark.parametrize(("statistics", "name"), [("crop", "rct"), ("dfl", "rct_masked")])
def test_it_gives_the_colours_that_deepfacelab_gives(shared, statistics, name):
    with np.load(shared("golden/dfl-image/color.npz"), allow_pickle=False) as golden:
        pair = ColorPair(swap=golden["src"], plate=golden["trg"], area=golden["mask_area"])
        wanted = np.clip(golden[name], 0, 1)
    # 2e-5: the last bits differ between versions of OpenCV.
    np.testing.assert_allclose(transfer(pair, statistics=statistics), wanted, atol=2e-5)


def test_a_merge_with_it_is_deepfacelabs(shared):
    """Overlay of a full face; DeepFaceLab's own final alpha is taken from the record."""
    with np.load(shared("golden/dfl-image/merge.npz"), allow_pickle=False) as golden:
        image, diff = golden["frame_f1"].copy(), golden["diff_01"]
        landmarks = golden["landmarks_f1"][0].astype(np.float32)
        tint, pattern = golden["tint"], golden["pattern"]
        mask = (golden["prd_mask"] * golden["dst_mask"])[..., None]
    wanted = diff + np.dstack((image, np.zeros_like(image[..., :1])))  # modulo 256
    frame = Frame(index=0, image=image)
    matrix = crop_matrix(landmarks, FaceType.FULL, 64)
    plate = plate_crop(frame, Swap(image=np.zeros((64, 64, 3), np.float32), matrix=matrix))
    swap = np.clip(0.7 * plate + tint + pattern, 0, 1).astype(np.float32)
    area = (mask > 1 / 255).astype(np.float32)
    swap = transfer(ColorPair(swap=swap, plate=plate, area=area), statistics="dfl")
    placed = to_frame(frame, swap, np.ones((64, 64, 1), np.float32), matrix)
    x0, y0, x1, y1 = placed.box
    alpha = wanted[y0:y1, x0:x1, 3:] / np.float32(255)
    result = apply(frame, [(placed, Blended(image=placed.pair.swap, alpha=alpha))]).image
    off = np.abs(result.astype(int) - wanted[..., :3])
    assert off.max() <= 2  # truncated there, rounded here; other OpenCV
    assert not off[wanted[..., 3] == 0].any()


def test_the_card_names_the_plugin():
    (card,) = mien_color_transfers()
    assert (card.kind, card.name) == ("color", "reinhard")


@pytest.mark.parametrize("paper", [False, True])
@pytest.mark.parametrize("clip", [False, True])
def test_it_gives_the_colours_that_faceswap_gives(shared, paper, clip):
    with np.load(shared("golden/faceswap/convert_plugins.npz"), allow_pickle=False) as golden:
        old, new, mask = (golden[name].astype(np.float32) / 255 for name in ("old", "new", "mask"))
        wanted = golden[f"color_transfer_clip{clip:d}_paper{paper:d}"]
    pair = ColorPair(swap=new, plate=old, area=mask)
    result = transfer(pair, statistics="faceswap", paper=paper, clip=clip)
    # OpenCV's 8-bit Lab differs by a step between versions, in single pixels.
    off = np.abs(result - wanted)
    assert np.mean(off > 1e-6) < 1e-3
    assert off.max() < 3 / 255


def test_numbers_that_a_model_failed_to_give_are_handed_on():
    swap, plate, area = crops()
    swap[3, 3] = np.nan
    pair = ColorPair(swap=swap, plate=plate, area=area)
    assert transfer(pair) is swap
