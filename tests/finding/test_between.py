"""Frames between two looks: their faces follow, unless the picture shows something new."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mien.finding.between import carried, glance, is_between
from mien.finding.detect import DetectStep
from mien.finding.options import FindOptions
from mien.runner import Step
from mien.runner import run as run_steps
from mien.stages import StageBase
from mien.types import Detection, Frame, Packet

SIDE = 320


class Spots(StageBase):
    """Finds every bright square of a frame, and remembers which frames it saw."""

    batch_size = 4

    def __init__(self) -> None:
        self.saw: list[int] = []

    def __call__(self, batch: Sequence[Frame], /) -> list[list[Detection]]:
        self.saw += [frame.index for frame in batch]
        return [_spots(frame) for frame in batch]


def _spots(frame: Frame) -> list[Detection]:
    import cv2

    _, _, boxes, _ = cv2.connectedComponentsWithStats((frame.image[..., 0] > 128).view(np.uint8))
    return [
        Detection(box=(float(x), float(y), float(x + w), float(y + h)), score=0.9)
        for x, y, w, h, _ in boxes[1:]
    ]


def clip(corners: Callable[[int], Sequence[int]], count: int, step: int = 1) -> list[Frame]:
    """Frames with a bright square of 80 pixels at each corner (x = y) that is named for them."""
    frames = []
    for index in range(0, count * step, step):
        image = np.zeros((SIDE, SIDE, 3), np.uint8)
        for corner in corners(index):
            image[corner : corner + 80, corner : corner + 80] = 255
        frames.append(Frame(index=index, image=image))
    return frames


def look(frames: Sequence[Frame], **options: Any) -> tuple[list[Packet], list[int]]:
    finder, packets = Spots(), list[Packet]()
    step = Step(name="detect", stage=DetectStep([finder], FindOptions(**options)))
    run_steps(frames, [step], packets.append, index_of=lambda item: item.index)
    return packets, finder.saw


def corners(packets: Sequence[Packet]) -> list[list[int]]:
    return [sorted(round(face.box[0]) for face in packet.faces) for packet in packets]


def test_a_face_is_looked_at_now_and_then():
    packets, saw = look(clip(lambda n: [50], 17))
    assert corners(packets) == [[50]] * 17
    assert saw == [0, 4, 8, 12, 16]


def test_a_face_that_moves_is_where_it_is():
    packets, saw = look(clip(lambda n: [50 + n], 17))
    assert corners(packets) == [[50 + n] for n in range(17)]
    assert len(saw) < 17


def test_every_frame_where_that_is_asked_for():
    packets, saw = look(clip(lambda n: [50 + n], 9), detect_every=1)
    assert saw == list(range(9))
    assert corners(packets) == [[50 + n] for n in range(9)]


@pytest.mark.parametrize("odd", [1, 2, 3, 6])
def test_what_only_one_frame_shows_is_seen(odd: int):
    """A face that comes and goes between two looks, and one that is gone for a moment."""
    appears = clip(lambda n: [50, 200] if n == odd else [50], 9)
    assert corners(look(appears)[0])[odd] == [50, 200]
    missing = clip(lambda n: [] if n == odd else [50], 9)
    assert corners(look(missing)[0])[odd] == []


def test_a_frame_that_does_not_follow_costs_few_looks():
    _, saw = look(clip(lambda n: [50, 200] if n == 6 else [50], 17), detect_every=8)
    assert sorted(saw) == [0, 4, 6, 8, 16]


def grey_in(frame: Frame, rows: slice, columns: slice) -> Frame:
    """The frame with something in it that is no spot."""
    image = frame.image.copy()
    image[rows, columns] = 100
    return Frame(index=frame.index, image=image)


def test_a_small_change_asks_for_no_look_and_a_larger_one_does():
    frames = clip(lambda n: [50], 9)
    frames[2] = grey_in(frames[2], slice(20, 30), slice(200, 210))  # one of 32 x 18 parts
    assert look(frames)[1] == [0, 4, 8]
    frames[6] = grey_in(frames[6], slice(200, 280), slice(10, 60))
    assert sorted(look(frames)[1]) == [0, 4, 6, 8]


@pytest.mark.parametrize("cut", [1, 2, 3, 5])
def test_a_cut_between_two_looks_is_seen(cut: int):
    packets, _ = look(clip(lambda n: [50] if n < cut else [200], 9))
    assert corners(packets) == [[50] if n < cut else [200] for n in range(9)]


def test_the_end_of_a_clip_is_looked_at():
    packets, saw = look(clip(lambda n: [50], 7))
    assert corners(packets) == [[50]] * 7
    assert saw == [0, 4, 5, 6]


@given(count=st.integers(1, 14), step=st.integers(1, 5), every=st.integers(1, 6))
def test_whatever_frames_there_are_each_gets_its_faces(count: int, step: int, every: int):
    packets, _ = look(clip(lambda n: [50 + n % 7], count, step), detect_every=every)
    frames = [packet.frame.index for packet in packets]
    assert frames == list(range(0, count * step, step))
    assert all(
        abs(got[0] - 50 - n % 7) <= 6 for n, got in zip(frames, corners(packets), strict=True)
    )


def test_frames_of_another_size_are_looked_at():
    frames = clip(lambda n: [50], 9)
    frames[2] = Frame(index=2, image=np.zeros((SIDE * 2, SIDE * 2, 3), np.uint8))
    packets, saw = look(frames)
    assert 2 in saw
    assert corners(packets)[2] == []


def test_boxes_and_points_lie_on_the_way():
    points = np.float32([[10, 10], [20, 10], [15, 15], [12, 20], [18, 20]])
    first = Detection(box=(0, 0, 100, 100), score=0.9, points5=points)
    last = Detection(box=(8, 4, 108, 104), score=0.7, points5=points + 8)
    (face,) = carried([first], [last], 0.25) or ()
    assert face.box == (2, 1, 102, 101)
    assert face.score == 0.7
    np.testing.assert_allclose(face.points5, points + 2)


def test_faces_that_are_not_the_same_are_not_carried():
    here, there = (Detection(box=(x, 0, x + 50, 50), score=0.9) for x in (0, 40))
    turned = Detection(box=(0, 0, 50, 50), score=0.9, roll=90)
    assert carried([here], [there], 0.5) is None
    assert carried([here], [here, there], 0.5) is None
    assert carried([here], [turned], 0.5) is None
    assert carried([], [], 0.5) == []


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_glance_is_the_same_in_every_depth(dtype: Any):
    grey = np.full((360, 640, 3), 0.5)
    top = 1 if dtype == np.float32 else np.iinfo(dtype).max
    seen = glance((grey * top).astype(dtype))
    assert seen.shape == (18, 32, 3)
    np.testing.assert_allclose(seen, 0.5, atol=0.01)
    assert is_between(seen, seen, seen, 0.5)
    assert not is_between(seen, seen + np.float32(0.1), seen, 0.5)
