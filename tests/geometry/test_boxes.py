"""Boxes: what they share, which of them stay, and what those that go have to say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mien.geometry.boxes import clusters, iou, overlap, suppress, vote


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
    none, no_scores = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
    assert suppress(none, no_scores, 0.4) == []
    assert clusters(none, no_scores, 0.4) == []
    assert vote(none, no_scores, 0.4)[0].shape == (0, 4)
    assert iou(none, none).shape == (0, 0)


def test_of_equal_scores_the_later_box_stays() -> None:
    boxes = np.float32([[0, 0, 10, 10], [0, 0, 10, 10]])
    assert suppress(boxes, np.float32([0.5, 0.5]), 0.4) == [1]


def test_boxes_without_an_inside_share_nothing() -> None:
    points = np.float32([[3, 3, 3, 3], [3, 3, 3, 3]])
    assert iou(points, points).tolist() == [[0, 0], [0, 0]]
    assert overlap((3, 3, 3, 3), (3, 3, 3, 3)) == 0
    assert suppress(points, np.float32([0.9, 0.8]), 0.4) == [0, 1]


def test_a_winner_takes_the_weighted_mean_of_those_that_fell_and_keeps_its_score() -> None:
    boxes = np.float32([[0, 0, 10, 10], [1, 0, 11, 10], [0, 3, 10, 13], [50, 50, 60, 60]])
    scores = np.float32([0.9, 0.6, 0.2, 0.7])
    voted, kept = vote(boxes, scores, 0.5)
    np.testing.assert_allclose(voted, [[0.75, 0.75, 10.75, 10.75], [50, 50, 60, 60]], rtol=1e-6)
    np.testing.assert_allclose(kept, [0.9, 0.7])


BOXES = st.lists(
    st.tuples(*[st.integers(0, 40)] * 2, *[st.integers(1, 30)] * 2, st.floats(0, 1, width=32)),
    min_size=1,
    max_size=30,
)


@given(BOXES, st.floats(0.1, 0.9))
def test_what_stays_does_not_overlap_and_what_goes_had_a_better_one(
    rows: list[tuple[float, ...]], limit: float
) -> None:
    x, y, width, height, scores = np.array(rows, np.float32).T
    boxes = np.stack([x, y, x + width, y + height], axis=1)
    kept = suppress(boxes, scores, limit)
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    inside = np.prod(np.maximum(high - low, 0), axis=2)
    shared_part = inside / ((width * height)[:, None] + (width * height)[None] - inside)
    np.testing.assert_allclose(iou(boxes, boxes), shared_part, atol=1e-6)
    among = shared_part[np.ix_(kept, kept)] - np.eye(len(kept))
    assert (among <= limit + 1e-6).all()
    assert list(scores[kept]) == sorted(scores[kept], reverse=True)
    for gone in set(range(len(rows))) - set(kept):
        better = [one for one in kept if scores[one] >= scores[gone]]
        assert shared_part[gone, better].max() >= limit - 1e-6
    groups = clusters(boxes, scores, limit)
    assert [group[0] for group in groups] == kept
    assert sorted(member for group in groups for member in group) == list(range(len(rows)))


@given(BOXES)
def test_two_boxes_and_many_are_measured_alike(rows: list[tuple[float, ...]]) -> None:
    x, y, width, height, _ = np.array(rows, np.float32).T
    boxes = np.stack([x, y, x + width, y + height], axis=1)
    one = overlap(tuple(boxes[0].tolist()), tuple(boxes[-1].tolist()))
    assert one == pytest.approx(float(iou(boxes, boxes)[0, -1]), abs=1e-6)
