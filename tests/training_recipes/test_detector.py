"""The detector's recipe: what scenes show, what the net is asked, and going on after a stop."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mien.geometry.boxes import iou  # noqa: E402
from mien.onnx import open_session  # noqa: E402
from mien_retinaface.decode import decode_boxes, decode_points, make_priors  # noqa: E402
from mien_retinaface.files import build_net  # noqa: E402

from training import detector  # noqa: E402
from training.detector_eval import Tally, evaluate  # noqa: E402
from training.detector_mining import mine  # noqa: E402
from training.detector_scenes import Scene, compose, compose_one, move_box  # noqa: E402
from training.detector_stock import Stock, Supply, make_stock  # noqa: E402
from training.detector_targets import losses, make_targets  # noqa: E402

ANCHORS = ((10, 20), (40, 80), (160, 320))
BOX = np.float32([60, 40, 140, 140])
POINTS = np.float32([[80, 80], [120, 80], [100, 100], [85, 120], [115, 120]])


def drawn_face() -> Stock:
    """An oval with eyes and mouth on grey, 200 pixels wide."""
    image = np.full((180, 200, 3), 90, np.uint8)
    cv2.ellipse(image, (100, 90), (40, 50), 0, 0, 360, (150, 180, 220), -1)
    for x, y in POINTS.astype(int).tolist():
        cv2.circle(image, (x, y), 5, (30, 30, 60), -1)
    stock = make_stock(image, (), ())
    return Stock(
        copies=stock.copies,
        boxes=BOX[None],
        points=POINTS[None],
        ignore=np.zeros((0, 4), np.float32),
    )


@pytest.fixture(scope="module")
def supply() -> Supply:
    rng = np.random.default_rng(3)
    grounds = [
        make_stock(rng.integers(0, 256, (90, 120, 3)).astype(np.uint8), (), ()) for _ in range(3)
    ]
    return Supply(portraits=[drawn_face()] * 4, frames=[drawn_face()], backgrounds=grounds)


def rng_of(*numbers: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([*numbers]))


# --- scenes -------------------------------------------------------------------------------------


def test_a_scene_depends_on_its_generator_alone(supply: Supply) -> None:
    first, second = (compose(rng_of(1, 5), supply, 128, 160) for _ in range(2))
    np.testing.assert_array_equal(first.image, second.image)
    assert [box.tolist() for box in first.boxes] == [box.tolist() for box in second.boxes]


def test_scenes_show_their_faces_inside(supply: Supply) -> None:
    seen = 0
    for place in range(60):
        scene = compose(rng_of(2, place), supply, 128, 160)
        assert scene.image.shape == (128, 160, 3)
        assert scene.image.dtype == np.uint8
        for box, points in zip(scene.boxes, scene.points, strict=True):
            assert (box[2:] > box[:2]).all()
            assert (box >= 0).all()
            assert (box <= [160, 128, 160, 128]).all()
            assert points.shape == (5, 2)
            seen += 1
    assert seen > 30


def test_mirrored_faces_keep_the_image_left_eye_first(supply: Supply) -> None:
    for place in range(40):
        scene = compose(rng_of(4, place), supply, 128, 160)
        for points in scene.points:
            down = points[[3, 4]].mean(0) - points[[0, 1]].mean(0)
            across = points[1] - points[0]
            assert across[0] * down[1] - across[1] * down[0] > 0


def test_the_box_of_a_turned_face_is_that_of_its_oval() -> None:
    quarter = np.float32([[0, -1, 300], [1, 0, 0]])
    turned = move_box(BOX, quarter)
    np.testing.assert_allclose(turned[2:] - turned[:2], [100, 80], rtol=1e-6)
    angle = np.deg2rad(45)
    eighth = np.float32([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0]])
    side = 2 * np.sqrt((40**2 + 50**2) / 2)
    turned = move_box(BOX, eighth)
    np.testing.assert_allclose(turned[2:] - turned[:2], [side, side], rtol=1e-5)


def test_a_cut_face_counts_by_what_is_left() -> None:
    scene = Scene(image=np.zeros((100, 100, 3), np.uint8))
    scene.add(np.float32([-20, 10, 30, 60]), POINTS)  # 60 % is left
    scene.add(np.float32([80, 10, 130, 60]), POINTS)  # 40 %
    scene.add(np.float32([99.5, 10, 150, 60]), POINTS)  # 1 %
    assert [box.tolist() for box in scene.boxes] == [[0, 10, 30, 60]]
    assert [box.tolist() for box in scene.ignore] == [[80, 10, 100, 60]]


def test_a_scene_for_measuring_has_one_whole_face_of_the_asked_size(supply: Supply) -> None:
    for place in range(10):
        scene = compose_one(rng_of(place), supply, 180, 320, side=60, turn=0)
        (box,) = scene.boxes
        assert box[3] - box[1] == pytest.approx(60, abs=0.01)


# --- targets ------------------------------------------------------------------------------------


def scene_with(*boxes: tuple[float, ...], ignore: tuple[tuple[float, ...], ...] = ()) -> Scene:
    scene = Scene(image=np.zeros((128, 160, 3), np.uint8))
    for box in boxes:
        scene.boxes.append(np.float32(box))
        scene.points.append(POINTS)
    scene.ignore += [np.float32(box) for box in ignore]
    return scene


def test_targets_decode_to_the_faces_they_were_made_from() -> None:
    priors = make_priors(128, 160, ANCHORS)
    box = (30.0, 20.0, 80.0, 90.0)
    targets = make_targets([scene_with(box)], priors)
    which = np.flatnonzero(targets.labels[0].numpy() == 1)
    size = np.float32([160, 128])
    boxes = decode_boxes(targets.boxes.numpy(), priors[which]) * np.tile(size, 2)
    np.testing.assert_allclose(boxes, np.tile(box, (len(which), 1)), atol=1e-3)
    points = decode_points(targets.points.numpy(), priors[which]) * size
    np.testing.assert_allclose(points, np.tile(POINTS, (len(which), 1, 1)), atol=1e-3)


@pytest.mark.parametrize("side", [8, 10, 14, 20, 28, 40, 57, 80, 113])
def test_every_size_of_face_has_an_anchor(side: float) -> None:
    priors = make_priors(128, 160, ANCHORS)
    scene = scene_with((41, 11, 41 + 0.8 * side, 11 + side))
    assert (make_targets([scene], priors).labels == 1).any()


def test_nothing_counts_where_the_truth_is_not_known() -> None:
    priors = make_priors(128, 160, ANCHORS)
    labels = make_targets([scene_with(ignore=((0, 0, 40, 40),))], priors).labels[0].numpy()
    centres = priors[:, :2] * [160, 128]
    small = priors[:, 2] * 160 < 15
    inside = small & (centres < 36).all(axis=1)
    outside = small & (centres > 50).all(axis=1)
    assert (labels[inside] == -1).all()
    assert (labels[outside] == 0).all()


def test_the_right_answer_costs_nothing_and_a_wrong_one_does() -> None:
    targets = make_targets(
        [scene_with((30, 20, 80, 90)), scene_with()], make_priors(128, 160, ANCHORS)
    )
    positive = targets.labels == 1
    boxes = torch.zeros(*targets.labels.shape, 4)
    points = torch.zeros(*targets.labels.shape, 10)
    boxes[positive], points[positive] = targets.boxes, targets.points
    classes = torch.stack([~positive * 30.0, positive * 30.0], dim=-1)
    assert sum(map(float, losses(boxes, classes, points, targets))) < 1e-6
    assert float(losses(boxes, -classes, points, targets)[1]) > 30
    assert float(losses(boxes + 1, classes, points, targets)[0]) > 1


def test_a_small_face_weighs_more_than_each_anchor_of_a_large_one() -> None:
    priors = make_priors(128, 160, ANCHORS)
    targets = make_targets([scene_with((10, 10, 22, 26), (40, 20, 130, 126))], priors)
    weights = np.unique(targets.weights.numpy())
    assert len(weights) == 2
    assert targets.weights.mean() == pytest.approx(1)
    counts = [int((targets.weights.numpy() == weight).sum()) for weight in weights]
    assert counts[0] > counts[1]  # the lighter anchors are those of the large face


# --- the net's own mistakes ---------------------------------------------------------------------


class SeesOne:
    """A net that calls one anchor of every picture a face."""

    def __init__(self, anchor: int) -> None:
        self.anchor = anchor

    def eval(self) -> None:
        pass

    def __call__(self, image: Any) -> tuple[Any, ...]:
        count = len(make_priors(*image.shape[2:], ANCHORS))
        classes = torch.zeros(1, count, 2)
        classes[0, self.anchor, 1] = 0.9
        return torch.zeros(1, count, 4), classes, torch.zeros(1, count, 10)


def test_false_boxes_become_places_and_true_ones_do_not(supply: Supply) -> None:
    places = mine(SeesOne(1), supply, ANCHORS)  # type: ignore[arg-type]
    assert {kind for kind, _, _ in places} == {"frames", "backgrounds", "portraits"}
    kind, index, box = places[0]
    assert (kind, index) == ("frames", 0)
    np.testing.assert_allclose(box, [-6, -6, 14, 14], atol=1e-3)
    priors = make_priors(180, 200, ANCHORS)
    corners = np.concatenate(
        [priors[:, :2] - priors[:, 2:] / 2, priors[:, :2] + priors[:, 2:] / 2], 1
    )
    best = int(iou(corners * np.float32([200, 180, 200, 180]), BOX[None]).argmax())
    true = mine(SeesOne(best), supply, ANCHORS)  # type: ignore[arg-type]
    assert "portraits" not in {kind for kind, _, _ in true}


def test_scenes_come_back_to_such_places(supply: Supply) -> None:
    hard = dataclasses.replace(supply, hard=(("portraits", 0, (60.0, 40.0, 140.0, 140.0)),))
    shown = sum(bool(compose(rng_of(8, place), hard, 128, 160).boxes) for place in range(20))
    assert shown > 5


# --- the run ------------------------------------------------------------------------------------


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector, "COURSE", ((1.0, 2 * 64 * 64, ((64, 64),)),))


def train(supply: Supply, out: Path, iterations: int, upto: int) -> dict[str, Any]:
    """Weights after `upto` of `iterations` steps, going on from what lies in `out`."""
    torch.manual_seed(1)
    training = detector.Training()
    first = training.load(out / "last.pt") if (out / "last.pt").exists() else 0
    for iteration in range(first, upto):
        batch = detector.make_batch(supply, 1, iteration, iteration / iterations)
        training.step(batch, iteration, iteration / iterations)
    training.save(out / "last.pt", upto)
    return dict(training.average.state_dict())


def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(
    supply: Supply, tmp_path: Path, short: None
) -> None:
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    whole = train(supply, tmp_path / "whole", 4, 4)
    train(supply, tmp_path / "parts", 4, 2)
    parts = train(supply, tmp_path / "parts", 4, 4)
    for key, value in whole.items():
        torch.testing.assert_close(parts[key], value, rtol=1e-4, atol=1e-5)


def test_a_second_course_begins_with_the_average_of_the_first(
    supply: Supply, tmp_path: Path, short: None
) -> None:
    first = train(supply, tmp_path, 2, 2)
    second = detector.Training(tmp_path / "last.pt")
    assert second.peak < detector.PEAK_RATE
    for net in (second.net, second.average):
        for key, value in net.state_dict().items():
            torch.testing.assert_close(value, first[key])


def test_a_net_that_was_widened_says_what_the_narrow_one_said() -> None:
    torch.manual_seed(1)
    narrow = build_net(dataclasses.replace(detector.OURS, channels=16)).eval()
    wide = detector.make_net()
    wide.load_state_dict(detector.widened(narrow.state_dict(), wide))
    image = torch.randn(1, 3, 96, 160) * 50
    with torch.inference_mode():
        for said, wanted in zip(wide.eval()(image), narrow(image), strict=True):
            torch.testing.assert_close(said, wanted, rtol=1e-4, atol=1e-5)


def test_batches_come_in_order_and_are_those_of_their_iteration(
    supply: Supply, short: None
) -> None:
    given = list(detector.batches(supply, 7, 2, 5, lambda iteration: iteration / 5))
    assert [iteration for iteration, _ in given] == [2, 3, 4]
    again = detector.make_batch(supply, 7, 3, 3 / 5)
    assert torch.equal(given[1][1].images, again.images)


@pytest.mark.slow
def test_the_exported_file_takes_any_size(supply: Supply, tmp_path: Path, short: None) -> None:
    net = detector.make_net()
    detector.settle(net, supply, 1, count=2)
    detector.export(net, tmp_path / "net.onnx")
    session = open_session(tmp_path / "net.onnx")
    for height, width in ((64, 64), (90, 160)):
        boxes, classes, points = session.run(None, {"image": np.zeros((1, 3, height, width), "f4")})
        count = len(make_priors(height, width, ANCHORS))
        assert boxes.shape == (1, count, 4)
        assert classes.shape == (1, count, 2)
        assert points.shape == (1, count, 10)


# --- measuring ----------------------------------------------------------------------------------


def test_hits_misses_and_false_boxes_are_told_apart() -> None:
    tally = Tally()
    true = np.float32([[0, 0, 10, 10], [50, 50, 60, 60]])
    found = np.float32([[1, 0, 11, 10], [80, 80, 90, 90], [20, 20, 30, 30], [0, 1, 10, 10]])
    false = tally.add(found, true, ignore=np.float32([[79, 79, 91, 91]]))
    assert len(false) == 2
    assert tally.report() == {"pictures": 1, "faces": 2, "recall": 0.5, "false_1000": 2000.0}


@pytest.mark.slow
def test_the_shipped_weights_are_as_good_as_their_card_says(shared: Callable[[str], Path]) -> None:
    import mien_retinaface
    from mien.runtime import make_context

    stage = mien_retinaface.create(mien_retinaface.Options(), make_context(device="cpu", threads=2))
    stage.open()
    figures = evaluate(stage, shared("data"), step=20, scenes=20)
    assert figures["held_out_clips"]["recall"] >= 0.92
    assert figures["held_out_pictures"]["recall"] >= 0.97
    assert figures["all_clips"]["recall"] >= 0.97
    assert figures["all_clips"]["false_1000"] <= 5
