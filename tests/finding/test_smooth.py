"""Smoothing: less trembling, no lag, nothing across cuts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mien.finding.smooth import SmoothStep, jitter, steadied
from mien.runner import Step, run
from mien.testing import face_at
from mien.testing.fakes import picture
from mien.types import Face, Frame, Packet


def clip(noise: float, count: int = 40, pace: float = 1.5, cut: int = 0) -> tuple[Any, Any]:
    """A face that moves across, its points trembling; and the points without the tremble."""
    rng = np.random.default_rng(5)
    image = picture(16, 12)
    packets, truth = [], []
    for index in range(count):
        points = face_at(30 + pace * index, 40, 60).landmarks
        truth.append(points)
        seen = points + rng.normal(0, noise, points.shape).astype(np.float32)
        shot = cut if index >= cut else 0
        face = Face(box=(0, 0, 9, 9), landmarks=seen, track=1 if shot else 0)
        packets.append(Packet(frame=Frame(index=index, image=image), faces=(face,), shot=shot))
    return packets, truth


def smoothed(packets: list[Packet], reach: int) -> tuple[SmoothStep, list[Any]]:
    step, out = SmoothStep(reach), list[Packet]()
    run(packets, [Step(name="smooth", stage=step)], out.append, index_of=lambda p: p.frame.index)
    return step, [packet.faces[0].landmarks for packet in out]


def test_a_moving_face_trembles_less_and_does_not_lag():
    packets, truth = clip(noise=1.0)
    step, points = smoothed(packets, 4)
    error = np.abs(np.array(points) - truth).mean()
    raw = np.abs(np.array([packet.faces[0].landmarks for packet in packets]) - truth).mean()
    assert error < 0.65 * raw
    assert step.after < 0.35 * step.before
    assert np.abs(np.mean(np.array(points) - truth, axis=(0, 1))).max() < 0.1


def test_points_that_do_not_tremble_stay_where_they_are():
    packets, truth = clip(noise=0.0)
    step, points = smoothed(packets, 3)
    np.testing.assert_allclose(points, truth, atol=1e-3)
    assert step.before == pytest.approx(0, abs=1e-4)


def test_a_face_in_another_shot_has_no_say():
    packets, truth = clip(noise=0.0, pace=0.0, cut=20)
    moved = [
        packet
        if packet.shot == 0
        else Packet(
            frame=packet.frame,
            shot=packet.shot,
            faces=(Face(box=(0, 0, 9, 9), landmarks=truth[0] + 50, track=0),),
        )
        for packet in packets
    ]
    _, points = smoothed(moved, 5)
    np.testing.assert_allclose(points[19], truth[0], atol=1e-3)
    np.testing.assert_allclose(points[20], truth[0] + 50, atol=1e-3)


def test_faces_without_points_or_track_pass_as_they_are():
    image = picture(16, 12)
    faces = (Face(box=(0, 0, 9, 9)), Face(box=(0, 0, 9, 9), landmarks=face_at(9, 9, 5).landmarks))
    packets = [Packet(frame=Frame(index=n, image=image), faces=faces, shot=0) for n in range(3)]
    out: list[Packet] = []
    run(
        packets,
        [Step(name="smooth", stage=SmoothStep(2))],
        out.append,
        index_of=lambda packet: packet.frame.index,
    )
    assert [packet.faces for packet in out] == [faces] * 3


def test_jitter_is_the_distance_from_the_middle_of_the_neighbours():
    still = face_at(50, 50, 40).landmarks
    eyes = np.linalg.norm(still[45] - still[36])
    assert jitter(still, still, still) == 0
    assert jitter(still - 3, still, still + 3) == pytest.approx(0, abs=1e-6)
    assert jitter(still, still + np.float32([0, 2]), still) == pytest.approx(2 / eyes)


def test_few_neighbours_give_a_line_or_a_mean():
    points = face_at(50, 50, 40).landmarks
    np.testing.assert_allclose(steadied([(3, points)], 3), points, atol=1e-4)
    np.testing.assert_allclose(
        steadied([(3, points), (4, points + 2)], 3)[0], points[0] + 2 * 0.245, atol=0.05
    )
