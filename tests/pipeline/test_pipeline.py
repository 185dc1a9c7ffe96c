"""The line of work: faces of many frames share a batch, and every answer finds its face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mien.errors import StageError
from mien.finding.align import AlignStep
from mien.finding.detect import DetectStep
from mien.finding.line import find_faces
from mien.finding.options import FindOptions
from mien.merging import MergeOptions
from mien.merging.steps import BlendStep, ColorStep, merge_steps
from mien.merging.swapping import SwapStep
from mien.pipeline import MaskStep, mask_steps, same_face
from mien.runner import Step, run
from mien.stages import Blended, Neighbours, StageBase
from mien.testing import face_at, frames
from mien.types import (
    CropSpec,
    Detection,
    Face,
    FaceType,
    Frame,
    Landmarks,
    Packet,
    Swap,
    replace,
)


class Toy(StageBase):
    """A plugin's stage that answers with a function, and remembers its batches."""

    spec = CropSpec(face_type=FaceType.FULL, size=16)

    def __init__(self, function: Any, batch_size: int = 3, window: tuple[int, int] = (0, 0)):
        self.function, self.batch_size, self.window = function, batch_size, window
        self.batches: list[int] = []

    def __call__(self, batch: Sequence[Any], /) -> list[Any]:
        self.batches.append(len(batch))
        return [self.function(item) for item in batch]


def packets(counts: Sequence[int]) -> list[Packet]:
    made = []
    for frame, count in zip(frames(len(counts), width=80, height=60), counts, strict=True):
        faces = tuple(
            Face(box=(10.0 * n, 5, 10.0 * n + 8, 20), score=frame.index + n / 10)
            for n in range(count)
        )
        made.append(Packet(frame=frame, faces=faces))
    return made


def marked(query: Any) -> Landmarks:
    """Landmarks that carry the score of the face they were asked about."""
    points = face_at(40, 30, 20).landmarks.copy()
    points[0] = (query.frame.index, query.detection.score)
    return Landmarks(points=points)


def test_detections_become_faces_of_their_frame():
    def find(frame: Frame) -> tuple[Detection, ...]:
        return tuple(Detection(box=(frame.index, 0, 9, 9), score=0.5) for _ in range(frame.index))

    found = DetectStep([Toy(find)], FindOptions())(frames(4))
    assert [len(packet.faces) for packet in found] == [0, 1, 2, 3]
    assert found[2].faces[1].box[0] == 2


@given(
    counts=st.lists(st.integers(0, 5), min_size=1, max_size=20),
    batch=st.integers(1, 7),
)
@settings(max_examples=30, deadline=None)
def test_every_answer_finds_its_face_and_batches_are_full(counts, batch):
    stage = Toy(marked, batch)
    made = packets(counts)
    (result,) = [AlignStep(stage, FindOptions())(made)]
    for packet, before in zip(result, made, strict=True):
        assert len(packet.faces) == len(before.faces)
        for face, old in zip(packet.faces, before.faces, strict=True):
            assert face.landmarks[0] == pytest.approx((packet.frame.index, old.score))
    whole, rest = divmod(sum(counts), batch)
    assert stage.batches == [batch] * whole + ([rest] if rest else [])


def test_a_face_with_landmarks_is_not_asked_again():
    stage = Toy(marked)
    once = AlignStep(stage, FindOptions())(packets([2]))
    AlignStep(stage, FindOptions())(once)
    assert stage.batches == [2]


def test_a_face_whose_points_fall_on_one_spot_is_dropped():
    stage = Toy(lambda query: Landmarks(points=np.full((68, 2), 7, np.float32)))
    (packet,) = AlignStep(stage, FindOptions())(packets([2]))
    assert packet.faces == ()


