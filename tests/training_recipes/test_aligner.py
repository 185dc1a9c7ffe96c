"""The aligner's recipe: who is held out, what samples show, turned heads, going on after a stop."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mien.geometry import mirror  # noqa: E402
from mien.onnx import open_session  # noqa: E402
from mien.testing import face_at  # noqa: E402

from training import aligner  # noqa: E402
from training.aligner_heads import HeadTurner, turned_points  # noqa: E402
from training.aligner_looks import spoil  # noqa: E402
from training.aligner_net import CompactNet  # noqa: E402
from training.aligner_samples import Item, Stock, stack  # noqa: E402
from training.data import (  # noqa: E402
    HELD_OUT_CLIPS,
    HUMAN_POINTS,
    MIXED_CLIPS,
    Picture,
    held_out_clips,
    human_points68,
    is_held_out,
    learning_clips,
    read_clips,
    read_pictures,
)


def picture(name: str, person: str) -> Picture:
    return Picture(
        name=name,
        path=Path(name),
        width=10,
        height=10,
        origin="test",
        person=person,
        faces=(),
        ignore=(),
    )


def test_pictures_of_one_person_lie_on_one_side() -> None:
    people = [f"person:{number}" for number in range(2000)]
    held = [is_held_out(picture("a.jpg", each)) for each in people]
    assert held == [is_held_out(picture("b.jpg", each)) for each in people]
    assert 0.09 < np.mean(held) < 0.15


def test_the_set_is_read_and_split_without_anybody_on_both_sides(
    shared: Callable[[str], Path],
) -> None:
    pictures = read_pictures(shared("data/faces"))
    sides: dict[str, set[bool]] = {}
    for each in pictures:
        if each.person:
            sides.setdefault(each.person, set()).add(is_held_out(each))
    assert all(len(side) == 1 for side in sides.values())
    for origin in ("sfhq-t2i", "congress-colour", "congress-gray", "london_smile"):
        held = [is_held_out(each) for each in pictures if each.origin == origin]
        assert 0.1 < np.mean(held) < 0.14


def test_drawn_points_lie_near_those_of_the_teacher(shared: Callable[[str], Path]) -> None:
    drawn = [each for each in read_pictures(shared("data/faces")) if each.human189 is not None]
    errors = []
    for each in drawn:
        index, human = human_points68(each)
        truth = each.faces[0].points68
        eyes = np.linalg.norm(truth[36] - truth[45])
        errors.append(np.linalg.norm(human - truth[index], axis=1).mean() / eyes)
    assert len(drawn) > 100
    assert len(index) == len(HUMAN_POINTS)
    assert np.mean(errors) < 0.02


def test_clips_serve_one_side_only(shared: Callable[[str], Path]) -> None:
    clips = read_clips(shared("data/clips"))
    learn = {each.name for each in learning_clips(clips)}
    held = {each.name for each in held_out_clips(clips)}
    assert held == HELD_OUT_CLIPS
    assert not learn & (held | MIXED_CLIPS)


def dome(count: int = 478, *, seed: int = 0) -> np.ndarray:
    """A mesh like a face: points on half a ball, the outline's own order kept by the angle."""
    from training.aligner_heads import _OVAL

    rng = np.random.default_rng(seed)
    out = np.sqrt(rng.uniform(0, 0.9, count))
    angle = rng.uniform(0, 2 * np.pi, count)
    out[list(_OVAL)] = 1.0
    angle[list(_OVAL)] = np.linspace(0, 2 * np.pi, len(_OVAL), endpoint=False) - np.pi / 2
    out[4], angle[4] = 0.0, 0.0
    x, y = out * np.cos(angle), out * np.sin(angle)
    mesh = np.stack([100 + 50 * x, 100 + 60 * y, -45 * np.sqrt(1 - out**2 * 0.99)], axis=1)
    return mesh.astype(np.float32)


def test_a_head_turned_by_nothing_looks_as_before() -> None:
    mesh, image = dome(), np.random.default_rng(1).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    image = cv2.resize(image, (200, 200), interpolation=cv2.INTER_CUBIC)
    turner = HeadTurner(mesh[None])
    before, after = turner.turn(image, mesh, 0, 0)
    np.testing.assert_allclose(before, after, atol=1e-9)
    drawn = turner.draw(image, before, after, np.eye(2, 3), 200)
    inside = np.s_[60:140, 70:130]
    assert np.abs(drawn[inside].astype(int) - image[inside]).mean() < 1


