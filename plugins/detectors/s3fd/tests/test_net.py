"""The net against the original's numbers, and every layout of its weights."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
torch = pytest.importorskip("torch")

from mien.errors import WeightsError  # noqa: E402
from mien.onnx import NET, export_folder, open_session  # noqa: E402
from mien.testing.nets import golden_state  # noqa: E402
from mien_s3fd.decode import make_priors, map_shapes  # noqa: E402
from mien_s3fd.files import export_plan, from_dfl, load_net, to_dfl  # noqa: E402
from mien_s3fd.net import S3fd  # noqa: E402
from mien_s3fd.stage import prepare  # noqa: E402

Shared = Callable[[str], Path]
BASES = {"conv3_3_norm.": 10.0, "conv4_3_norm.": 8.0, "conv5_3_norm.": 5.0}


@pytest.fixture(scope="module")
def net() -> Any:
    made = S3fd().eval()
    made.load_state_dict(golden_state(made, gain=0.7, base=BASES), strict=True)
    return made


def test_the_net_gives_the_numbers_of_the_original(net: Any, shared: Shared) -> None:
    with np.load(shared("golden/nets/s3fd_net_320x320.npz")) as golden:
        wanted = [(golden[f"cls{i}"], golden[f"reg{i}"]) for i in range(1, 7)]
        fed = prepare(golden["input_rgb"][..., ::-1])
    with torch.inference_mode():
        given = net.levels(torch.from_numpy(fed[None].copy()))
    for ours, theirs in zip(given, wanted, strict=True):
        for mine, other in zip(ours, theirs, strict=True):
            assert np.abs(mine[0].numpy() - other).max() / np.abs(other).max() < 1e-5


def test_the_keys_are_those_of_the_published_files(net: Any, shared: Shared) -> None:
    listed = json.loads(shared("spec/nets-weights.json").read_text(encoding="utf-8"))
    ours = {key: list(value.shape) for key, value in net.state_dict().items()}
    assert ours == {key: shape for key, shape, _ in listed["nets"]["s3fd"]["keys"]}


@pytest.mark.slow
def test_onnx_gives_the_same_for_another_size_and_batch(net: Any, tmp_path: Path) -> None:
    export_folder(export_plan(net), tmp_path / "net", for_cpu=True)
    nodes = onnx.load(tmp_path / "net" / NET, load_external_data=False).graph.node
    assert sum(node.op_type == "MatMul" for node in nodes) >= 10  # two for each rewritten layer
    session = open_session(tmp_path / "net" / NET)
    image = np.random.default_rng(0).normal(0, 60, (3, 3, 71, 130)).astype(np.float32)
    offsets, scores = session.run(None, {"image": image})
    with torch.inference_mode():
        wanted = net(torch.from_numpy(image))
    np.testing.assert_allclose(offsets, wanted[0], atol=1e-3)
    np.testing.assert_allclose(scores, wanted[1], atol=1e-4)
    assert len(make_priors(map_shapes(71, 130))) == scores.shape[1]


@pytest.mark.parametrize(("height", "width"), [(32, 32), (33, 95), (64, 127), (250, 130)])
def test_there_is_one_anchor_for_every_number(height: int, width: int) -> None:
    features = torch.zeros(1, 1, height, width)
    shapes = []
    for pools in range(5):
        features = torch.nn.functional.max_pool2d(features, 2)
        if 1 <= pools <= 3:
            shapes.append(tuple(features.shape[2:]))
    rows, columns = features.shape[2:]
    shapes.append((rows + 4, columns + 4))
    for _ in range(2):
        rows, columns = shapes[-1]
        shapes.append(((rows + 1) // 2, (columns + 1) // 2))
    assert map_shapes(height, width) == tuple(shapes)


def test_deepfacelabs_names_and_kernels_go_both_ways(net: Any) -> None:
    state = {key: value.numpy() for key, value in net.state_dict().items()}
    theirs = to_dfl(state)
    assert theirs["conv1_2/weight:0"].shape == (3, 3, 64, 64)
    assert theirs["conv3_3_norm/weight:0"].shape == (1, 1, 1, 256)
    back = from_dfl(theirs)
    assert back.keys() == state.keys()
    assert all((back[key] == state[key]).all() for key in state)


@pytest.mark.parametrize("layout", ["torch", "wrapped", "npy"])
def test_every_layout_of_the_weights_is_read(net: Any, tmp_path: Path, layout: str) -> None:
    state = net.state_dict()
    path = tmp_path / ("S3FD.npy" if layout == "npy" else "s3fd.pth")
    if layout == "npy":
        arrays = to_dfl({key: value.numpy() for key, value in state.items()})
        path.write_bytes(pickle.dumps(arrays, protocol=4))
    elif layout == "wrapped":
        torch.save({"state_dict": {f"module.{key}": value for key, value in state.items()}}, path)
    else:
        torch.save(state, path)
    loaded = load_net(path).state_dict()
    assert all(torch.equal(loaded[key], state[key]) for key in state)


def test_weights_of_another_net_are_refused(net: Any, tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"conv1_1.weight": torch.zeros(3)}, path)
    with pytest.raises(WeightsError, match=r"other.pth: not the weights of S3FD: lacks .* more"):
        load_net(path)
    state = dict(net.state_dict())
    state["fc7.bias"] = torch.zeros(7)
    torch.save(state, path)
    with pytest.raises(WeightsError, match=r"fc7.bias is \(7,\), must be \(1024,\)"):
        load_net(path)


def test_a_file_that_is_no_weights_at_all_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.pth"
    path.write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(WeightsError, match=r"broken.pth"):
        load_net(path)
