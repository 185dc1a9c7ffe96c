"""The detector with a net that finds what the test paints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mien_retinaface
import numpy as np
import pytest
from mien.stages import Context
from mien.testing import DetectorConformance, FakeContext, FakeNet
from mien.types import Frame
from mien_retinaface.stage import MEAN_BGR, RetinaFaceDetector, prepare

ANCHORS = 2


class WhiteSpots:
    """A net that calls the cell of every white pixel a face, as large as the finest anchor (10 px),
    and remembers what it was shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[int, ...]] = []

    def __call__(self, feeds: Mapping[str, Any]) -> list[Any]:
        image = feeds["image"]
        self.shown.append(image.shape)
        count, _, height, width = image.shape
        cells = [-(-height // step) * -(-width // step) for step in (8, 16, 32)]
        classes = np.zeros((count, ANCHORS * sum(cells), 2), np.float32)
        for place, y, x in np.argwhere((image + MEAN_BGR[:, None, None]).min(axis=1) > 250):
            classes[place, ANCHORS * ((y // 8) * -(-width // 8) + x // 8), 1] = 0.9
        offsets = np.zeros((*classes.shape[:2], 4), np.float32)
        return [offsets, classes, np.zeros((*classes.shape[:2], 10), np.float32)]


def frame_with(*spots: tuple[int, int], width: int = 320, height: int = 160) -> Frame:
    """A grey frame with a white square of 4 pixels at each (x, y)."""
    image = np.full((height, width, 3), 90, np.uint8)
    for x, y in spots:
        image[y : y + 4, x : x + 4] = 255
    return Frame(index=0, image=image)


def detector_of(net: WhiteSpots, **settings: Any) -> RetinaFaceDetector:
    options = mien_retinaface.Options(**{"min_face": 0, "weights": "1mb", **settings})
    stage = RetinaFaceDetector(options, FakeContext(net=FakeNet(net)))
    stage.open()
    return stage


class TestRetinaFaceKeepsItsPromises(DetectorConformance):
    plugin = mien_retinaface
    name = "retinaface"
    options = {"min_face": 0, "weights": "1mb"}  # noqa: RUF012 - the kit declares it a ClassVar

    def make_context(self, folder: Path) -> Context:
        return FakeContext(net=FakeNet(WhiteSpots()), cache=folder)


def test_boxes_and_points_are_in_frame_pixels() -> None:
    ((only,),) = detector_of(WhiteSpots())([frame_with((42, 18))])
    assert only.box == pytest.approx((39, 15, 49, 25), abs=1e-4)
    assert only.score == pytest.approx(0.9)
    assert only.points5 is not None
    np.testing.assert_allclose(only.points5, np.tile([44.0, 20.0], (5, 1)), atol=1e-4)


def test_a_large_frame_is_reduced_and_its_boxes_are_scaled_back() -> None:
    net = WhiteSpots()
    frame = frame_with((84, 36), width=640, height=320)
    frame.image.setflags(write=True)
    frame.image[36:44, 84:92] = 255
    ((only,),) = detector_of(net, size=320)([frame])
    assert net.shown == [(1, 3, 160, 320)]
    assert only.box == pytest.approx((78, 30, 98, 50), abs=1e-4)


def test_a_small_frame_is_never_enlarged() -> None:
    net = WhiteSpots()
    detector_of(net)([frame_with(width=100, height=50)])
    assert net.shown == [(1, 3, 50, 100)]


def test_large_frames_are_looked_at_again_at_half_the_size() -> None:
    net = WhiteSpots()
    frame = frame_with(width=1280, height=640)
    detector_of(net)([frame])
    assert net.shown == [(1, 3, 320, 640), (1, 3, 160, 320)]
    net.shown.clear()
    detector_of(net, size=0)([frame])
    assert [shape[3] for shape in net.shown] == [1280, 640, 320]
    net.shown.clear()
    detector_of(net, pyramid=False)([frame])
    assert [shape[3] for shape in net.shown] == [640]


def test_miens_own_weights_need_one_look() -> None:
    net = WhiteSpots()
    frame = frame_with(width=1280, height=640)
    detector_of(net, weights="mien")([frame])
    assert [shape[3] for shape in net.shown] == [640]
    net.shown.clear()
    detector_of(net, weights="mien", pyramid=True)([frame])
    assert [shape[3] for shape in net.shown] == [640, 320]


def test_a_net_without_points_gives_none() -> None:
    net = WhiteSpots()

    def without(feeds: Mapping[str, Any]) -> list[Any]:
        return net(feeds)[:2]

    for pyramid in (False, True):
        context = FakeContext(net=FakeNet(without), files={"retinaface_v2.pth": Path(__file__)})
        options = mien_retinaface.Options(
            weights="faceswap-mobilenet", min_face=0, pyramid=pyramid, size=320
        )
        stage = RetinaFaceDetector(options, context)
        stage.open()
        ((only,),) = stage([frame_with((42, 18), width=640)])
        assert only.points5 is None


def test_feeding_rgb_turns_the_colours_and_not_the_mean() -> None:
    image = np.array([[[10, 20, 30]]], np.uint8)
    np.testing.assert_array_equal(prepare(image, (1, 1)).ravel(), [10 - 104, 20 - 117, 30 - 123])
    fed = prepare(image, (1, 1), rgb=True)
    np.testing.assert_array_equal(fed.ravel(), [30 - 104, 20 - 117, 10 - 123])


def test_a_crowd_of_five_hundred_is_found() -> None:
    spots = [(x * 24, y * 16) for y in range(20) for x in range(25)]
    frame = frame_with(*spots, width=600, height=320)
    assert len(detector_of(WhiteSpots(), pyramid=False)([frame])[0]) == 500


def test_boxes_of_faces_cut_by_the_border_reach_beyond_it() -> None:
    ((only,),) = detector_of(WhiteSpots())([frame_with((0, 0))])
    assert only.box == pytest.approx((-1, -1, 9, 9), abs=1e-4)


def test_a_level_that_can_only_find_unwanted_faces_is_left_out() -> None:
    net = WhiteSpots()
    detector_of(net, min_face=96)([frame_with(width=1280, height=640)])
    assert [shape[3] for shape in net.shown] == [320]


def test_frames_of_one_size_go_together_and_come_back_in_order() -> None:
    net = WhiteSpots()
    batch = [frame_with((2, 2)), frame_with((2, 2), width=200), frame_with(), frame_with((50, 50))]
    found = detector_of(net)(batch)
    assert sorted(net.shown) == [(1, 3, 160, 200), (3, 3, 160, 320)]
    assert [len(faces) for faces in found] == [1, 1, 0, 1]
    assert found[3][0].box[0] > 40


def test_the_number_and_the_size_of_faces_can_be_bounded() -> None:
    frame = frame_with((8, 8), (80, 80), (200, 40))
    assert len(detector_of(WhiteSpots())([frame])[0]) == 3
    assert len(detector_of(WhiteSpots(), max_faces=2)([frame])[0]) == 2
    assert len(detector_of(WhiteSpots(), keep=1)([frame])[0]) == 1
    assert len(detector_of(WhiteSpots(), top_k=2)([frame])[0]) == 2
    assert detector_of(WhiteSpots(), min_face=11)([frame])[0] == ()
    assert detector_of(WhiteSpots(), threshold=0.95)([frame])[0] == ()


@pytest.mark.parametrize("size", [(6, 4), (3, 2)])
def test_deep_and_float_frames_feed_the_same_numbers(size: tuple[int, int]) -> None:
    eight = (np.arange(72).reshape(4, 6, 3) * 3).astype(np.uint8)
    wanted = prepare(eight, size)
    deep = prepare((eight.astype(np.uint16) * 257), size)
    light = prepare(eight.astype(np.float32) / 255, size)
    assert wanted.shape == (3, size[1], size[0])
    np.testing.assert_allclose(deep, wanted, atol=0.51)  # 8 bit rounds its averages
    np.testing.assert_allclose(light, wanted, atol=0.51)


def test_holes_and_highlights_of_a_float_plate_do_no_harm() -> None:
    plate = np.array([[[np.nan, 7.0, -1.0]]], np.float32)
    np.testing.assert_allclose(prepare(plate, (1, 1)).ravel(), [-104, 255 - 117, -123])


def test_shrinking_averages_every_pixel() -> None:
    lines = np.zeros((8, 64, 3), np.uint8)
    lines[:, ::8] = 255
    fed = prepare(lines, (8, 1)) + MEAN_BGR[:, None, None]
    np.testing.assert_allclose(fed, 255 / 8, atol=0.51)


def test_a_small_frame_is_enlarged_where_that_is_asked_for() -> None:
    net = WhiteSpots()
    frame = frame_with(width=100, height=50)
    detector_of(net, size=180, enlarge=4.0)([frame])
    detector_of(net, enlarge=2.0)([frame])
    assert net.shown == [(1, 3, 90, 180), (1, 3, 100, 200)]