@pytest.mark.parametrize("yaw", [-40, 25, 60])
def test_the_picture_turns_with_the_points(yaw: float) -> None:
    mesh, image = dome(), np.full((200, 200, 3), 60, np.uint8)
    cv2.circle(image, (100, 100), 5, (255, 255, 255), -1)  # where vertex 4 lies
    turner = HeadTurner(mesh[None])
    before, after = turner.turn(image, mesh, yaw, 0)
    drawn = turner.draw(image, before, after, np.eye(2, 3), 200)
    ys, xs = np.nonzero(drawn[..., 0] > 150)
    np.testing.assert_allclose((xs.mean(), ys.mean()), after[4, :2], atol=2.5)
    assert (after[4, 0] - before[4, 0]) * yaw > 0
    assert turned_points(after).shape == (68, 2)


def small_stock(clips: bool = False) -> Stock:
    """A stock without a data set: one drawn face whose points are bright dots."""
    points = face_at(110, 100, 90).landmarks
    assert points is not None
    image = np.full((210, 220, 3), 40, np.uint8)
    for x, y in points.tolist():
        cv2.circle(image, (round(x * 16), round(y * 16)), 24, (255, 255, 255), -1, shift=4)
    item = Item(image=image, points=points, weights=np.ones(68, np.float32), mesh=None, yaw=0)
    stock = Stock.__new__(Stock)
    stock.items = stock.frames = [item]
    stock.textures = [np.full((300, 300, 3), 90, np.uint8)]
    return stock


@pytest.mark.parametrize("side", [80, 96])
def test_the_points_of_a_sample_lie_on_the_picture(
    side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.aligner_samples.spoil", lambda rng, image, textures: image)
    stock = small_stock()
    for number in range(20):
        sample = stock.draw(np.random.default_rng(number), side)
        pixels = sample.points * side - 0.5
        inside = ((pixels > 1) & (pixels < side - 2)).all(axis=1)
        x, y = np.rint(pixels[inside]).astype(int).T
        assert sample.image.shape == (side, side, 3)
        assert sample.image[y, x].mean() > 100  # the ground is 40
        assert 0.3 < sample.size < 1.5


def test_a_mirrored_sample_keeps_left_and_right_apart() -> None:
    points = face_at(50, 50, 40).landmarks
    assert points is not None
    turned = mirror(points, 100)
    assert turned[36, 0] < turned[45, 0]


def test_the_same_seed_gives_the_same_sample() -> None:
    stock = small_stock()
    one, other = (stock.draw(np.random.default_rng(7), 96) for _ in range(2))
    np.testing.assert_array_equal(one.image, other.image)
    np.testing.assert_array_equal(one.points, other.points)


def test_spoiled_pictures_stay_pictures() -> None:
    image = np.full((96, 96, 3), 128, np.uint8)
    textures = [np.full((300, 300, 3), 9, np.uint8)]
    looks = [spoil(np.random.default_rng(seed), image, textures) for seed in range(200)]
    assert {each.shape for each in looks} == {(96, 96, 3)}
    assert {each.dtype for each in looks} == {np.dtype(np.uint8)}
    assert len({each.tobytes() for each in looks}) > 150


@pytest.mark.parametrize("side", [80, 96, 112])
def test_votes_add_up_and_the_points_are_their_mean(side: int) -> None:
    net = CompactNet(8).eval()
    with torch.no_grad():
        image = torch.rand(2, 3, side, side)
        places, weights = net.votes(image)
        points, spread = net(image)
    assert places.shape == (2, 68, (side // 8) ** 2, 2)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2, 68))
    torch.testing.assert_close(points, (places * weights[..., None]).sum(dim=2))
    assert (spread >= 0).all()


def test_the_rate_rises_and_falls_and_crops_grow() -> None:
    assert aligner.rate_at(0.0, 0) < aligner.rate_at(0.04, 400)
    assert aligner.rate_at(0.04, 400) > aligner.rate_at(0.99, 9000)
    assert [aligner.side_at(part) for part in (0, 0.5, 1.0)] == [80, 96, 96]


def test_a_second_course_begins_with_what_the_first_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aligner, "BATCH", 4)
    first = aligner.Training(5)
    first.learn(small_stock(), 4)
    first.save(tmp_path / "last.pt")
    second = aligner.Training(6, tmp_path / "last.pt")
    for net in (second.net, second.kept):
        for key, value in net.state_dict().items():
            torch.testing.assert_close(value, first.kept.state_dict()[key], rtol=0, atol=0)
    second.learn(small_stock(), 4)
    rate = second.optimizer.param_groups[0]["lr"]
    assert rate == pytest.approx(aligner.SECOND_RATE / aligner.WARM_UP)


@pytest.mark.slow
def test_a_training_that_was_stopped_goes_on_as_if_it_had_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aligner, "BATCH", 4)
    stock = small_stock()
    whole, half = aligner.Training(5), aligner.Training(5)
    for _ in range(4):
        whole.learn(stock, 4)
    for _ in range(2):
        half.learn(stock, 4)
    half.save(tmp_path / "last.pt")
    again = aligner.Training(6)
    again.load(tmp_path / "last.pt")
    again.seed = 5
    for _ in range(2):
        again.learn(stock, 4)
    for key, value in whole.kept.state_dict().items():
        torch.testing.assert_close(again.kept.state_dict()[key], value, rtol=0, atol=0)


@pytest.mark.slow
def test_one_face_is_learned_by_heart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aligner, "BATCH", 8)
    monkeypatch.setattr(aligner, "WARM_UP", 5)
    stock, training = small_stock(), aligner.Training(2)
    seen = [training.learn(stock, 60) for _ in range(60)]
    assert np.mean(seen[-5:]) < 0.6 * np.mean(seen[:5])


