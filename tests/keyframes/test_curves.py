"""The way from key to key."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mien.keyframes.curves import Point, value_at

EASES = st.sampled_from(["hold", "linear", "smooth"])
VALUES = st.floats(-400, 400).map(lambda value: round(value, 3))


@st.composite
def curves(draw, eases=EASES):
    frames = sorted(draw(st.sets(st.integers(0, 500), min_size=1, max_size=8)))
    return [Point(at, draw(VALUES), draw(eases)) for at in frames]


@given(curves())
def test_a_key_has_exactly_its_value(points):
    assert [value_at(points, point.at) for point in points] == [point.value for point in points]


@given(curves(), st.integers(0, 600))
def test_a_value_lies_between_those_of_its_neighbours(points, frame):
    before = [point for point in points if point.at <= frame] or points[:1]
    after = [point for point in points if point.at > frame] or points[-1:]
    low, high = sorted((before[-1].value, after[0].value))
    assert low <= value_at(points, frame) <= high


@given(curves(eases=st.just("smooth")))
def test_the_smooth_way_never_turns_between_two_keys(points):
    for start, end in pairwise(points):
        values = [value_at(points, frame) for frame in range(start.at, end.at + 1)]
        steps = [b - a for a, b in pairwise(values)]
        sign = 1 if end.value >= start.value else -1
        assert min(sign * step for step in steps) > -1e-9


@given(curves(), st.integers(0, 1000))
def test_before_the_first_and_after_the_last_key_values_hold(points, away):
    assert value_at(points, points[0].at - away) == points[0].value
    assert value_at(points, points[-1].at + away) == points[-1].value


@pytest.mark.parametrize(
    ("ease", "values"),
    [("hold", [2, 2, 2, 2, 12]), ("linear", [2, 4.5, 7, 9.5, 12]), ("smooth", None)],
)
def test_ways_known_by_hand(ease, values):
    points = [Point(10, 2, ease), Point(14, 12, ease)]
    seen = [value_at(points, frame) for frame in range(10, 15)]
    # alone between two keys the smooth way begins and ends at rest: 3t² - 2t³
    assert seen == pytest.approx(values or [2, 3.5625, 7, 10.4375, 12])


def test_the_smooth_way_passes_a_key_without_a_stop_and_rests_where_values_turn():
    points = [Point(0, 0, "smooth"), Point(10, 10, "smooth"), Point(20, 20, "smooth")]
    points += [Point(30, 0, "smooth")]
    assert value_at(points, 11) - value_at(points, 9) == pytest.approx(2, abs=0.3)
    assert abs(value_at(points, 21) - value_at(points, 19)) < 0.8


def test_a_straight_line_of_keys_is_left_straight_by_the_smooth_way_in_its_middle():
    points = [Point(10 * n, 10 * n, "smooth") for n in range(4)]
    assert [value_at(points, frame) for frame in (12, 15, 18)] == pytest.approx([12, 15, 18])
