"""What of the swap is shown: which masks, where they end and how softly."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mien.errors import ConfigError
from mien.geometry import HEAD_MODEL, crop_matrix
from mien.merging import MergeOptions, face_alpha
from mien.merging.edges import move_edge, soften
from mien.options import describe, parse
from mien.types import Face, FaceMask, FaceType, Frame, Swap

SIZE = 100
HARD = {"erode": 0.0, "blur": 0.0}
FRAME = Frame(index=0, image=np.zeros((300, 300, 3), np.uint8))


def face(**masks):
    points = (HEAD_MODEL[:, :2] * 0.7 + 150).astype(np.float32)
    return Face(box=(0, 0, 1, 1), landmarks=points, masks=masks)


def swap(size=SIZE, face_type=FaceType.FULL, **masks):
    matrix = crop_matrix(face().landmarks, face_type, size)
    return Swap(image=np.zeros((size, size, 3), np.float32), matrix=matrix, masks=masks)


def band(x0, x1, size=SIZE, y0=10, y1=90):
    mask = np.zeros((size, size, 1), np.float32)
    mask[y0 * size // 100 : y1 * size // 100, x0 * size // 100 : x1 * size // 100] = 1
    return mask


def alpha_of(one_face, one_swap, frame=FRAME, **options):
    return face_alpha(frame, one_face, one_swap, MergeOptions(**options))[..., 0]


def extent(alpha):
    columns = np.nonzero((alpha > 0.5).any(0))[0]
    return columns[0], columns[-1] + 1


def test_a_mask_stored_in_another_crop_lands_on_the_same_pixels_of_the_face():
    matrix = crop_matrix(face().landmarks, FaceType.WHOLE, 300)
    mask = np.zeros((300, 300, 1), np.float32)
    mask[120:200, 130:180] = 1
    stored = face(xseg=FaceMask(mask=mask, matrix=matrix))
    alpha = alpha_of(stored, swap(), mask="xseg", **HARD)
    target = swap()
    for x, y in ((131, 121), (178, 198), (128, 150), (182, 150), (150, 118), (150, 202)):
        frame_point = np.linalg.solve(matrix[:, :2], (x, y) - matrix[:, 2])
        u, v = target.matrix[:, :2] @ frame_point + target.matrix[:, 2]
        inside = 120 <= y < 200 and 130 <= x < 180
        assert (alpha[round(v), round(u)] > 0.5) == inside


def test_auto_is_the_learned_mask_times_the_stored_ones():
    one_swap = swap(swap=band(20, 70), target=band(0, 10))
    stored = {
        name: FaceMask(mask=mask, matrix=one_swap.matrix)
        for name, mask in (("a", band(30, 90)), ("b", band(10, 60)))
    }
    assert extent(alpha_of(face(**stored), one_swap, **HARD)) == (30, 60)


def test_auto_takes_the_learned_mask_of_the_target_where_none_is_stored():
    one_swap = swap(swap=band(20, 70), target=band(40, 90))
    assert extent(alpha_of(face(), one_swap, **HARD)) == (40, 70)


def test_a_mask_that_is_not_a_number_shows_nothing():
    broken = band(20, 80)
    broken[40:60] = np.nan
    alpha = alpha_of(face(), swap(swap=broken))
    assert np.isfinite(alpha).all()
    assert not alpha[45:55].any()
    assert alpha[25, 50] > 0.9


def test_auto_is_the_hull_where_there_is_no_mask_at_all():
    auto, hull = (alpha_of(face(), swap(), mask=mask, **HARD) for mask in ("auto", "hull"))
    assert np.array_equal(auto, hull)
    assert 0.2 < auto.mean() < 0.8


@pytest.mark.parametrize(
    ("mask", "wanted"),
    [
        ("swap", (20, 60)),
        ("target", (40, 80)),
        ("swap*target", (40, 60)),
        ("swap+target", (20, 80)),
        (" swap * target + swap ", (20, 60)),
        ("full", (2, 98)),
    ],
)
def test_masks_are_named_multiplied_and_added(mask, wanted):
    alpha = alpha_of(face(), swap(swap=band(20, 60), target=band(40, 80)), mask=mask, **HARD)
    assert extent(alpha) == wanted
    assert alpha.max() == 1


def test_an_unknown_mask_is_named_with_the_nearest_known():
    with pytest.raises(ConfigError, match=r"merge.mask: no mask 'targt' here; did you mean 'targ"):
        alpha_of(face(), swap(target=band(1, 9)), mask="swap*targt".removeprefix("swap*"))


def test_the_hull_needs_landmarks():
    with pytest.raises(ConfigError, match="'hull' needs landmarks, and a face has none"):
        alpha_of(Face(box=(0, 0, 1, 1)), swap())


@pytest.mark.parametrize("size", [50, 100, 300])
@pytest.mark.parametrize("erode", [-15.0, -6.0, 0.0, 6.0, 15.0])
def test_erode_moves_the_edge_by_its_percent_of_the_side(size, erode):
    alpha = alpha_of(face(), swap(size, swap=band(30, 70, size)), mask="swap", erode=erode, blur=0)
    left, right = extent(alpha)
    assert (left / size, right / size) == pytest.approx(
        (0.3 + erode / 100, 0.7 - erode / 100), abs=0.011
    )


@pytest.mark.parametrize("size", [50, 100, 300])
def test_blur_is_as_wide_as_its_percent_and_centred_on_the_edge(size):
    one_swap = swap(size, swap=band(30, 70, size))
    row = alpha_of(face(), one_swap, mask="swap", erode=0, blur=20)[size // 2]
    rising = np.nonzero((row[: size // 2] > 1e-3) & (row[: size // 2] < 1 - 1e-3))[0]
    assert rising[0] / size == pytest.approx(0.2, abs=0.04)
    assert rising[-1] / size == pytest.approx(0.4, abs=0.04)
    assert row[round(0.3 * size) - 1 : round(0.3 * size) + 1].mean() == pytest.approx(0.5, abs=0.02)
    assert (np.diff(row[: size // 2]) >= -1e-6).all()


@settings(deadline=None, max_examples=60)
@given(
    size=st.integers(1, 130),
    erode=st.floats(-25, 25),
    blur=st.floats(0, 50),
    face_type=st.sampled_from(FaceType),
)
def test_alpha_is_0_at_the_crops_edges_whatever_is_asked(size, erode, blur, face_type):
    options = {"mask": "full", "erode": erode, "blur": blur}
    alpha = alpha_of(face(), swap(size, face_type), **options)
    assert alpha.shape == (size, size)
    assert alpha.dtype == np.float32
    assert alpha.min() >= 0
    assert alpha.max() <= 1
    rim = np.ones((size, size), bool)
    rim[2:-2, 2:-2] = False
    assert not alpha[rim].any()


def test_alpha_fades_out_before_the_edge_of_the_picture():
    one_swap = swap(face_type=FaceType.FULL)
    zoom = np.hypot(*one_swap.matrix[:, 0])
    cut = Frame(index=0, image=np.zeros((300, 150, 3), np.uint8))  # the right half is missing
    whole, half = (alpha_of(face(), one_swap, frame, mask="full") for frame in (FRAME, cut))
    u = np.arange(SIZE)
    x = (u - one_swap.matrix[0, 2]) / zoom  # the frame column of a crop column
    gone = x >= 147
    assert gone.any()
    assert not half[:, gone].any()
    clear = (149 - x) * zoom > 2 * zoom + 6
    assert np.array_equal(half[:, clear], whole[:, clear])
    assert (np.diff(half[SIZE // 2, ~clear]) <= 0).all()


def test_defaults_give_a_soft_edge_that_stays_inside_the_head():
    alpha = alpha_of(face(), swap(256, FaceType.WHOLE))
    soft = (alpha > 0.02) & (alpha < 0.98)
    assert 0.05 < soft.mean() / (alpha > 0.5).mean() < 0.6
    steep = max(np.abs(np.diff(alpha, axis=axis)).max() for axis in (0, 1))
    assert steep < 0.15
    nose = cv2.transform(face().landmarks[None, 30:31], swap(256, FaceType.WHOLE).matrix)[0, 0]
    assert alpha[round(nose[1]), round(nose[0])] == pytest.approx(1, abs=1e-5)


def test_every_option_can_stand_in_toml_and_is_bounded():
    assert parse(MergeOptions, {"mask": "a*b", "erode": 5, "blur": 0.5, "scale": -20}).erode == 5.0
    with pytest.raises(ConfigError, match=r"blur: must be 0\.\.50"):
        parse(MergeOptions, {"blur": 51})


def test_lengths_may_be_given_as_deepfacelab_counts_them():
    old = parse(MergeOptions, {"erode_pixels": 40, "blur_pixels": 400, "erode": 1})
    assert [(old.erode_in(size), old.blur_in(size)) for size in (64, 256)] == [(5, 100)] * 2
    with pytest.raises(ConfigError, match=r"erode_pixels: must be -400\.\.400"):
        parse(MergeOptions, {"erode_pixels": 401})


def test_every_option_says_what_it_does():
    assert all(info.help for info in describe(MergeOptions))


@pytest.mark.parametrize("percent", [-10.0, 10.0])
@pytest.mark.parametrize("side", ["left", "top", "right", "bottom"])
def test_one_side_moves_and_the_others_stay(side, percent):
    one_swap = swap(swap=band(30, 70, y0=30, y1=70))
    alpha = alpha_of(face(), one_swap, mask="swap", **HARD, **{f"erode_{side}": percent}) > 0.5
    rows, columns = np.nonzero(alpha.any(1))[0], np.nonzero(alpha.any(0))[0]
    edges = {"left": 30, "top": 30, "right": 70, "bottom": 70}
    edges[side] += int(percent if side in ("left", "top") else -percent)
    assert (columns[0], rows[0]) == (edges["left"], edges["top"])
    assert (columns[-1] + 1, rows[-1] + 1) == (edges["right"], edges["bottom"])


@pytest.mark.parametrize("inwards", [1, 8, 13])
def test_a_full_mask_is_eroded_from_the_crops_edge(inwards):
    eroded = move_edge(np.ones((64, 64), np.float32), inwards)
    kept = slice(inwards, 64 - inwards)
    assert eroded[kept, kept].min() == 1
    assert eroded.sum() == (64 - 2 * inwards) ** 2


@pytest.mark.parametrize("percent", [0.0, 4.0, 25.0, 50.0])
def test_a_threshold_makes_what_is_nearly_nothing_nothing_and_nearly_all_all(percent):
    ramp = np.tile(np.linspace(0, 1, SIZE, dtype=np.float32)[:, None, None], (1, SIZE, 1))
    alpha = alpha_of(face(), swap(swap=ramp), mask="swap", mask_threshold=percent, **HARD)
    line, wanted = alpha[5:-5, 50], ramp[5:-5, 50, 0].copy()
    wanted[wanted < percent / 100] = 0
    wanted[wanted > 1 - percent / 100] = 1
    assert np.abs(line - wanted).max() < 1e-6


@pytest.mark.parametrize("kind", ["gaussian", "box"])
def test_more_passes_make_the_edge_wider_and_leave_the_crops_edge_dark(kind):
    one_swap = swap(swap=np.ones((SIZE, SIZE, 1), np.float32))

    def edge(passes):
        words = {"blur": 10.0, "blur_kind": kind, "blur_passes": passes}
        alpha = alpha_of(face(), one_swap, mask="swap", erode=5.0, **words)
        assert alpha[0].max() == alpha[:, -1].max() == 0
        assert alpha[50, 50] == pytest.approx(1, abs=1e-6)
        return np.count_nonzero((alpha[50] > 0.02) & (alpha[50] < 0.98))

    assert edge(1) < edge(3)


@settings(deadline=None)
@given(
    side=st.integers(1, 60),
    boxes=st.lists(st.tuples(*[st.integers(0, 60)] * 4), max_size=2),
    erode=st.floats(-20, 20),
    blur=st.sampled_from([(), (5,), (9, 7)]),
)
def test_an_edge_is_the_same_whether_the_mask_around_it_is_looked_at_or_not(
    side, boxes, erode, blur
):
    mask = np.zeros((side, side), np.float32)
    for x0, y0, x1, y1 in boxes:
        mask[y0:y1, x0:x1] = 1
    whole = np.maximum(mask, np.float32(1e-6))  # no 0, and yet nothing to be seen
    assert abs(soften(mask, erode, blur) - soften(whole, erode, blur)).max() < 1.5e-3  # the tail
