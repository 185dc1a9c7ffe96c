"""The aligner with nets that answer what the test wants, and once with a real one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import mien_fan
import numpy as np
import pytest
from mien.geometry import mirror
from mien.stages import Context, FaceQuery
from mien.testing import AlignerConformance, FakeContext, FakeNet, frames
from mien.types import Detection, Frame
from mien_fan import FACESWAP_FAN, FAN2D, Options
from mien_fan.stage import FanAligner


def bumps(places: np.ndarray) -> np.ndarray:
    """(N, 68, 64, 64) bumps at (N, 68, 2) places of the unit square."""
    ys, xs = (np.mgrid[:64, :64] + 0.5) / 64
    away = (xs - places[..., 0, None, None]) ** 2 + (ys - places[..., 1, None, None]) ** 2
    return np.exp(-away * 64**2 / 4).astype(np.float32)


def answer(feeds: Mapping[str, Any]) -> list[Any]:
    """68 points in a row of bumps that moves with how bright the crop is."""
    image = feeds["image"]
    bright = image.mean(axis=(1, 2, 3))[:, None]
    across = np.linspace(0.15, 0.85, 68)[None] + 0 * bright
    return [bumps(np.stack([across, 0.2 + 0.6 * bright + 0 * across], axis=-1))]


class TestFanKeepsItsPromises(AlignerConformance):
    plugin = mien_fan
    name = "fan"

    def make_context(self, folder: Path) -> Context:
        file = folder / FAN2D.name
        return FakeContext(net=FakeNet(answer), files={FAN2D.name: file})


class TestFanKeepsItsPromisesWithEverythingOn(TestFanKeepsItsPromises):
    options: ClassVar[Mapping[str, Any]] = {
        "flip": True,
        "samples": 5,
        "crop": "deepfacelab",
        "decoder": "deepfacelab",
    }


class TestFanKeepsItsPromisesAsFaceswap(TestFanKeepsItsPromises):
    options: ClassVar[Mapping[str, Any]] = {
        "weights": "faceswap",
        "crop": "faceswap",
        "decoder": "faceswap-dark",
    }

    def make_context(self, folder: Path) -> Context:
        file = folder / FACESWAP_FAN.name
        file.write_bytes(b"known by its content")
        return FakeContext(net=FakeNet(answer), files={file.name: file})


def stage_with(net: Callable[[Mapping[str, Any]], list[Any]], **settings: Any) -> FanAligner:
    stage = FanAligner(Options(**settings), FakeContext(net=FakeNet(net)))
    stage.open()
    return stage


def points_of(stage: FanAligner, box: tuple[float, float, float, float]) -> np.ndarray:
    (frame,) = frames(1, width=300, height=220)
    query = FaceQuery(frame=frame, detection=Detection(box=box, score=1))
    return stage([query])[0].points


PLACES = np.random.default_rng(8).uniform(0.2, 0.8, (1, 68, 2))


def fixed(feeds: Mapping[str, Any]) -> list[Any]:
    return [np.repeat(bumps(PLACES), len(feeds["image"]), axis=0)]


def test_points_lie_where_the_square_says() -> None:
    points = points_of(stage_with(fixed, reference=200.0), (100, 80, 160, 120))
    # side 60 + 40, centre (130, 100) lifted by 0.12 of 40
    np.testing.assert_allclose(points, (PLACES[0] - 0.5) * 100 + (130, 95.2), atol=0.02)


def test_face_alignment_cuts_its_points_to_whole_pixels() -> None:
    kept = points_of(stage_with(fixed, decoder="deepfacelab"), (40, 30, 140, 150))
    cut = points_of(stage_with(fixed, decoder="face-alignment"), (40, 30, 140, 150))
    np.testing.assert_array_equal(cut, np.trunc(kept))


def test_the_mirrored_face_counts_once_each_point_at_its_partner() -> None:
    def seen(feeds: Mapping[str, Any]) -> list[Any]:
        half = len(feeds["image"]) // 2
        turned = mirror(PLACES[0] * 64 - 0.5, 64)[None]
        both = np.concatenate([PLACES] * half + [(turned + 0.5) / 64] * half)
        np.testing.assert_array_equal(feeds["image"][half:], feeds["image"][:half, :, :, ::-1])
        return [bumps(both)]

    box = (50.0, 40.0, 130.0, 140.0)
    plain, flipped = stage_with(fixed), stage_with(seen, flip=True)
    np.testing.assert_allclose(points_of(flipped, box), points_of(plain, box), atol=0.02)


def test_five_squares_give_the_mean_of_five_as_deepfacelab_does(
    shared: Callable[[str], Path],
) -> None:
    with np.load(shared("golden/dfl-image/detect.npz"), allow_pickle=False) as golden:
        maps = golden["fan_heatmaps"].astype(np.float32)
        image, (x0, y0, x1, y1) = golden["fan_image"].copy(), golden["fan_rects"][0].tolist()
        wanted = golden["fan_multi_points_rect0_maps01201"][0]
    stage = stage_with(
        lambda feeds: [maps[[0, 1, 2, 0, 1]]], samples=5, crop="deepfacelab", decoder="deepfacelab"
    )
    found = Detection(box=(x0, y0, x1, y1), score=1)
    (marks,) = stage([FaceQuery(frame=Frame(index=0, image=image), detection=found)])
    np.testing.assert_allclose(marks.points, wanted, atol=1e-4)  # float32 of some 100 pixels


def test_the_score_is_the_height_of_the_summits() -> None:
    stage = stage_with(lambda feeds: [0.25 * fixed(feeds)[0]])
    (frame,) = frames(1)
    query = FaceQuery(frame=frame, detection=Detection(box=(10, 10, 60, 60), score=1))
    assert stage([query])[0].score == pytest.approx(0.25, abs=0.02)


@pytest.mark.slow
def test_weights_on_disk_become_a_session_that_agrees_with_torch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    from mien_fan.net import Fan

    torch.manual_seed(4)
    net, path = Fan(1).eval(), tmp_path / "face-alignment-network_2d4_v4.pth"
    torch.save(net.state_dict(), path)
    context = FakeContext(files={path.name: path}, cache=tmp_path)
    stage = FanAligner(Options(weights="faceswap", stacks=1), context)
    stage.open()
    images = torch.rand(3, 3, 256, 256)
    session = stage._session
    assert session is not None
    (maps,) = session.run(None, {"image": images.numpy()})
    with torch.no_grad():
        wanted = net(images).numpy()
    np.testing.assert_allclose(maps, wanted, atol=1e-4 * np.abs(wanted).max())