def test_masks_are_stored_under_their_name_beside_others():
    (aligned,) = AlignStep(Toy(marked), FindOptions())(packets([1]))
    ones = Toy(lambda crop: np.ones((16, 16, 1), np.float32))
    (first,) = MaskStep("one", ones)([aligned])
    (second,) = MaskStep("two", ones)([first])
    assert set(second.faces[0].masks) == {"one", "two"}
    MaskStep("two", ones)([second])
    assert ones.batches == [1, 1]


def test_a_stage_that_answers_too_little_is_refused():
    class Short(Toy):
        def __call__(self, batch: Sequence[Any], /) -> list[Any]:
            return super().__call__(batch)[1:]

    with pytest.raises(ValueError, match="gave 1 results for 2 faces"):
        AlignStep(Short(marked), FindOptions())(packets([2]))


def test_a_temporal_plugin_sees_the_same_face_in_the_frames_around():
    seen: list[list[float]] = []

    def look(item: Any) -> Landmarks:
        assert isinstance(item, Neighbours)
        around = (*item.before, item.item, *item.after)
        seen.append([query.detection.score for query in around])
        return marked(item.item)

    step = AlignStep(Toy(look, 2, window=(1, 1)), FindOptions())
    out: list[Packet] = []
    run(
        packets([2, 1, 2]),
        [Step(name="align", stage=step)],
        out.append,
        index_of=lambda packet: packet.frame.index,
    )
    assert seen == [
        [pytest.approx(0.0), pytest.approx(1.0)],
        [pytest.approx(0.1)],  # the second face is not in frame 1
        [pytest.approx(0.0), pytest.approx(1.0), pytest.approx(2.0)],
        [pytest.approx(1.0), pytest.approx(2.0)],
        [pytest.approx(2.1)],
    ]
    assert [len(packet.faces) for packet in out] == [2, 1, 2]


def test_a_question_of_overlapping_windows_is_made_once_a_batch():
    made: list[int] = []

    class Asking(AlignStep):
        def ask(self, packet: Packet, position: int) -> Any:
            made.append(packet.frame.index)
            return super().ask(packet, position)

    step = Asking(Toy(lambda item: marked(item.item), 4, window=(2, 2)), FindOptions())
    given = packets([1] * 8)
    around = [
        Neighbours(
            item=given[i], before=tuple(given[max(0, i - 2) : i]), after=tuple(given[i + 1 : i + 3])
        )
        for i in range(8)
    ]
    assert len(step(around[2:6])) == 4
    assert sorted(made) == list(range(8))


def test_the_same_face_is_known_by_track_or_by_overlap():
    faces = [Face(box=(0, 0, 10, 10), track=4), Face(box=(50, 0, 60, 10), track=5)]
    assert same_face(Face(box=(50, 0, 60, 10), track=4), faces) == 0
    assert same_face(Face(box=(51, 1, 61, 11)), faces) == 1
    assert same_face(Face(box=(20, 0, 30, 10)), faces) == -1
    assert same_face(Face(box=(0, 0, 10, 10), track=9), faces) == -1
    assert same_face(faces[0], []) == -1


def swap_of(crop: Any) -> Swap:
    return Swap(image=np.ascontiguousarray(1 - crop.image), matrix=crop.matrix)


def line(merge: MergeOptions, color: Any = None) -> list[Step]:
    blend = Toy(lambda pair: Blended(image=pair.swap, alpha=pair.alpha), 1)
    ones = Toy(lambda crop: np.ones((16, 16, 1), np.float32))
    return [
        *find_faces([Toy(two_faces)], Toy(placed), FindOptions(order="surest"), no_chance),
        *mask_steps([("box", ones)]),
        *merge_steps(Toy(swap_of), color, blend, merge),
    ]


def no_chance(*names: Any) -> Any:
    raise AssertionError("nothing here is left to chance")


def two_faces(frame: Frame) -> tuple[Detection, ...]:
    return (
        Detection(box=(5, 5, 25, 25), score=0.9),
        Detection(box=(40, 10, 75, 45), score=0.8),
    )


