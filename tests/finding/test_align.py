"""Care in aligning: upright patches, moved boxes, a second look; points always in the frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from mien.errors import ConfigError
from mien.finding.align import UNIT_BOX, careful, is_face, normalised
from mien.finding.options import FindOptions
from mien.geometry import align_unit, invert, transform
from mien.stages import FaceQuery, StageBase
from mien.testing import FakeContext, face_at
from mien.testing.fakes import picture
from mien.types import Detection, Frame, Landmarks

rng = FakeContext().rng


class Placer(StageBase):
    """Lays the upright mean face into the box that it is shown; remembers what it saw."""

    def __init__(self, batch_size: int = 4) -> None:
        self.batch_size = batch_size
        self.seen: list[FaceQuery] = []

    def __call__(self, batch: Sequence[FaceQuery], /) -> list[Landmarks]:
        self.seen += batch
        return [Landmarks(points=self._points(query), score=0.5) for query in batch]

    def _points(self, query: FaceQuery) -> Any:
        x0, y0, x1, y1 = query.detection.box
        u0, v0, u1, v1 = UNIT_BOX
        size = (y1 - y0) / (v1 - v0)
        x = (x0 + x1) / 2 - ((u0 + u1) / 2 - 0.5) * size
        y = (y0 + y1) / 2 - ((v0 + v1) / 2 - 0.5) * size
        return face_at(x, y, size).landmarks


def box_of(face: Any) -> tuple[float, float, float, float]:
    """The box that a detector gives of an upright face."""
    u0, v0, u1, v1 = UNIT_BOX
    corners = transform(invert(align_unit(face.landmarks)), np.array([(u0, v0), (u1, v1)]))
    return tuple(corners.ravel().tolist())


def query(roll: float = 0.0, x: float = 100.0, y: float = 80.0) -> tuple[Any, Any]:
    """A leaning face in a frame, as a detector finds it in a turned one, and its true points."""
    image = picture(200, 160)
    upright, leaning = face_at(x, y, 40), face_at(x, y, 40, roll=roll)
    u0, v0, u1, v1 = UNIT_BOX
    ((cx, cy),) = transform(
        invert(align_unit(leaning.landmarks)), np.array([((u0 + u1) / 2, (v0 + v1) / 2)])
    )
    x0, y0, x1, y1 = box_of(upright)
    wide, high = (x1 - x0) / 2, (y1 - y0) / 2
    found = Detection(box=(cx - wide, cy - high, cx + wide, cy + high), score=0.7, roll=roll)
    return FaceQuery(frame=Frame(index=3, image=image), detection=found), leaning.landmarks


def test_without_wishes_the_aligner_works_alone():
    aligner = Placer()
    assert careful(aligner, FindOptions(), rng) is aligner


@pytest.mark.parametrize("roll", [-170, -90, -30, 0, 45, 120])
def test_a_face_of_a_turned_frame_is_shown_upright(roll):
    asked, truth = query(roll)
    aligner = Placer()
    (marks,) = careful(aligner, FindOptions(rotations=(0, 90)), rng)([asked])
    np.testing.assert_allclose(marks.points, truth, atol=0.05)
    (shown,) = aligner.seen
    assert (shown.frame is asked.frame) == (roll == 0)


def test_the_pixels_of_a_patch_are_those_of_the_frame():
    asked, _ = query(90)
    aligner = Placer()
    careful(aligner, FindOptions(rotations=(90,)), rng)([asked])
    patch = aligner.seen[0].frame.image.astype(int)
    x0, y0, x1, y1 = asked.detection.box
    x, y, middle = (x0 + x1) / 2, (y0 + y1) / 2, patch.shape[0] // 2
    for right, down in ((0, 0), (9, 0), (0, -9), (-12, 7)):
        # The head leans clockwise by 90 degrees: its right is the frame's down.
        wanted = asked.frame.image[round(y + right), round(x - down)].astype(int)
        assert np.abs(patch[middle + down, middle + right] - wanted).max() < 12


def test_re_align_makes_a_leaning_face_upright():
    class Lean(Placer):
        """Sees the lean of 40 degrees in the frame, and an upright face in a patch."""

        def _points(self, asked: FaceQuery) -> Any:
            return truth if asked.frame is query_.frame else super()._points(asked)

    query_, truth = query(40)
    query_ = FaceQuery(frame=query_.frame, detection=Detection(box=query_.detection.box, score=0.7))
    aligner = Lean()
    (marks,) = careful(aligner, FindOptions(re_align=True), rng)([query_])
    np.testing.assert_allclose(marks.points, truth, atol=0.05)
    assert len(aligner.seen) == 2
    assert aligner.seen[1].detection.roll == 0


def test_re_feed_takes_the_mean_of_moved_boxes_and_repeats_itself():
    asked, _ = query()
    aligner = Placer()
    (marks,) = careful(aligner, FindOptions(re_feed=6), rng)([asked])
    assert len(aligner.seen) == 7
    boxes = np.array([seen.detection.box for seen in aligner.seen])
    sides = boxes[:, 2:] - boxes[:, :2]
    assert (np.abs(sides / sides[0] - 1) <= 0.05 + 1e-9).all()
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    assert (np.abs(centres - centres[0]) <= 0.05 * sides[0] + 1e-9).all()
    assert len(np.unique(boxes[:, 0])) == 7
    own = [Placer()._points(seen) for seen in aligner.seen]
    np.testing.assert_allclose(marks.points, np.mean(own, axis=0), atol=1e-3)
    (again,) = careful(Placer(), FindOptions(re_feed=6), rng)([asked])
    np.testing.assert_array_equal(marks.points, again.points)


def test_batches_are_the_aligners_own():
    calls: list[int] = []

    class Counted(Placer):
        def __call__(self, batch: Sequence[FaceQuery], /) -> list[Landmarks]:
            calls.append(len(batch))
            return super().__call__(batch)

    asked, _ = query()
    careful(Counted(3), FindOptions(re_feed=1), rng)([asked, asked])
    assert calls == [3, 1]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("how", ["mean", "hist", "clahe"])
def test_light_is_evened_out_in_every_number_format(how, dtype):
    dark = np.random.default_rng(0).integers(20, 60, (64, 64, 3))
    scale = {np.uint8: 1, np.uint16: 257, np.float32: np.float32(1 / 255)}[dtype]
    even = normalised((dark * scale).astype(dtype), how)
    assert even.dtype == np.uint8
    assert int(even.max()) - int(even.min()) > 80
    assert int(dark.max()) - int(dark.min()) < 40


def test_one_colour_stays_finite():
    for how in ("mean", "hist", "clahe"):
        assert normalised(np.full((16, 16, 3), 90, np.uint8), how).shape == (16, 16, 3)


def test_points_that_make_no_face_are_left_out_where_asked():
    face = face_at(50, 50, 40).landmarks
    leaning = face_at(50, 50, 40, roll=30).landmarks
    upside_down = face * np.float32([1, -1])
    scattered = np.random.default_rng(2).uniform(0, 99, (68, 2)).astype(np.float32)
    one_spot = np.full((68, 2), 7, np.float32)

    def wanted(**options: Any) -> list[bool]:
        made = FindOptions(**options)
        return [
            is_face(points, made) for points in (face, leaning, upside_down, scattered, one_spot)
        ]

    assert wanted() == [True, True, True, True, False]
    assert wanted(max_oddness=0.4) == [True, True, False, False, False]
    assert wanted(max_roll=20)[:2] == [True, False]
    assert wanted(max_roll=40)[:2] == [True, True]


def test_an_aligner_that_looks_around_in_time_cannot_be_wrapped():
    class Temporal(Placer):
        window = (1, 1)

    with pytest.raises(ConfigError, match="looks at neighbouring frames"):
        careful(Temporal(), FindOptions(re_feed=1), rng)
