"""The detector with a net that finds what the test paints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mien_s3fd
import numpy as np
import pytest
from mien.errors import WeightsError
from mien.runtime import make_context
from mien.stages import Context
from mien.testing import DetectorConformance, FakeContext, FakeNet
from mien.types import Frame
from mien_s3fd.decode import map_shapes
from mien_s3fd.stage import MEAN_BGR, S3fdDetector, prepare


class WhiteSpots:
    """A net that calls the cell of every white pixel a face, as large as the finest anchor (16 px),
    and remembers what it was shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[int, ...]] = []

    def __call__(self, feeds: Mapping[str, Any]) -> list[Any]:
        image = feeds["image"]
        self.shown.append(image.shape)
        count, _, height, width = image.shape
        shapes = map_shapes(height, width)
        scores = np.zeros((count, sum(rows * columns for rows, columns in shapes)), np.float32)
        for place, y, x in np.argwhere((image + MEAN_BGR[:, None, None]).min(axis=1) > 250):
            if y // 4 < shapes[0][0] and x // 4 < shapes[0][1]:
                scores[place, (y // 4) * shapes[0][1] + x // 4] = 0.9
        return [np.zeros((*scores.shape, 4), np.float32), scores]


def frame_with(*spots: tuple[int, int], width: int = 320, height: int = 160) -> Frame:
    """A grey frame with a white square of 4 pixels at each (x, y)."""
    image = np.full((height, width, 3), 90, np.uint8)
    for x, y in spots:
        image[y : y + 4, x : x + 4] = 255
    return Frame(index=0, image=image)


def detector_of(net: WhiteSpots, **settings: Any) -> S3fdDetector:
    options = mien_s3fd.Options(**{"min_face": 0, **settings})
    stage = S3fdDetector(options, FakeContext(net=FakeNet(net)))
    stage.open()
    return stage


class TestS3fdKeepsItsPromises(DetectorConformance):
    plugin = mien_s3fd
    name = "s3fd"
    options = {"min_face": 0}  # noqa: RUF012 - the kit declares it a ClassVar

    def make_context(self, folder: Path) -> Context:
        return FakeContext(net=FakeNet(WhiteSpots()), cache=folder)


class TestFaceswapsWayKeepsThemToo(TestS3fdKeepsItsPromises):
    options = {"flavour": "faceswap"}  # noqa: RUF012 - the kit declares it a ClassVar


def test_boxes_are_in_frame_pixels() -> None:
    ((only,),) = detector_of(WhiteSpots())([frame_with((40, 20))])
    assert only.box == pytest.approx((34, 14, 50, 30))
    assert only.score == pytest.approx(0.9)
    assert only.points5 is None


def test_a_large_frame_is_reduced_and_its_boxes_are_scaled_back() -> None:
    net = WhiteSpots()
    frame = frame_with(width=640, height=320)
    frame.image.setflags(write=True)
    frame.image[40:48, 80:88] = 255
    ((only,),) = detector_of(net, size=320)([frame])
    assert net.shown == [(1, 3, 160, 320)]
    assert only.box == pytest.approx((68, 28, 100, 60))


def test_each_programs_way_sees_its_own_picture() -> None:
    frame = frame_with(width=1300, height=650)
    seen = {}
    for flavour in ("mien", "face-alignment", "dfl", "faceswap"):
        net = WhiteSpots()
        detector_of(net, flavour=flavour)([frame])
        seen[flavour] = net.shown[0][2:]
    assert seen == {
        "mien": (320, 640),
        "face-alignment": (650, 1300),
        "dfl": (320, 640),
        "faceswap": (640, 640),
    }


def test_a_picture_of_a_few_pixels_is_filled_up() -> None:
    net = WhiteSpots()
    assert detector_of(net)([Frame(index=0, image=np.zeros((1, 5, 3), np.uint8))]) == [()]
    assert net.shown == [(1, 3, 32, 32)]


def test_frames_of_one_size_go_together_and_come_back_in_order() -> None:
    net = WhiteSpots()
    batch = [frame_with((0, 0)), frame_with((0, 0), width=200), frame_with(), frame_with((48, 48))]
    found = detector_of(net)(batch)
    assert sorted(net.shown) == [(1, 3, 160, 200), (3, 3, 160, 320)]
    assert [len(faces) for faces in found] == [1, 1, 0, 1]
    assert found[3][0].box[0] == pytest.approx(42)


def test_the_number_and_the_size_of_faces_can_be_bounded() -> None:
    frame = frame_with((8, 8), (80, 80), (200, 40))
    assert len(detector_of(WhiteSpots())([frame])[0]) == 3
    assert len(detector_of(WhiteSpots(), max_faces=2)([frame])[0]) == 2
    assert len(detector_of(WhiteSpots(), top_k=2)([frame])[0]) == 2
    assert detector_of(WhiteSpots(), min_face=17)([frame])[0] == ()
    assert detector_of(WhiteSpots(), threshold=0.95)([frame])[0] == ()


def test_a_crowd_of_five_hundred_is_found() -> None:
    spots = [(x * 32, y * 24) for y in range(20) for x in range(25)]
    frame = frame_with(*spots, width=800, height=480)
    (faces,) = detector_of(WhiteSpots(), size=0)([frame])
    assert len(faces) == 500


def test_what_touches_a_larger_face_can_be_left_out() -> None:
    frame = frame_with((80, 80), (92, 80))
    assert len(detector_of(WhiteSpots(), nms=0.9)([frame])[0]) == 2
    assert len(detector_of(WhiteSpots(), nms=0.9, apart=True)([frame])[0]) == 1


def test_deepfacelabs_order_of_colours_turns_the_picture_and_not_the_mean() -> None:
    image = np.array([[[10, 20, 30]]], np.uint8)
    np.testing.assert_array_equal(prepare(image).ravel(), [10 - 104, 20 - 117, 30 - 123])
    np.testing.assert_array_equal(prepare(image, rgb=True).ravel(), [30 - 104, 20 - 117, 10 - 123])


def test_holes_and_highlights_of_a_float_plate_do_no_harm() -> None:
    image = np.full((40, 40, 3), np.nan, np.float32)
    image[0] = 9
    for flavour in ("mien", "face-alignment", "dfl", "faceswap"):
        detector_of(WhiteSpots(), flavour=flavour)([Frame(index=0, image=image)])


def test_a_detector_that_was_not_opened_says_so() -> None:
    stage = S3fdDetector(mien_s3fd.Options(), FakeContext(net=FakeNet(WhiteSpots())))
    with pytest.raises(RuntimeError, match="before open"):
        stage([frame_with()])


def test_missing_weights_are_named(tmp_path: Path) -> None:
    context = make_context(device="cpu", threads=1, offline=True, cache=tmp_path)
    stage = mien_s3fd.create(mien_s3fd.Options(), context)
    with pytest.raises(WeightsError, match=r"s3fd-619a316812\.pth"):
        stage.open()
