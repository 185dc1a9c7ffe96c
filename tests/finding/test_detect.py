"""Boxes of several detectors and turned frames become one list of faces, within limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mien.finding.detect import DetectStep, turn
from mien.finding.options import FindOptions
from mien.geometry import transform
from mien.stages import StageBase
from mien.types import Detection, Frame


class Finder(StageBase):
    """A detector that answers with a function of the frame."""

    def __init__(self, function: Any, batch_size: int = 4) -> None:
        self.function, self.batch_size = function, batch_size
        self.sizes: list[tuple[int, int]] = []

    def __call__(self, batch: Sequence[Frame], /) -> list[Any]:
        self.sizes += [frame.image.shape[:2] for frame in batch]
        return [self.function(frame) for frame in batch]


def found(*boxes: tuple[float, float, float, float], score: float = 0.9) -> list[Detection]:
    return [Detection(box=box, score=score - 0.01 * n) for n, box in enumerate(boxes)]


def frame(height: int = 60, width: int = 100) -> Frame:
    return Frame(index=0, image=np.zeros((height, width, 3), np.uint8))


def look(finders: Sequence[Finder], **options: Any) -> Any:
    (packet,) = DetectStep(finders, FindOptions(**options))([frame()])
    return packet.faces


def bright_spot(picture: Frame) -> list[Detection]:
    """Finds the brightest pixel, in whatever frame it is shown."""
    y, x = np.unravel_index(picture.image[..., 0].argmax(), picture.image.shape[:2])
    points = np.float32([[x, y]] * 5)
    return [Detection(box=(x - 4, y - 2, x + 4, y + 2), score=0.8, points5=points)]


THREE = ((0, 0, 10, 12), (20, 0, 50, 30), (60, 20, 66, 60))


def test_faces_come_in_the_order_asked_for():
    def boxes(order: str) -> list[int]:
        return [
            THREE.index(face.box) for face in look([Finder(lambda f: found(*THREE))], order=order)
        ]

    assert boxes("largest") == [1, 2, 0]
    assert boxes("surest") == [0, 1, 2]
    assert boxes("left") == [0, 1, 2]
    assert boxes("centre") == [2, 1, 0] or boxes("centre") == [1, 2, 0]


def test_limits_leave_faces_out():
    finder = Finder(lambda f: found(*THREE))
    assert [face.box for face in look([finder], min_face=8)] == [THREE[1], THREE[0]]
    assert [face.box for face in look([finder], max_face=30)] == [THREE[1], THREE[0]]
    assert [face.box for face in look([finder], max_faces=1)] == [THREE[1]]
    assert [face.box for face in look([finder], min_score=0.895)] == [THREE[0]]


def test_two_detectors_that_see_one_face_give_one_face():
    points = np.ones((5, 2), np.float32)
    first = Finder(lambda f: found((10, 10, 30, 30), score=0.9))
    second = Finder(
        lambda f: [
            Detection(box=(11, 10, 31, 31), score=0.8, points5=points),
            Detection(box=(60, 10, 80, 30), score=0.5),
        ]
    )
    faces = look([first, second], order="surest")
    assert [face.box for face in faces] == [(10, 10, 30, 30), (60, 10, 80, 30)]
    np.testing.assert_array_equal(faces[0].points5, points)


def test_a_frame_is_turned_only_while_nothing_is_found():
    finder = Finder(lambda f: found((1, 1, 9, 9)) if f.image.shape[0] == 100 else [])
    faces = look([finder], rotations=(0, 90, 180))
    assert finder.sizes == [(60, 100), (100, 60)]
    (face,) = faces
    assert face.roll == -90
    # 90 degrees clockwise brings the left bottom corner to the left top.
    assert face.box == pytest.approx((1, 50, 9, 58))


def test_all_angles_are_joined_where_asked():
    finder = Finder(lambda f: found((40, 20, 60, 40)) if f.image.shape[0] == 60 else [])
    (face,) = look([finder], rotations=(0, 180), rotate="all")
    assert finder.sizes == [(60, 100), (60, 100)]
    assert face.roll in (0, -180)


@given(
    angle=st.integers(-400, 400),
    x=st.integers(30, 70),
    y=st.integers(20, 40),
)
def test_what_is_found_in_a_turned_frame_lies_where_it_is_in_the_frame(angle, x, y):
    image = np.zeros((61, 101, 3), np.uint8)
    image[y - 1 : y + 2, x - 1 : x + 2] = 200
    image[y, x] = 255
    step = DetectStep([Finder(bright_spot)], FindOptions(rotations=(angle,)))
    ((face,),) = [packet.faces for packet in step([Frame(index=0, image=image)])]
    np.testing.assert_allclose(face.points5, [[x, y]] * 5, atol=1.1)
    x0, y0, x1, y1 = face.box
    assert ((x0 + x1) / 2, (y0 + y1) / 2) == pytest.approx((x, y), abs=1.1)
    assert (face.roll + angle) % 360 == pytest.approx(0)
    assert -180 <= face.roll < 180


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_quarter_turns_move_pixels_and_change_none(angle):
    image = np.arange(7 * 5 * 3, dtype=np.uint8).reshape(7, 5, 3)
    turned, back = turn(image, angle)
    assert sorted(turned.reshape(-1, 3).tolist()) == sorted(image.reshape(-1, 3).tolist())
    places = np.array([(x, y) for y in range(turned.shape[0]) for x in range(turned.shape[1])])
    origin = np.rint(transform(back, places.astype(np.float64))).astype(int)
    np.testing.assert_array_equal(turned.reshape(-1, 3), image[origin[:, 1], origin[:, 0]])


def test_detectors_get_their_own_batches():
    finder = Finder(lambda f: [], batch_size=2)
    DetectStep([finder, Finder(lambda f: [], batch_size=5)], FindOptions(detect_every=1))(
        [frame()] * 5
    )
    assert len(finder.sizes) == 5
