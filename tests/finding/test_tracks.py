"""Shots and tracks, on drawn scenes and on annotated clips."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mien.finding.options import FindOptions
from mien.finding.tracks import PATIENCE, CutFinder, Recall, TrackStep
from mien.media.video import VideoSource
from mien.testing.fakes import picture
from mien.types import Face, Frame, Packet, replace

OPTIONS = FindOptions()


def packets(*frames: list[tuple[float, float]], scene: int = 0) -> list[Packet]:
    """Frames of one scene with faces of 20 x 24 pixels at these places."""
    image = picture(128, 96, seed=scene)
    return [
        Packet(
            frame=Frame(index=index, image=image),
            faces=tuple(Face(box=(x, y, x + 20, y + 24)) for x, y in places),
        )
        for index, places in enumerate(frames)
    ]


def tracks(packets: list[Packet], **recall: Any) -> list[list[int]]:
    step = TrackStep(OPTIONS, Recall(**recall))
    return [[face.track for face in packet.faces] for packet in step(packets)]


def test_two_people_who_cross_keep_their_tracks():
    left = [(10 + 6 * n, 20) for n in range(12)]
    right = [(80 - 6 * n, 30) for n in range(12)]
    found = tracks(packets(*[[a, b] for a, b in zip(left, right, strict=True)]))
    assert found == [[0, 1]] * 12
    mixed = [[a, b] if n % 2 else [b, a] for n, (a, b) in enumerate(zip(left, right, strict=True))]
    assert tracks(packets(*mixed)) == [[1, 0] if n % 2 else [0, 1] for n in range(12)]


def test_a_face_that_is_missed_for_some_frames_comes_back():
    gone = [[]] * (PATIENCE - 1)
    assert tracks(packets([(10, 10)], *gone, [(12, 10)]))[-1] == [0]
    assert tracks(packets([(10, 10)], *gone, [], [], [(12, 10)]))[-1] == [1]


def test_a_fast_face_is_followed_by_its_pace():
    places = [(5 + 14 * n, 20) for n in range(7)]
    assert tracks(packets(*[[place] for place in places])) == [[0]] * 7


def test_a_face_elsewhere_is_another_person():
    assert tracks(packets([(5, 5)], [(80, 60)])) == [[0], [1]]


def test_identity_decides_where_it_is_known():
    anna, bert = np.float32([1, 0]), np.float32([0, 1])
    made = packets([(10, 10)], [(11, 10)], [(12, 10)])
    made = [
        replace(packet, faces=(replace(packet.faces[0], identity=who),))
        for packet, who in zip(made, (anna, bert, bert), strict=True)
    ]
    assert tracks(made) == [[0], [1], [1]]


def test_a_cut_ends_all_tracks_and_begins_a_shot():
    first, second = packets([(10, 10)], [(10, 10)]), packets([(10, 10)], [(10, 10)], scene=77)
    second = [
        replace(packet, frame=replace(packet.frame, index=2 + n, image=255 - packet.frame.image))
        for n, packet in enumerate(second)
    ]
    step = TrackStep(OPTIONS)
    out = step([*first, *second])
    assert [packet.faces[0].track for packet in out] == [0, 0, 1, 1]
    assert [packet.shot for packet in out] == [0, 0, 2, 2]
    assert step.shots == [0, 2]
    assert step.tracks == 2


def test_a_second_run_goes_on_with_the_tracks_of_the_first():
    places = [[(10 + 3 * n, 20), (80 - 3 * n, 30)] for n in range(10)]
    whole = packets(*places)
    done = TrackStep(OPTIONS)(whole)
    known = {
        packet.frame.index: [(face.box, face.track + 5) for face in packet.faces]
        for packet in done[4:7]
    }
    again = TrackStep(OPTIONS, Recall(faces=known, next_track=9, shots=(0,), until=7))
    out = again(whole[4:])
    assert [[face.track for face in packet.faces] for packet in out] == [[5, 6]] * 6
    assert [packet.shot for packet in out] == [0] * 6
    assert again.tracks == 9
    (new,) = again(packets([(40, 60)]))
    assert new.faces[0].track == 9


def test_a_slow_change_is_no_cut():
    finder = CutFinder(OPTIONS.cut)
    one, two = picture(64, 48, seed=1).astype(float), picture(64, 48, seed=2).astype(float)
    mixes = [np.uint8(one * (1 - t) + two * t) for t in np.linspace(0, 1, 25)]
    assert [finder.see(image) for image in mixes] == [True] + [False] * 24


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_cuts_are_seen_in_deep_pictures(dtype):
    scale = 257 if dtype is np.uint16 else np.float32(1 / 255)
    finder = CutFinder(OPTIONS.cut)
    dark, bright = np.full((40, 60, 3), 20), np.full((40, 60, 3), 220)
    seen = [finder.see((image * scale).astype(dtype)) for image in (dark, dark, bright, bright)]
    assert seen == [True, False, True, False]


@pytest.mark.slow
def test_the_cuts_of_real_clips_are_found_and_no_others(shared: Callable[[str], Path]) -> None:
    folder = shared("data/clips")
    for name in ("tech_scene_cuts", "two_people_head_tilt", "tech_vfr", "pair_b_man_512"):
        truth = json.loads((folder / f"{name}.faces.json").read_text(encoding="utf-8"))
        finder = CutFinder(OPTIONS.cut)
        source = VideoSource(folder / truth["clip"])
        cuts = [frame.index for frame in source.frames(0, None, 1) if finder.see(frame.image)]
        source.close()
        assert cuts == truth["shot_starts"], name


@pytest.mark.slow
def test_tracks_of_true_boxes_are_the_true_tracks(shared: Callable[[str], Path]) -> None:
    folder = shared("data/clips")
    for name in ("tech_scene_cuts", "two_people_head_tilt", "three_people_walk_up"):
        truth = json.loads((folder / f"{name}.faces.json").read_text(encoding="utf-8"))
        source = VideoSource(folder / truth["clip"])
        step = TrackStep(OPTIONS)
        pairs: set[tuple[int, int, int]] = set()
        for frame, true in zip(source.frames(0, None, 1), truth["frames"], strict=False):
            faces = tuple(Face(box=tuple(face["box"])) for face in true["faces"])
            (packet,) = step([Packet(frame=frame, faces=faces)])
            pairs |= {
                (packet.shot, face["id"], mine.track)
                for face, mine in zip(true["faces"], packet.faces, strict=True)
            }
        source.close()
        assert len(pairs) == len({pair[2] for pair in pairs}), name  # one person per track
        assert len(pairs) == len({pair[:2] for pair in pairs}), name  # one track per person
