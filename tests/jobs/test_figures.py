"""The figures of a running training."""

from __future__ import annotations

import pytest
from mien.jobs.figures import Figures, used_memory
from mien.training.progress import TrainProgress


def step(iteration: int, **values: object) -> TrainProgress:
    known = {"event": "step", "iteration": iteration, "goal": 0, "seconds": 30.0, "losses": {}}
    return TrainProgress(**(known | values))  # type: ignore[arg-type]


def test_pace_and_losses_are_means_of_recent_iterations() -> None:
    figures = Figures()
    figures.hear(step(1, losses={"source": 1.0}, ms=100.0, faces=8))
    found = figures.hear(step(2, losses={"source": 2.0}, ms=300.0, faces=8))
    assert found["source"] == pytest.approx((0.98 + 2) / 1.98)
    assert found["ms an iteration"] == pytest.approx((98 + 300) / 1.98)
    assert found["faces a second"] == pytest.approx(8 / found["ms an iteration"] * 1000)
    for iteration in range(3, 1000):
        found = figures.hear(step(iteration, losses={"source": 5.0}, ms=10.0, faces=8))
    assert found["source"] == pytest.approx(5.0, rel=1e-3)


def test_the_time_since_the_save_is_told_in_seconds() -> None:
    now = [10.0]
    figures = Figures(clock=lambda: now[0])
    now[0] = 17.0
    assert figures.hear(step(1))["seconds since the save"] == 7
    figures.hear(step(1, event="saved"))
    now[0] = 18.0
    assert figures.hear(step(2))["seconds since the save"] == 1


def test_minutes_left_are_told_where_there_is_a_limit() -> None:
    assert "minutes left" not in Figures().hear(step(1))
    assert Figures(2.0).hear(step(1))["minutes left"] == pytest.approx(1.5)
    assert Figures(0.1).hear(step(1))["minutes left"] == 0


def test_losses_that_are_not_there_any_more_go() -> None:
    figures = Figures()
    figures.hear(step(1, losses={"source": 1.0, "gan": 1.0}))
    assert "gan" not in figures.hear(step(2, losses={"source": 1.0}))


def test_memory_is_that_of_this_process() -> None:
    assert 10e6 < used_memory() < 1e12
    assert Figures().hear(step(1))["memory MB"] == pytest.approx(used_memory() / 1e6, rel=0.5)
