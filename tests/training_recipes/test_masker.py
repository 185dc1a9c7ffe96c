"""The masker's recipe: labels, things before faces, samples, losses, and going on after a stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from mien.geometry import crop_matrix  # noqa: E402
from mien.testing import face_at  # noqa: E402
from mien.types import CropSpec, FaceType  # noqa: E402

from training import masker  # noqa: E402
from training.data import FaceLabel, Picture  # noqa: E402
from training.masker_labels import CLASSES, UNKNOWN, Outlines, draw, is_usable, mark_unknown  # noqa: E402
from training.masker_occluders import PAINTERS, Scene, add_occluders  # noqa: E402
from training.masker_samples import Labelled, Stock, change_look, make_sample, read_stock  # noqa: E402
from training.masker_score import crop_of, hide_part, overlap, score  # noqa: E402

SIDE = 128


def ring(x: float, y: float, wide: float, high: float) -> Any:
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    points = np.stack([x + wide * np.cos(angle), y + high * np.sin(angle)], axis=1)
    return points.astype(np.float32)


def outlines_of(points: Any) -> Outlines:
    """Outlines around the landmarks of the mean face."""
    left, right = points[36:42].mean(0), points[42:48].mean(0)
    mouth = points[48:68].mean(0)
    low, high = points.min(0), points.max(0)
    down = np.float32([0, 12])
    middle, half = (low + high) / 2, (high - low) / 2
    return Outlines(
        face=ring(*(middle - (0, 0.25 * half[1])), half[0] * 1.02, half[1] * 1.3),
        points68=points,
        brows=(points[17:22], points[22:27]),
        eyes=(ring(*left, 7, 4), ring(*right, 7, 4)),
        lips=ring(*mouth, 12, 6),
        mouth=ring(*mouth, 8, 2),
        cheeks=np.float32([left + down, right + down, mouth, points[30], points[31]]),
    )


@pytest.fixture(scope="module")
def labelled() -> Labelled:
    """A face of one colour with darker parts on a blue ground."""
    points = face_at(64, 56, 60).landmarks
    outlines = outlines_of(points)
    image = np.full((SIDE, SIDE, 3), (160, 90, 40), np.uint8)
    labels = draw(outlines, np.eye(2, 3), SIDE)
    image[labels > 0] = (120, 150, 200)
    image[labels > 2] = (60, 60, 120)
    label = FaceLabel(
        box=(10, 10, 110, 120), points5=points[:5], points68=points, trusted=True, yaw=0
    )
    picture = Picture(
        name="a.jpg",
        path=Path("a.jpg"),
        width=SIDE,
        height=SIDE,
        origin="painted",
        person="nobody",
        faces=(label,),
        ignore=(),
    )
    return Labelled(picture=picture, image=image, outlines=outlines)


@pytest.fixture(scope="module")
def stock(labelled: Labelled) -> Stock:
    rng = np.random.default_rng(0)
    textures = [rng.integers(0, 255, (90, 120, 3), np.uint8) for _ in range(2)]
    return Stock(faces=[labelled], textures=textures, skins=[labelled.image[60:76, 56:72]])


def scene_of(labelled: Labelled, stock: Stock) -> Scene:
    return Scene(
        image=labelled.image,
        points=labelled.outlines.points68,
        textures=stock.textures,
        skins=stock.skins,
    )


def test_parts_lie_where_the_outlines_are(labelled: Labelled) -> None:
    points = labelled.outlines.points68
    labels = draw(labelled.outlines, np.eye(2, 3), SIDE)

    def at(place: Any) -> str:
        x, y = np.rint(place).astype(int)
        return CLASSES[labels[y, x]]

    assert at(points[36:42].mean(0)) == "eyes"
    assert at(points[60:68].mean(0)) == "mouth"
    assert at(points[30]) == "skin"
    assert at(points[27] - (0, 26)) == "forehead"
    assert at((3, 3)) == "background"


def test_labels_turn_and_grow_with_the_crop(labelled: Labelled) -> None:
    points = labelled.outlines.points68
    small, large = (
        draw(labelled.outlines, crop_matrix(points, FaceType.WHOLE, size), size)
        for size in (96, 192)
    )
    assert overlap(small > 0, large[::2, ::2] > 0) > 0.96


def test_a_fringe_counts_neither_way(labelled: Labelled) -> None:
    labels = draw(labelled.outlines, np.eye(2, 3), SIDE)
    forehead = labels == CLASSES.index("forehead")
    image = labelled.image.copy()
    plain = mark_unknown(labels, image, labelled.outlines, np.eye(2, 3)) == UNKNOWN
    assert plain.sum() < 0.15 * forehead.sum()  # its very edge, mixed with what is beyond
    rows = np.flatnonzero(forehead.any(1))
    image[: rows[len(rows) // 4]] = (10, 15, 20)
    marked = mark_unknown(labels, image, labelled.outlines, np.eye(2, 3))
    unknown = marked == UNKNOWN
    assert 0.15 < unknown.sum() / forehead.sum() < 0.85
    assert not unknown[~forehead].any()
    np.testing.assert_array_equal(marked[~unknown], labels[~unknown])


def test_only_a_mesh_that_agrees_with_the_detector_is_believed(labelled: Labelled) -> None:
    assert not is_usable(labelled.picture)  # no mesh
    mesh = np.zeros((478, 3), np.float32)
    doubtful = replace(labelled.picture.faces[0], trusted=False)
    assert is_usable(replace(labelled.picture, mesh=mesh))
    assert not is_usable(replace(labelled.picture, mesh=mesh, faces=(doubtful,)))


@pytest.mark.parametrize("painter", [each for each, _ in PAINTERS], ids=lambda each: each.__name__)
def test_every_painter_paints_something_within_range(
    labelled: Labelled, stock: Stock, painter: Any
) -> None:
    covers = []
    for seed in range(8):
        layer = painter(scene_of(labelled, stock), np.random.default_rng(seed))
        assert layer.picture.shape == (SIDE, SIDE, 3)
        assert layer.picture.dtype == np.uint8
        assert layer.cover.shape == (SIDE, SIDE)
        assert 0 <= layer.cover.min() <= layer.cover.max() <= 1
        covers.append(float(layer.cover.mean()))
    assert max(covers) > 0.005
    assert len(set(covers)) == len(covers)


def test_what_is_covered_changes_and_the_rest_stays_but_for_shadows(
    labelled: Labelled, stock: Stock
) -> None:
    scene = scene_of(labelled, stock)
    image, hidden = add_occluders(scene, np.random.default_rng(3), [PAINTERS[1][0]])
    assert hidden.max() == 1
    away = hidden == 0
    assert (image[away].astype(int) <= scene.image[away].astype(int) + 1).all()
    assert np.abs(image[hidden > 0.9].astype(int) - scene.image[hidden > 0.9]).mean() > 5


def test_thin_glasses_leave_the_face_a_face(labelled: Labelled, stock: Stock) -> None:
    (thin,) = [each for each, _ in PAINTERS if each.__name__ == "paint_thin_glasses"]
    image, hidden = add_occluders(scene_of(labelled, stock), np.random.default_rng(0), [thin])
    assert not hidden.any()
    assert (image != labelled.image).any()


def test_a_sample_follows_from_its_number(stock: Stock) -> None:
    for number in range(12):
        image, labels = make_sample(stock, np.random.default_rng([5, number]), 64)
        again, again_labels = make_sample(stock, np.random.default_rng([5, number]), 64)
        np.testing.assert_array_equal(image, again)
        np.testing.assert_array_equal(labels, again_labels)
        assert image.shape == (64, 64, 3)
        assert image.dtype == labels.dtype == np.uint8
        assert set(np.unique(labels)) <= {*range(len(CLASSES)), UNKNOWN}


def test_light_and_codecs_keep_the_picture_s_shape(labelled: Labelled) -> None:
    for seed in range(30):
        looked = change_look(labelled.image, np.random.default_rng(seed))
        assert looked.shape == labelled.image.shape
        assert looked.dtype == np.uint8


def test_a_mask_that_knows_all_scores_one(labelled: Labelled, stock: Stock) -> None:
    spec = CropSpec(face_type=FaceType.WHOLE, size=96, order="rgb")
    _, truth = crop_of(labelled, spec)

    def knowing(crops: Any) -> Any:
        return [(truth > 0).astype(np.float32)[..., None] for _ in crops]

    told = score(knowing, spec, stock)
    assert told["iou"] == 1
    assert 0.3 < told["iou_occluded"] < 0.96
    assert told["taken_without_face"] == pytest.approx(float((truth > 0).mean()), abs=1e-4)


def test_hiding_part_of_a_face_takes_it_from_the_truth(labelled: Labelled, stock: Stock) -> None:
    crop, labels = crop_of(labelled, CropSpec(face_type=FaceType.WHOLE, size=96, order="rgb"))
    for seed in range(5):
        hidden, left, _ = hide_part(crop, labels, stock, seed)
        gone = (labels > 0) & (left == 0)
        assert 0.05 <= gone.sum() / (labels > 0).sum() <= 0.6
        assert (hidden.image[gone] != crop.image[gone]).mean() > 0.5


def test_sizes_and_rates_follow_the_plan() -> None:
    plan = masker.Plan(steps=100, warm=10, sizes=((0.0, 64), (0.5, 128)))
    assert [plan.size_at(step) for step in (0, 49, 50, 99)] == [64, 64, 128, 128]
    rates = [plan.rate_at(step) for step in range(100)]
    assert rates[0] < rates[9]
    assert max(rates) <= plan.rate
    assert rates[-1] < plan.rate / 50


def test_the_loss_falls_to_nothing_where_all_is_right_and_ignores_the_unknown() -> None:
    labels = torch.zeros(2, 64, 64, dtype=torch.uint8)
    labels[:, 16:48, 16:48] = 1
    labels[:, 20:24, 20:28] = 4
    one_hot = torch.nn.functional.one_hot(labels.long(), len(CLASSES)).permute(0, 3, 1, 2)
    sure = 40.0 * one_hot.float()
    losses = masker.measure((sure, sure, sure), labels)
    assert float(losses["class"]) < 1e-3
    assert float(losses["face"]) < 1e-3
    wrong = sure.flip(1)
    assert float(masker.measure((wrong, wrong, wrong), labels)["class"]) > 10
    labels[:, :8] = UNKNOWN
    changed = sure.clone()
    changed[:, :, :8] = wrong[:, :, :8]
    again = masker.measure((changed, sure, sure), labels)
    assert float(again["class"]) < 0.5  # only the row where known meets unknown is shared


@pytest.mark.slow
def test_an_interrupted_training_ends_as_one_that_was_not(stock: Stock, tmp_path: Path) -> None:
    plan = masker.Plan(steps=4, batch=2, sizes=((0.0, 64),), warm=2)
    folders = [tmp_path / name for name in ("whole", "halves")]
    for folder in folders:
        folder.mkdir()
    whole = masker.Run(plan, folders[0])
    masker.train(whole, stock, save_every=100)
    first = masker.Run(plan, folders[1])
    for _ in range(2):
        first.learn(*masker.make_batch(stock, plan, first.step))
    first.save()
    second = masker.Run(plan, folders[1])
    assert second.step == 2
    masker.train(second, stock, save_every=100)
    for name, value in whole.mean_net.state_dict().items():
        torch.testing.assert_close(second.mean_net.state_dict()[name], value, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_nobody_is_learned_from_and_tested_on(shared: Callable[[str], Path]) -> None:
    data = shared("data/faces").parent
    learned, kept = (read_stock(data, held_out=each) for each in (False, True))
    people = [{each.picture.person for each in side.faces} for side in (learned, kept)]
    assert not people[0] & people[1]
    assert len(learned.faces) > 1500
    assert len(kept.faces) > 150
    assert min(len(side.textures) for side in (learned, kept)) >= 10
