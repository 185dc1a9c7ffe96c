"""The order of learning: every face has its turn, or every direction of looking has."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from mien.training.data.deck import Deck, YawDeck, spread_evenly, yaw_bins


def shuffle(name: str, number: int, count: int) -> list[int]:
    order: list[int] = np.random.default_rng([*name.encode(), number]).permutation(count).tolist()
    return order


@given(count=st.integers(1, 12), batch=st.integers(1, 9), start=st.integers(0, 30))
def test_every_face_has_its_turn_before_any_comes_again(count: int, batch: int, start: int) -> None:
    cards = range(0, 3 * count, 3)
    deck = Deck(cards, batch, shuffle)
    dealt = [card for number in range(40) for card in deck.hand(number)]
    for first in range(0, len(dealt) - count + 1, count):
        assert sorted(dealt[first : first + count]) == list(cards)
    later = Deck(cards, batch, shuffle)
    assert later.hand(start) == dealt[start * batch : (start + 1) * batch]
    assert later.rounds(start) == start * batch // count


@given(
    yaws=st.lists(st.floats(-1.6, 1.6), min_size=1, max_size=12),
    batch=st.integers(1, 9),
    start=st.integers(0, 30),
)
def test_every_direction_has_its_turn_before_any_comes_again(
    yaws: list[float], batch: int, start: int
) -> None:
    places = yaw_bins(yaws)
    deck = YawDeck(range(len(yaws)), yaws, batch, shuffle)
    dealt = [card for number in range(60) for card in deck.hand(number)]
    bins = len(set(places))
    for first in range(0, len(dealt) - bins + 1, bins):
        assert len({places[card] for card in dealt[first : first + bins]}) == bins
    for place in set(places):
        own = [card for card in dealt if places[card] == place]
        size = places.count(place)
        assert len(set(own[:size])) == min(size, len(own))
    later = YawDeck(range(len(yaws)), yaws, batch, shuffle)
    assert later.hand(start) == dealt[start * batch : (start + 1) * batch]


def test_one_look_to_the_side_is_shown_as_often_as_all_looks_ahead() -> None:
    yaws = [0.0] * 30 + [0.8]
    dealt = [card for n in range(50) for card in YawDeck(range(31), yaws, 4, shuffle).hand(n)]
    assert Counter(card == 30 for card in dealt) == {True: 100, False: 100}


def test_bins_are_those_of_128_values_from_end_to_end() -> None:
    step = 2.4 / 127
    assert yaw_bins([-9, -1.2, -1.2 + 0.9 * step, -1.2 + 1.1 * step, 1.19, 1.2, 9]) == [
        *(0, 0, 0, 1),
        *(126, 127, 127),
    ]


@given(count=st.integers(1, 50), wanted=st.integers(1, 60))
def test_a_selection_runs_from_the_first_to_the_last(count: int, wanted: int) -> None:
    chosen = spread_evenly(count, wanted)
    assert len(set(chosen)) == len(chosen) == min(count, wanted)
    assert chosen[0] == 0
    assert wanted == 1 or chosen[-1] == count - 1