def placed(query: Any) -> Landmarks:
    x0, y0, x1, y1 = query.detection.box
    return Landmarks(points=face_at((x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 2).landmarks)


def go(steps: list[Step], count: int = 5) -> list[Packet]:
    out: list[Packet] = []
    run(
        frames(count, width=80, height=60),
        steps,
        out.append,
        index_of=lambda item: getattr(item, "frame", item).index,
    )
    return out


def changed(packet: Packet) -> Any:
    (before,) = [f for f in frames(5, width=80, height=60) if f.index == packet.frame.index]
    return (packet.frame.image != before.image).any(-1)


def test_the_whole_line_swaps_the_largest_face_and_leaves_the_rest_alone():
    for packet in go(line(MergeOptions())):
        assert [swap is not None for swap in packet.swaps] == [False, True]
        touched = changed(packet)
        assert touched[25:30, 55:60].all()
        assert not touched[:30, :30].any()


def test_all_faces_are_swapped_when_asked():
    for packet in go(line(MergeOptions(faces="all"))):
        touched = changed(packet)
        assert touched[25:30, 55:60].all()
        assert touched[13:17, 13:17].all()


def test_a_colour_transfer_sees_plate_and_area_of_the_same_crop():
    pairs: list[Any] = []

    def look(pair: Any) -> Any:
        pairs.append(pair)
        return pair.plate

    packets_out = go(line(MergeOptions(), color=Toy(look)))
    assert len(pairs) == 5
    assert {pair.frame_index for pair in pairs} == set(range(5))
    for pair in pairs:
        assert pair.area.max() > 0.9
        np.testing.assert_allclose(pair.plate, 1 - pair.swap, atol=1e-6)
    for packet in packets_out:  # a swap in the plate's own pixels changes next to nothing
        (before,) = [f for f in frames(5, width=80, height=60) if f.index == packet.frame.index]
        assert np.abs(packet.frame.image.astype(int) - before.image).max() <= 6


def test_frames_without_faces_pass_through_untouched():
    steps = merge_steps(
        Toy(swap_of), Toy(lambda pair: pair.swap), Toy(lambda pair: pair), MergeOptions()
    )
    made = packets([0, 0])
    out: list[Packet] = []
    run(made, steps, out.append, index_of=lambda packet: packet.frame.index)
    assert [packet.frame for packet in out] == [packet.frame for packet in made]


def test_a_plugin_that_fails_is_named_with_its_frames():
    def fail(crop: Any) -> Any:
        if crop.frame_index == 3:
            raise RuntimeError("out of memory")
        return np.ones((16, 16, 1), np.float32)

    steps = [
        *find_faces([Toy(two_faces)], Toy(placed), FindOptions(), no_chance),
        *mask_steps([("box", Toy(fail))]),
    ]
    with pytest.raises(StageError, match=r"mask box failed on frames 0..4: RuntimeError: out of"):
        go(steps)


def test_the_steps_open_and_close_their_plugins():
    log: list[str] = []

    class Logged(Toy):
        def open(self) -> None:
            log.append("open")

        def close(self) -> None:
            log.append("close")

    merge = MergeOptions()
    for step in (
        DetectStep([Logged(two_faces)], FindOptions()),
        AlignStep(Logged(placed), FindOptions()),
        MaskStep("m", Logged(None)),
        SwapStep(Logged(None), merge),
        ColorStep(Logged(None), merge),
        BlendStep(Logged(None), merge),
    ):
        step.open()
        step.close()
    assert log == ["open", "close"] * 6


def test_a_packet_says_how_much_memory_it_holds():
    (packet,) = packets([1])
    swap = Swap(image=np.zeros((16, 16, 3), np.float32), matrix=np.eye(2, 3))
    heavier = replace(packet, swaps=(swap,))
    assert heavier.nbytes - packet.nbytes == 16 * 16 * 3 * 4
