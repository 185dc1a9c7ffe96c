"""The watchdog barks at lost nets, and at nothing else."""

from __future__ import annotations

import math

import numpy as np
from mien.training import rate_finder
from mien.training.memory import fitting_batch, is_out_of_memory
from mien.training.recovery import Watchdog


def test_a_loss_that_is_no_number_is_seen_at_once() -> None:
    dog = Watchdog()
    assert dog.see({"a": 1.0, "b": 2.0}) == ""
    assert dog.see({"a": 1.0, "b": math.nan}) == "'b' is nan"
    assert dog.see({"a": math.inf}) == "'a' is inf"


def test_a_loss_far_from_all_before_is_seen_when_it_stays_there() -> None:
    dog = Watchdog()
    assert not any(dog.see({"a": 0.1}) for _ in range(150))
    told = [dog.see({"a": 9.0}) for _ in range(30)]
    assert not any(told[:24])
    assert told[24] == "'a' is 9, it was 0.1"


def test_a_loss_with_a_bound_is_lost_when_it_stays_at_its_worst() -> None:
    dog = Watchdog()
    assert not any(dog.see({"a": 1.4}) for _ in range(150))
    told = [dog.see({"a": 9.3}) for _ in range(300)]
    assert not any(told[:249])
    assert told[249] == "'a' is 9.3, it was 1.4"


def test_a_few_bad_batches_and_a_loss_that_grows_slowly_are_nothing() -> None:
    dog, rng = Watchdog(), np.random.default_rng(3)
    for step in range(3000):
        loss = 0.1 * (1 + step / 300) * float(rng.uniform(0.5, 2))
        if step % 40 == 0:
            loss *= 100
        assert dog.see({"a": loss}) == ""


def test_the_rate_finder_stays_below_the_rate_that_breaks() -> None:
    """Gradient descent on x² breaks from a rate of 1 on, and is best at a half."""
    steps, x, losses = 400, 1.0, []
    for step in range(steps):
        losses.append(x * x + 1e-4)
        x -= rate_finder.rate_at(step, steps) * 2 * x
        if rate_finder.is_over(losses):
            break
    assert len(losses) < steps
    assert 0.02 < rate_finder.best(losses, steps) < 1


def test_the_batch_that_fits_is_nearly_the_largest() -> None:
    for limit in (1, 2, 3, 7, 12, 40, 100):
        tried: list[int] = []

        def attempt(count: int, limit: int = limit, tried: list[int] = tried) -> None:
            tried.append(count)
            if count > limit:
                raise MemoryError

        found = fitting_batch(attempt, most=64)
        assert 0.75 * min(limit, 64) <= found <= min(limit, 64)
        assert max(tried, default=0) <= 2 * 64


def test_only_memory_errors_are_taken_for_such() -> None:
    assert is_out_of_memory(RuntimeError("CUDA out of memory. Tried to allocate"))
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
