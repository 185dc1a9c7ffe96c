"""A plateau is seen where there is one, and not where a training only begins or still moves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mien.training.show.curves import Curve
from mien.training.show.verdict import describe, stalled_since


def curve(
    value: Callable[[float], float], last: int, every: int = 100, noise: float = 0.0
) -> Curve:
    made, rng = Curve(), np.random.default_rng(3)
    for iteration in range(every, last + 1, every):
        made.add(iteration, value(iteration) * (1 + noise * float(rng.standard_normal())))
    return made


def falling_until(iteration: float, stop: int = 5000) -> float:
    return 0.05 + 0.2 * np.exp(-min(iteration, stop) / 2000)


def test_a_training_that_still_learns_has_not_stalled() -> None:
    made = curve(lambda i: 0.05 + 0.2 * np.exp(-i / 4000), 8000, noise=0.01)
    assert stalled_since(made.line(), 0, 2000) is None
    assert describe(made.line(), 0, 2000, "error").startswith("improving: the error fell by ")


def test_a_plateau_is_seen_and_dated() -> None:
    made = curve(falling_until, 12_000, noise=0.005)
    since = stalled_since(made.line(), 0, 4000)
    assert since is not None
    assert 4500 <= since <= 8000
    words = describe(made.line(), 0, 4000, "error")
    assert words == f"plateau since iteration {since}: the error got no better in 4000 iterations"


def test_nothing_is_said_before_a_window_has_passed() -> None:
    made = curve(lambda i: 0.1, 1900)
    assert stalled_since(made.line(), 0, 2000) is None
    words = describe(made.line(), 0, 2000, "error")
    assert words == "too early to say whether it still gets better"


def test_an_earlier_stage_does_not_count() -> None:
    made = curve(falling_until, 12_000)
    assert stalled_since(made.line(), 0, 3000) is not None
    assert stalled_since(made.line(), 10_000, 3000) is None


def test_what_got_worse_is_no_progress() -> None:
    made = curve(lambda i: 0.1 + i / 1e6, 9000)
    assert stalled_since(made.line(), 0, 3000) is not None


def test_one_lucky_value_is_no_progress() -> None:
    made = Curve()
    for iteration in range(100, 10_001, 100):
        made.add(iteration, 0.098 if iteration == 9000 else 0.1)
    assert stalled_since(made.line(), 0, 4000) is not None


@given(st.lists(st.floats(0, 10), max_size=60), st.integers(-100, 10_000), st.integers(1, 100_000))
def test_any_curve_gets_an_answer(values: list[float], begun: int, window: int) -> None:
    made = Curve()
    for number, value in enumerate(values, start=1):
        made.add(number * 50, value)
    since = stalled_since(made.line(), begun, window)
    assert since is None or begun < since <= 50 * len(values)
    words = describe(made.line(), begun, window, "error").partition(" ")[0]
    assert words in ("plateau", "too", "improving:")
    assert (since is not None) == (words == "plateau")


@pytest.mark.parametrize("every", [1, 7, 500])
def test_the_answer_does_not_hang_on_how_often_it_is_measured(every: int) -> None:
    assert stalled_since(curve(falling_until, 14_000, every).line(), 0, 6000) is not None
    rising = curve(lambda i: 1 / (1 + i / 1000), 14_000, every)
    assert stalled_since(rising.line(), 0, 6000) is None
