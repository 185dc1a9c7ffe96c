"""Curves keep what was heard in little memory, and are drawn as they went."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mien.training.show.curves import Curve, Curves, smoothed
from mien.training.show.graph import draw_curves
from mien.training.show.preview import write_png


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=6000))
def test_a_curve_loses_neither_the_mean_nor_the_extremes(values: list[float]) -> None:
    curve = Curve()
    for iteration, value in enumerate(values, start=1):
        curve.add(iteration, value)
    line = curve.line()
    assert len(line.places) <= 1200
    assert line.low.min() == min(values)
    assert line.high.max() == max(values)
    assert (line.low <= line.means + 1e-9).all()
    assert (line.means <= line.high + 1e-9).all()
    assert (np.diff(line.places) > 0).all()
    assert curve.last == values[-1]


def test_a_long_curve_keeps_its_shape() -> None:
    curve = Curve()
    for iteration in range(1, 100_001):
        curve.add(iteration, float(iteration))
    line = curve.line()
    assert 600 <= len(line.places) <= 1200
    np.testing.assert_allclose(line.means[1:-1], line.places[1:-1], rtol=1e-9)


def test_marks_are_jumps_of_the_rate_and_notes() -> None:
    curves = Curves()
    lines = [
        {"iteration": 1, "losses": {"source": 1.0}, "rate": 5e-5},
        {"iteration": 2, "losses": {"source": 1.0}, "rate": 4.9e-5},
        {"iteration": 3, "losses": {"source": 1.0}, "rate": 2e-5, "notes": ["a sentence"]},
    ]
    for line in lines:
        curves.hear(line)
    assert curves.marks == [(3, "rate 2e-05"), (3, "a sentence")]


def test_the_total_is_that_of_both_people() -> None:
    curves = Curves()
    curves.hear({"iteration": 1, "losses": {"source": 1.0, "target": 2.0, "gan": 9.0}})
    assert curves.total.last == 3
    curves.hear({"iteration": 2, "losses": {"s": 1.0, "t": 3.0}})
    assert curves.total.last == 4


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=40), st.floats(0, 20))
def test_smoothing_stays_within_the_values(values: list[float], width: float) -> None:
    made = smoothed(np.array(values), width)
    assert made.shape == (len(values),)
    assert made.min() >= min(values) - 1e-9
    assert made.max() <= max(values) + 1e-9


def test_smoothing_by_nothing_changes_nothing() -> None:
    values = np.array([3.0, 1.0, 2.0])
    np.testing.assert_allclose(smoothed(values, 0.0), values)


# --- the picture --------------------------------------------------------------------------------


def test_a_loss_that_falls_is_drawn_falling() -> None:
    curves = Curves()
    for iteration in range(1, 2000):
        curves.hear({"iteration": iteration, "losses": {"source": 1 / iteration}})
    panel = draw_curves(curves)
    orange = (np.abs(panel.astype(int) - (80, 175, 255)).sum(-1) < 30)[60:]
    left = np.nonzero(orange[:, 70:160].any(1))[0].mean()
    right = np.nonzero(orange[:, -120:-20].any(1))[0].mean()
    assert left < right


def test_figures_get_a_panel_of_their_own() -> None:
    curves = Curves()
    curves.hear({"iteration": 1, "losses": {"source": 1.0}})
    alone = draw_curves(curves)
    curves.hear({"iteration": 1, "figures": {"error": 0.1}})
    assert len(draw_curves(curves)) == 2 * len(alone)


@pytest.mark.parametrize("values", [[], [0.0], [1.0], [-1.0, 5.0], [1e-9, 1e9], [0.5] * 50])
def test_any_curve_can_be_drawn(values: list[float], tmp_path: Path) -> None:
    curves = Curves()
    for iteration, value in enumerate(values, start=1):
        curves.hear({"iteration": iteration, "losses": {"source": value}, "notes": ["x" * 80]})
    write_png(tmp_path / "loss.png", draw_curves(curves, "model"))
    assert cv2.imread(str(tmp_path / "loss.png")) is not None
