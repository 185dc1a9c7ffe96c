"""From scores to masks, and the words for classes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mien.errors import ConfigError
from mien_mask_bisenet.classes import BY_COUNT, CELEBA, FACESWAP, SMALL, choose, shows_around
from mien_mask_bisenet.masks import enlarge, hard_mask, soft_mask

SCORES = arrays(np.float32, (2, 5, 3, 3), elements=st.floats(-50, 50, width=32))
CHOICES = st.lists(st.booleans(), min_size=5, max_size=5).map(np.array)


def soft_max(scores: np.ndarray) -> np.ndarray:
    raised = np.exp(scores.astype(np.float64) - scores.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)


@given(SCORES, CHOICES)
def test_at_the_net_s_own_size_a_mask_is_the_sum_of_probabilities(
    scores: np.ndarray, chosen: np.ndarray
) -> None:
    wanted = soft_max(scores)[:, chosen].sum(1)
    np.testing.assert_allclose(soft_mask(scores, chosen, 3), wanted, atol=1e-5)


@given(SCORES, CHOICES)
def test_a_choice_and_the_other_classes_make_a_whole(
    scores: np.ndarray, chosen: np.ndarray
) -> None:
    both = soft_mask(scores, chosen, 12) + soft_mask(scores, ~chosen, 12)
    np.testing.assert_allclose(both, 1, atol=1e-5)


@given(SCORES, CHOICES)
def test_a_hard_mask_holds_the_likeliest_classes(scores: np.ndarray, chosen: np.ndarray) -> None:
    wanted = enlarge(scores, 7)
    first, second = np.sort(wanted, axis=1)[:, :-3:-1].swapaxes(0, 1)
    # Of equal classes either may win by a rounding, and by no more than that.
    clear = first - second > 4 * np.finfo(np.float32).eps * np.abs(scores).max()
    mask = hard_mask(scores, chosen, 7)
    np.testing.assert_array_equal(mask[clear], chosen[wanted.argmax(1)][clear])


def test_a_class_that_wins_only_between_the_net_s_own_places_is_found() -> None:
    scores = np.zeros((1, 3, 1, 2), np.float32)
    scores[0, :, 0] = [[10, 0], [0, 10], [9, 9]]
    mask = hard_mask(scores, np.array([False, False, True]), 9)
    np.testing.assert_array_equal(mask[0], [[0, 1, 1, 1, 1, 1, 1, 1, 0]] * 9)


def test_scores_far_apart_neither_overflow_nor_warn() -> None:
    scores = np.zeros((1, 3, 2, 2), np.float32)
    scores[:, 0], scores[:, 1] = 3e4, -3e4
    chosen = np.array([True, False, False])
    np.testing.assert_array_equal(soft_mask(scores, chosen, 4), 1)
    assert soft_mask(scores, ~chosen, 4).max() < 1e-20


def test_without_a_choice_the_classes_of_a_face_count() -> None:
    assert np.flatnonzero(choose((), SMALL, "mien")).tolist() == [1, 2, 3, 4, 5, 6]
    faceswap = [1, 2, 3, 4, 5, 6, 10, 11, 12, 13]  # its set with glasses
    assert np.flatnonzero(choose((), CELEBA, "celebamask")).tolist() == faceswap
    assert np.flatnonzero(choose((), FACESWAP, "faceswap-face")).tolist() == [1, 4]


def test_left_and_right_are_one_class() -> None:
    assert np.flatnonzero(choose(("ears", "hair"), CELEBA, "x")).tolist() == [7, 8, 17]


def test_every_number_of_a_net_has_one_name() -> None:
    for count, table in BY_COUNT.items():
        assert sorted(number for numbers in table.values() for number in numbers) == list(
            range(count)
        )


def test_a_class_that_the_net_does_not_know_is_refused_with_those_it_knows() -> None:
    with pytest.raises(
        ConfigError,
        match="classes: the net of mien does not tell hair, hat apart; it knows background, skin",
    ):
        choose(("skin", "hair", "hat"), SMALL, "mien")


def test_hair_needs_a_wider_crop_than_skin() -> None:
    assert shows_around(("skin", "hair"))
    assert not shows_around(("skin", "ears"))
    assert not shows_around(())
