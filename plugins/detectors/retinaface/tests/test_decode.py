"""Anchors, decoding and suppression against the published code's numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mien_retinaface.decode import decode_boxes, decode_points, make_priors, suppress

PUBLISHED = ((16, 32), (64, 128), (256, 512))


@pytest.mark.parametrize(("threshold", "name"), [(0.02, "dets_t0_02"), (0.5, "dets_t0_5")])
def test_decoding_gives_the_published_boxes_and_points(
    shared: Callable[[str], Path], threshold: float, name: str
) -> None:
    with np.load(shared("golden/nets/retinaface_decode_152x200.npz")) as golden:
        loc, scores, landms = golden["loc"], golden["conf"][:, 1], golden["landms"]
        priors, wanted = golden["priors"], golden[name]
    np.testing.assert_array_equal(make_priors(152, 200, PUBLISHED), priors)
    sure = np.flatnonzero(scores > threshold)
    boxes = decode_boxes(loc[sure], priors[sure]) * np.float32([200, 152, 200, 152])
    points = decode_points(landms[sure], priors[sure]) * np.float32([200, 152])
    kept = suppress(boxes, scores[sure], 0.4, plus_one=True)
    rows = np.column_stack([boxes, scores[sure], points.reshape(-1, 10)])[kept]
    np.testing.assert_allclose(rows, wanted, atol=1e-4)  # pixels: float32 of another order


def test_anchors_cover_a_picture_that_no_step_divides() -> None:
    priors = make_priors(33, 17, ((10, 20), (32, 64), (128, 256)))
    cells = 5 * 3 + 3 * 2 + 2 * 1
    assert priors.shape == (2 * cells, 4)
    np.testing.assert_allclose(priors[0], [4 / 17, 4 / 33, 10 / 17, 10 / 33], rtol=1e-6)
    np.testing.assert_allclose(priors[-1], [16 / 17, 48 / 33, 256 / 17, 256 / 33], rtol=1e-6)


def test_a_box_survives_up_to_the_allowed_overlap() -> None:
    boxes = np.float32([[0, 0, 10, 10], [0, 0, 10, 5], [20, 0, 30, 10]])
    scores = np.float32([0.9, 0.8, 0.95])
    assert suppress(boxes, scores, 0.5) == [2, 0, 1]
    assert suppress(boxes, scores, 0.49) == [2, 0]


def test_counting_whole_pixels_changes_small_boxes() -> None:
    boxes, scores = np.float32([[0, 0, 2, 2], [2, 0, 4, 2]]), np.float32([0.9, 0.8])
    assert suppress(boxes, scores, 0.1) == [0, 1]
    assert suppress(boxes, scores, 0.1, plus_one=True) == [0]


def test_nothing_gives_nothing() -> None:
    assert suppress(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), 0.4) == []


BOXES = st.lists(
    st.tuples(*[st.integers(0, 40)] * 2, *[st.integers(1, 30)] * 2, st.floats(0, 1, width=32)),
    min_size=1,
    max_size=30,
)


@given(BOXES, st.floats(0.1, 0.9))
def test_what_stays_does_not_overlap_and_what_goes_had_a_better_one(
    rows: list[tuple[float, ...]], overlap: float
) -> None:
    x, y, width, height, scores = np.array(rows, np.float32).T
    boxes = np.stack([x, y, x + width, y + height], axis=1)
    kept = suppress(boxes, scores, overlap)
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    inside = np.prod(np.maximum(high - low, 0), axis=2)
    shared_part = inside / ((width * height)[:, None] + (width * height)[None] - inside)
    among = shared_part[np.ix_(kept, kept)] - np.eye(len(kept))
    assert (among <= overlap + 1e-6).all()
    assert list(scores[kept]) == sorted(scores[kept], reverse=True)
    for gone in set(range(len(rows))) - set(kept):
        better = [one for one in kept if scores[one] >= scores[gone]]
        assert shared_part[gone, better].max() >= overlap - 1e-6
