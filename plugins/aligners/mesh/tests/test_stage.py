"""The aligner: its crops, its batches, and the real net on real faces."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import mien_mesh
import numpy as np
import pytest
from mien.errors import WeightsError
from mien.geometry import transform
from mien.onnx import open_session
from mien.runtime import make_context
from mien.stages import Context, FaceQuery
from mien.testing import AlignerConformance, FakeContext
from mien.types import Detection, Frame
from mien_mesh import FACE_MESH, Options
from mien_mesh.net import free_batch
from mien_mesh.points import EYE_CORNERS
from mien_mesh.stage import MeshAligner, box_matrix, mesh_matrix, take

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def write_small_net(path: Path) -> Path:
    """A net of the published shape: a fixed face, larger where the crop holds a brighter pixel."""
    from onnx import TensorProto, helper, numpy_helper

    face = np.random.default_rng(1).uniform(20, 170, (3, 468, 3)).astype(np.float32) / 3
    held = {
        "axes": np.array([1, 2]),
        "face": face.reshape(3, 1404),
        "new_shape": np.array([1, 1, 1, 1404]),
        "half": np.array(0.5, np.float32),
    }
    nodes = [
        helper.make_node("ReduceMax", ["input_1", "axes"], ["peak"], keepdims=0),
        helper.make_node("Add", ["peak", "half"], ["bright"]),
        helper.make_node("MatMul", ["bright", "face"], ["flat"]),
        helper.make_node("Reshape", ["flat", "new_shape"], ["conv2d_21"]),
    ]
    given = helper.make_tensor_value_info("input_1", TensorProto.FLOAT, [1, 192, 192, 3])
    made = helper.make_tensor_value_info("conv2d_21", TensorProto.FLOAT, [1, 1, 1, 1404])
    weights = [numpy_helper.from_array(value, name) for name, value in held.items()]
    graph = helper.make_graph(nodes, "small", [given], [made], weights)
    opset = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), str(path))
    return path


class TestMeshKeepsItsPromises(AlignerConformance):
    plugin = mien_mesh
    name = "mesh"

    def make_context(self, folder: Path) -> Context:
        return FakeContext(files={FACE_MESH.name: write_small_net(folder / "small.onnx")})


def test_a_freed_net_gives_a_batch_what_it_gave_single_faces(tmp_path: Path) -> None:
    path = write_small_net(tmp_path / "small.onnx")
    freed = tmp_path / "freed.onnx"
    freed.write_bytes(free_batch(path))
    crops = np.random.default_rng(0).random((3, 192, 192, 3)).astype(np.float32)
    single, many = open_session(path), open_session(freed)
    alone = [single.run(None, {"input_1": crop[None]})[0] for crop in crops]
    together = many.run(None, {"input_1": crops})[0]
    np.testing.assert_allclose(together, np.concatenate(alone), rtol=1e-6)


def test_another_net_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(b"no net")
    with pytest.raises(WeightsError, match=r"other.onnx: not the FaceMesh net"):
        free_batch(path)


def test_the_first_crop_is_a_square_around_the_box() -> None:
    matrix = box_matrix(Detection(box=(100, 50, 160, 130), score=1), 1.5)
    corners = np.array([[130, 90], [70, 30], [190, 150]], np.float64)  # 1.5 x 80 = 120 wide
    np.testing.assert_allclose(transform(matrix, corners), [[96, 96], [0, 0], [192, 192]])


@pytest.mark.parametrize("roll", [-80, -30, 0, 45, 120])
def test_rolled_eyes_lie_level_in_the_crop(roll: float) -> None:
    angle = np.deg2rad(roll)
    middle, across = np.array([100, 100]), 20 * np.array([np.cos(angle), np.sin(angle)])
    points5 = np.array([middle - across, middle + across, middle, middle, middle], np.float32)
    found = Detection(box=(60, 60, 140, 140), score=1, points5=points5)
    left, right = transform(box_matrix(found, 1.5), points5[:2].astype(np.float64))
    assert left[1] == pytest.approx(right[1])
    assert right[0] - left[0] == pytest.approx(40 * 192 / 120)


def test_the_second_crop_holds_the_whole_mesh_level() -> None:
    mesh = np.random.default_rng(2).uniform(0, 100, (468, 2)) * (1.0, 1.4)
    seen = transform(mesh_matrix(mesh), mesh)
    corners = seen[list(EYE_CORNERS)]
    assert corners[0, 1] == pytest.approx(corners[1, 1])
    middle = (seen.min(axis=0) + seen.max(axis=0)) / 2
    np.testing.assert_allclose(middle, [96, 96])
    assert (seen.max(axis=0) - seen.min(axis=0)).max() == pytest.approx(192 / 1.5)


def test_boxes_without_size_and_meshes_without_spread_do_not_blow_up() -> None:
    box = box_matrix(Detection(box=(5, 5, 5, 5), score=1, points5=np.zeros((5, 2))), 1.5)
    assert np.isfinite(box).all()
    assert np.isfinite(mesh_matrix(np.zeros((468, 2)))).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_the_crop_is_rgb_0_to_1_and_black_beyond_the_frame(dtype: str) -> None:
    white = {"uint8": 255, "uint16": 65535, "float32": 1.0}[dtype]
    image = np.zeros((40, 40, 3), dtype)
    image[..., 0] = white
    matrix = box_matrix(Detection(box=(0, 0, 40, 40), score=1), 2)
    crop = take(image, matrix)
    assert crop.dtype == np.float32
    np.testing.assert_allclose(crop[96, 96], [0, 0, 1], atol=1e-6)
    assert crop[5, 5].max() == 0


def real_stage(shared: Callable[[str], Path], tmp_path: Path, **settings: Any) -> MeshAligner:
    context = make_context(
        device="cpu", threads=2, weight_folders=[shared("weights")], cache=tmp_path
    )
    stage = MeshAligner(Options(**settings), context)
    stage.open()
    return stage


def test_the_real_net_gives_a_batch_exactly_what_it_gives_one_face(
    shared: Callable[[str], Path], tmp_path: Path
) -> None:
    path = shared("weights/FaceMesh.onnx")
    freed = tmp_path / "freed.onnx"
    freed.write_bytes(free_batch(path))
    crops = np.random.default_rng(0).random((3, 192, 192, 3)).astype(np.float32)
    single, many = open_session(path, threads=1), open_session(freed, threads=1)
    alone = [single.run(None, {"input_1": crop[None]})[0] for crop in crops]
    np.testing.assert_allclose(
        many.run(None, {"input_1": crops})[0], np.concatenate(alone), atol=1e-4
    )


def test_real_faces_get_their_points(shared: Callable[[str], Path], tmp_path: Path) -> None:
    """Teacher landmarks of portraits; their own error is 1 to 3 % of the eye distance."""
    folder = shared("data/faces")
    images = json.loads((folder / "faces.json").read_text(encoding="utf-8"))["images"]
    chosen = [each for each in images if each["faces"] and each["faces"][0]["lm_ok"]][::80]
    queries, truth = [], []
    for number, each in enumerate(chosen):
        face = each["faces"][0]
        frame = Frame(index=number, image=cv2.imread(str(folder / each["file"])))
        points5 = np.asarray(face["kps5"], np.float32)
        found = Detection(box=tuple(face["box"]), score=0.9, points5=points5)
        queries.append(FaceQuery(frame=frame, detection=found))
        truth.append(np.asarray(face["lm68"]))
    marks = real_stage(shared, tmp_path)(queries)
    errors = [
        np.linalg.norm(mark.points - true, axis=1).mean() / np.linalg.norm(true[36] - true[45])
        for mark, true in zip(marks, truth, strict=True)
    ]
    assert len(errors) > 20
    assert np.mean(errors) < 0.03  # seen: 0.022
    assert np.max(errors) < 0.09
    assert {mark.score for mark in marks} == {0.9}


@pytest.mark.parametrize("roll", [-60, 35])
def test_a_rolled_portrait_gets_rolled_points(
    shared: Callable[[str], Path], tmp_path: Path, roll: float
) -> None:
    image = cv2.imread(str(shared("data/photos/fa_aflw_test.jpg")))
    eyes = np.float32(
        [[191.8, 227.8], [258.3, 234.4], [218.4, 256.3], [190.3, 301.4], [247, 307.1]]
    )
    stage = real_stage(shared, tmp_path)

    def points_of(picture: Any, box: Any, points5: Any) -> Any:
        found = Detection(box=box, score=1, points5=points5)
        return stage([FaceQuery(frame=Frame(index=0, image=picture), detection=found)])[0].points

    turn = cv2.getRotationMatrix2D((227, 254), roll, 1.0)
    upright = points_of(image, (153, 145, 301, 363), eyes)
    rolled = points_of(
        cv2.warpAffine(image, turn, (450, 450)), (125, 150, 330, 360), transform(turn, eyes)
    )
    eye_distance = np.linalg.norm(upright[36] - upright[45])
    error = np.linalg.norm(rolled - transform(turn, upright), axis=1).mean() / eye_distance
    assert error < 0.03
