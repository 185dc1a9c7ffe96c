"""The aligner: its batches, its two looks, and the shipped net on real faces."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import cv2
import mien_compact
import numpy as np
import pytest
from mien.errors import WeightsError
from mien.geometry import mirror, transform
from mien.onnx import open_session
from mien.runtime import make_context
from mien.stages import FaceQuery
from mien.testing import AlignerConformance, FakeContext, FakeNet, face_at, frames
from mien.types import Detection, Frame
from mien_compact import NET, Options
from mien_compact.crops import SIDE, box_matrix
from mien_compact.stage import LOST, CompactAligner, chained, moved, take

pytest.importorskip("onnxruntime")

WEIGHTS = Path(mien_compact.__file__).parent / "weights"


class TestCompactKeepsItsPromises(AlignerConformance):
    """With the shipped net."""

    plugin = mien_compact
    name = "compact"


class TestCompactKeepsItsPromisesInOneLook(TestCompactKeepsItsPromises):
    options: ClassVar[Mapping[str, Any]] = {"flip": False, "passes": 1, "margin": 1.2}


def test_the_wheel_holds_the_net_and_its_card() -> None:
    assert (WEIGHTS / NET.name).stat().st_size < 8_000_000
    card = (WEIGHTS / NET.name).with_suffix(".md").read_text(encoding="utf-8")
    for word in ("Licence", "CC BY", "held out", "Limits"):
        assert word in card


@pytest.mark.parametrize("count", [1, 5])
def test_the_net_takes_any_number_of_faces(count: int) -> None:
    session = open_session(WEIGHTS / NET.name)
    images = np.random.default_rng(1).random((count, 3, SIDE, SIDE)).astype(np.float32)
    points, spread = session.run(None, {"image": images})
    assert points.shape == (count, 68, 2)
    assert spread.shape == (count, 68)


def test_a_damaged_net_is_named(tmp_path: Path) -> None:
    path = tmp_path / NET.name
    path.write_bytes((WEIGHTS / NET.name).read_bytes()[:5000])
    stage = CompactAligner(Options(), FakeContext(files={NET.name: path}))
    with pytest.raises(WeightsError, match=NET.name):
        stage.open()


def test_an_aligner_that_was_not_opened_says_so() -> None:
    (frame,) = frames(1)
    query = FaceQuery(frame=frame, detection=Detection(box=(1, 1, 9, 9), score=1))
    with pytest.raises(RuntimeError, match="before open"):
        CompactAligner(Options(), FakeContext())([query])


UNIT = np.random.default_rng(4).uniform(0.2, 0.8, (68, 2)).astype(np.float32)


def stage_with(spread: float = 0.0, **settings: Any) -> CompactAligner:
    """An aligner whose net always sees the same points, mirrored in the second half if `flip`."""

    def answer(feeds: Mapping[str, Any]) -> list[Any]:
        count = len(feeds["image"])
        points = np.repeat(UNIT[None], count, axis=0)
        if settings.get("flip", True) and count > 1:  # two looks at one face: the second
            turned = mirror(UNIT * SIDE - 0.5, SIDE)
            points[count // 2 :] = (turned + 0.5) / SIDE
            plain = feeds["image"][: count // 2]
            np.testing.assert_array_equal(feeds["image"][count // 2 :], plain[..., ::-1])
        return [points, np.full((count, 68), spread, np.float32)]

    stage = CompactAligner(Options(**settings), FakeContext(net=FakeNet(answer)))
    stage.open()
    return stage


@pytest.mark.parametrize("flip", [False, True])
def test_the_nets_points_are_taken_back_to_the_frame(flip: bool) -> None:
    (frame,) = frames(1)
    found = Detection(box=(30, 20, 60, 60), score=1)
    (marks,) = stage_with(flip=flip, passes=1)([FaceQuery(frame=frame, detection=found)])
    seen = transform(box_matrix(found), marks.points)
    np.testing.assert_allclose(seen, UNIT * SIDE - 0.5, atol=1e-3)


def queries(boxes: list[tuple[int, tuple[float, float, float, float]]]) -> list[FaceQuery]:
    seen = {frame.index: frame for frame in frames(20)}
    return [FaceQuery(frame=seen[n], detection=Detection(box=box, score=1)) for n, box in boxes]


def test_a_face_in_frame_after_frame_is_one_chain() -> None:
    here, near, there = (0, 0, 40, 40), (2, 1, 42, 41), (30, 30, 70, 70)
    asked = [(0, here), (0, there), (1, near), (1, there), (3, near), (4, here), (5, there)]
    assert chained(queries(asked)) == [[0, 2], [1, 3], [4, 5], [6]]


@pytest.mark.parametrize(("count", "looks"), [(1, 1), (2, 2), (5, 2), (6, 3), (8, 3), (9, 3)])
def test_of_a_chain_few_frames_get_two_looks(count: int, looks: int) -> None:
    fed: list[int] = []

    def answer(feeds: Mapping[str, Any]) -> list[Any]:
        fed.append(len(feeds["image"]))
        points = np.repeat(UNIT[None], fed[-1], axis=0)
        return [points, np.zeros((fed[-1], 68), np.float32)]

    stage = CompactAligner(Options(flip=False), FakeContext(net=FakeNet(answer)))
    stage.open()
    marks = stage(queries([(n, (20 + n, 20, 60 + n, 60)) for n in range(count)]))
    assert fed == [looks, count]
    # The net sees the same in every crop, so the points move as the box does.
    for number, each in enumerate(marks):
        expected = marks[0].points + np.float32([number, 0])
        np.testing.assert_allclose(each.points, expected, atol=0.05)


def test_points_move_and_grow_with_their_box() -> None:
    points = np.float32([[10, 20], [30, 20]])
    np.testing.assert_allclose(
        moved(points, (0, 0, 40, 40), (100, 0, 180, 80)), [[120, 40], [160, 40]]
    )


@pytest.mark.parametrize(("spread", "score"), [(0.0, 1.0), (LOST / 2, 0.5), (1.0, 0.0)])
def test_the_score_falls_as_the_votes_part(spread: float, score: float) -> None:
    (frame,) = frames(1)
    query = FaceQuery(frame=frame, detection=Detection(box=(30, 20, 60, 60), score=0.3))
    assert stage_with(spread)([query])[0].score == pytest.approx(score)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_the_net_is_fed_rgb_0_to_1_and_black_beyond_the_frame(dtype: str) -> None:
    image = np.zeros((40, 40, 3), dtype)
    image[..., 0] = {"uint8": 255, "uint16": 65535, "float32": 3}[dtype]
    matrix = box_matrix(Detection(box=(0, 0, 40, 40), score=1), 2)
    crop = take(image, matrix)
    assert crop.dtype == np.float32
    middle = transform(matrix, np.array([[20.0, 20.0]]))[0].round().astype(int)
    np.testing.assert_allclose(crop[:, middle[1], middle[0]], [0, 0, 1], atol=1e-6)
    assert crop[:, 2, 2].max() == 0


def test_holes_in_a_float_frame_do_not_spread() -> None:
    image = np.full((80, 80, 3), 0.5, np.float32)
    image[30:34, 30:34] = np.nan
    assert np.isfinite(take(image, box_matrix(Detection(box=(10, 10, 70, 70), score=1)))).all()


def shipped(tmp_path: Path, **settings: Any) -> CompactAligner:
    context = make_context(device="cpu", threads=2, cache=tmp_path)
    stage = CompactAligner(Options(**settings), context)
    stage.open()
    return stage


def portraits(folder: Path, step: int) -> tuple[list[FaceQuery], list[np.ndarray]]:
    """Every `step`-th labelled portrait of the set, and its points."""
    images = json.loads((folder / "faces.json").read_text(encoding="utf-8"))["images"]
    chosen = [each for each in images if each["faces"] and each["faces"][0]["lm_ok"]][::step]
    queries, truth = [], []
    for number, each in enumerate(chosen):
        face = each["faces"][0]
        frame = Frame(index=number, image=cv2.imread(str(folder / each["file"])))
        five = np.asarray(face["kps5"], np.float32)
        found = Detection(box=tuple(face["box"]), score=0.9, points5=five)
        queries.append(FaceQuery(frame=frame, detection=found))
        truth.append(np.asarray(face["lm68"], np.float32))
    return queries, truth


def mean_error(points: list[np.ndarray], truth: list[np.ndarray]) -> float:
    errors = [
        np.linalg.norm(found - true, axis=1).mean() / np.linalg.norm(true[36] - true[45])
        for found, true in zip(points, truth, strict=True)
    ]
    return float(np.mean(errors))


def test_portraits_get_their_points(shared: Callable[[str], Path], tmp_path: Path) -> None:
    queries, truth = portraits(shared("data/faces"), 60)
    marks = shipped(tmp_path)(queries)
    assert mean_error([each.points for each in marks], truth) < 0.03
    assert np.mean([each.score for each in marks]) > 0.5


@pytest.mark.parametrize("roll", [-150, -60, 35, 90])
def test_rolled_portraits_get_rolled_points(
    shared: Callable[[str], Path], tmp_path: Path, roll: float
) -> None:
    queries, truth = portraits(shared("data/faces"), 150)
    turned, wanted = [], []
    for query, points in zip(queries, truth, strict=True):
        image, five = query.frame.image, query.detection.points5
        assert five is not None
        height, width = image.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), roll, 1.0)
        moved = transform(matrix, points)
        low, high = moved.min(axis=0), moved.max(axis=0)
        found = Detection(
            box=(*low.tolist(), *high.tolist()), score=1, points5=transform(matrix, five)
        )
        frame = Frame(index=0, image=cv2.warpAffine(image, matrix, (width, height)))
        turned.append(FaceQuery(frame=frame, detection=found))
        wanted.append(moved)
    marks = shipped(tmp_path)(turned)
    assert mean_error([each.points for each in marks], wanted) < 0.045


def test_grey_deep_and_float_frames_give_the_same_points(
    shared: Callable[[str], Path], tmp_path: Path
) -> None:
    (query, *_), _ = portraits(shared("data/faces"), 400)
    image = query.frame.image
    deep = Frame(index=0, image=image.astype(np.uint16) * 257, bits=16)
    real = Frame(index=0, image=image.astype(np.float32) / np.float32(255), bits=32)
    stage = shipped(tmp_path)
    plain, *others = stage(
        [FaceQuery(frame=each, detection=query.detection) for each in (query.frame, deep, real)]
    )
    for other in others:
        np.testing.assert_allclose(other.points, plain.points, atol=0.2)


def test_what_is_no_face_gets_a_low_score(tmp_path: Path) -> None:
    noise = np.random.default_rng(2).integers(0, 256, (200, 200, 3)).astype(np.uint8)
    found = Detection(box=(40, 30, 150, 170), score=1)
    (marks,) = shipped(tmp_path)([FaceQuery(frame=Frame(index=0, image=noise), detection=found)])
    assert marks.score < 0.5


def test_a_drawn_face_far_outside_the_frame_still_gets_68_finite_points(tmp_path: Path) -> None:
    (frame,) = frames(1)
    face = face_at(-400, -300, 50)
    found = Detection(box=face.box, score=1)
    (marks,) = shipped(tmp_path)([FaceQuery(frame=frame, detection=found)])
    assert np.isfinite(marks.points).all()