@pytest.mark.slow
def test_the_exported_net_gives_what_torch_gives_for_any_batch(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    net, path = CompactNet(8).eval(), tmp_path / "small.onnx"
    aligner.export(net, path)
    session = open_session(path)
    for count in (1, 3):
        images = torch.rand(count, 3, 96, 96)
        points, spread = session.run(None, {"image": images.numpy()})
        with torch.no_grad():
            wanted = net(images)
        np.testing.assert_allclose(points, wanted[0].numpy(), atol=1e-5)
        np.testing.assert_allclose(spread, wanted[1].numpy(), atol=1e-5)


def test_a_batch_holds_rgb_pictures_and_their_points() -> None:
    stock = small_stock()
    images, points, weights, sizes = stack(
        [stock.draw(np.random.default_rng(k), 80) for k in (1, 2)]
    )
    assert images.shape == (2, 3, 80, 80)
    assert images.max() <= 1
    assert points.shape == (2, 68, 2)
    assert weights.shape == (2, 68)
    assert sizes.shape == (2,)


def test_a_clips_truth_is_read(tmp_path: Path) -> None:
    face = {"id": 3, "box": [1, 2, 3, 4], "kps5": [[0, 0]] * 5, "lm68": [[1, 1]] * 68}
    told = {
        "clip": "a.mp4",
        "width": 8,
        "height": 6,
        "shot_starts": [0],
        "frames": [
            {"i": 0, "faces": [{**face, "lm_ok": True, "yaw": None}], "ignore": [[0, 0, 1, 1]]}
        ],
    }
    (tmp_path / "a.faces.json").write_text(json.dumps(told), encoding="utf-8")
    (clip,) = read_clips(tmp_path)
    assert (clip.name, clip.path.name) == ("a", "a.mp4")
    (label,) = clip.frames[0].faces
    assert (label.track, label.yaw, label.box) == (3, 0.0, (1, 2, 3, 4))
    assert clip.frames[0].ignore == ((0, 0, 1, 1),)


def test_the_points_are_the_weighted_means_of_the_votes() -> None:
    torch.manual_seed(3)
    net = CompactNet(8).eval()
    image = torch.rand(2, 3, 96, 96)
    with torch.inference_mode():
        points, spread = net(image)
        places, weights = net.votes(image)
    means = (places * weights[..., None]).sum(dim=2)
    away = (places - means[:, :, None]).square().sum(dim=-1)
    torch.testing.assert_close(points, means)
    torch.testing.assert_close(spread, (weights * away).sum(dim=-1).sqrt())
