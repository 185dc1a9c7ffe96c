"""Large convolutions rewritten: what they give, which ones, and that the rest is left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mien import winograd
from mien.onnx import NET, export_folder, open_session
from mien.runtime import make_context
from mien.stages import ExportPlan
from onnx import TensorProto, helper, numpy_helper

PLAIN = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [1, 1]}


def net_of(weight: np.ndarray, bias: np.ndarray | None = None, **attributes: Any) -> Any:
    """A net of one convolution and a ReLU: image (N, C, H, W) to maps."""
    constants = [numpy_helper.from_array(weight, "weight")]
    if bias is not None:
        constants.append(numpy_helper.from_array(bias, "bias"))
    names = ["image", *(each.name for each in constants)]
    nodes = [
        helper.make_node("Conv", names, ["sums"], **attributes),
        helper.make_node("Relu", ["sums"], ["maps"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", "c", "h", "w"])
    maps = helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["n", "o", "i", "j"])
    graph = helper.make_graph(nodes, "net", [image], [maps], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def run(model: Any, path: Path, image: np.ndarray) -> np.ndarray:
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return np.asarray(open_session(path).run(None, {"image": image})[0])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("net") / "net.onnx"


def test_the_three_transforms_make_a_correlation() -> None:
    rng = np.random.default_rng(0)
    tile, weights, window = winograd.transforms()
    taps, seen = rng.normal(size=3), rng.normal(size=6)
    wanted = np.correlate(seen, taps, "valid")
    np.testing.assert_allclose(tile @ ((weights @ taps) * (window @ seen)), wanted, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(*(st.integers(1, most) for most in (3, 5, 7, 14, 14))), st.booleans(), st.integers(0)
)
def test_a_rewritten_net_gives_what_the_net_gives_at_any_size(
    place: Path, shape: tuple[int, ...], with_bias: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    count, inputs, outputs, height, width = shape
    weight = rng.normal(0, 1, (outputs, inputs, 3, 3)).astype(np.float32)
    bias = rng.normal(0, 1, outputs).astype(np.float32) if with_bias else None
    image = rng.normal(0, 1, (count, inputs, height, width)).astype(np.float32)
    model = net_of(weight, bias, **PLAIN)
    wanted = run(model, place, image)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winograd, "worthwhile", lambda *_: True)
        assert winograd.quicken(model, {"image": (1, inputs, 64, 64)}) == 1
    np.testing.assert_allclose(run(model, place, image), wanted, atol=1e-4)
    assert "weight" not in {each.name for each in model.graph.initializer}


@pytest.mark.parametrize(
    ("shape", "attributes"),
    [
        ((8, 4, 1, 1), {"kernel_shape": [1, 1]}),
        ((8, 4, 5, 5), {"kernel_shape": [5, 5], "pads": [2, 2, 2, 2]}),
        ((8, 4, 3, 3), PLAIN | {"strides": [2, 2]}),
        ((8, 4, 3, 3), PLAIN | {"dilations": [2, 2]}),
        ((8, 2, 3, 3), PLAIN | {"group": 2}),
        ((8, 4, 3, 3), PLAIN | {"pads": [0, 1, 2, 1]}),
        ((8, 4, 3, 3), {"kernel_shape": [3, 3]}),
    ],
)
def test_other_convolutions_stay(
    shape: tuple[int, ...], attributes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(winograd, "worthwhile", lambda *_: True)
    model = net_of(np.zeros(shape, np.float32), **attributes)
    before = model.SerializeToString()
    assert winograd.quicken(model, {"image": (1, 4, 64, 64)}) == 0
    assert model.SerializeToString() == before


def test_small_maps_and_few_channels_are_not_worth_it() -> None:
    assert winograd.worthwhile(512, 512, 16, 16)
    assert not winograd.worthwhile(512, 512, 8, 8)
    assert winograd.worthwhile(256, 128, 32, 32)
    assert not winograd.worthwhile(256, 128, 16, 16)
    assert not winograd.worthwhile(512, 64, 64, 64)
    assert not winograd.worthwhile(128, 128, 512, 512)


def large_net() -> ExportPlan:
    torch.manual_seed(1)
    # A norm after the convolution must not cost a pass of its own.
    layers = (torch.nn.Conv2d(256, 256, 3, padding=1), torch.nn.BatchNorm2d(256), torch.nn.ReLU())
    return ExportPlan(
        module=torch.nn.Sequential(*layers).eval(),
        inputs=(torch.zeros(2, 256, 32, 32),),
        input_names=("image",),
        output_names=("maps",),
        dynamic={"image": {0: "batch"}},
    )


def kinds(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load(path, load_external_data=False).graph.node]


def test_a_cached_net_of_the_cpu_is_rewritten_and_one_for_a_gpu_is_not(tmp_path: Path) -> None:
    image = np.random.default_rng(0).random((2, 256, 32, 32), np.float32)
    context = make_context(device="cpu", threads=1, cache=tmp_path)
    (quick,) = context.exported("net", large_net).run(None, {"image": image})
    (folder,) = context.exports.iterdir()
    assert "MatMul" in kinds(folder / NET)
    assert "BatchNormalization" not in kinds(folder / NET)
    assert {each.name for each in folder.iterdir()} == {NET, f"{NET}.data"}

    export_folder(large_net(), tmp_path / "plain")
    assert "MatMul" not in kinds(tmp_path / "plain" / NET)
    (wanted,) = open_session(tmp_path / "plain" / NET).run(None, {"image": image})
    assert np.abs(quick - wanted).max() < 5e-5 * wanted.std()
