"""The net against the original's numbers, and its files."""

from __future__ import annotations

import json
import os
import pickle
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mien.errors import ConfigError, WeightsError  # noqa: E402
from mien.onnx import export_onnx, open_session  # noqa: E402
from mien.types import FaceType  # noqa: E402
from mien_mask_xseg.files import (  # noqa: E402
    find_model,
    from_dfl,
    load_net,
    to_dfl,
    trained_face_type,
)
from mien_mask_xseg.net import BlurPool, NetConfig, UpBlock, XSeg  # noqa: E402
from mien_mask_xseg.stage import export_plan  # noqa: E402

Shared = Callable[[str], Path]
TINY = NetConfig(base=4, size=64, hidden=16)


def golden_array(key: str, shape: tuple[int, ...]) -> Any:
    """What the reference's formula gives a variable of this name."""
    seed = zlib.crc32(f"XSeg_256.npy/{key}".encode())
    normal = np.random.Generator(np.random.PCG64(seed)).standard_normal(shape)
    leaf = key.rpartition("/")[2]
    if len(shape) >= 2:
        value = normal * np.sqrt(1.6 / np.prod(shape[:-1]))
    elif leaf == "weight:0":
        value = 1 + 0.1 * normal
    else:
        value = (0.001 if leaf == "eps:0" else 0.1) * normal
    return value.astype(np.float32)


def arrays_of(net: XSeg) -> dict[str, Any]:
    """The net's own tensors as DeepFaceLab would write them, filled by the formula."""
    shapes = to_dfl({key: value.numpy() for key, value in net.state_dict().items()})
    return {key: golden_array(key, value.shape) for key, value in shapes.items()}


@pytest.fixture(scope="module")
def golden_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("xseg") / "XSeg_256.npy"
    path.write_bytes(pickle.dumps(arrays_of(XSeg()), 4))
    return path


def tiny_file(folder: Path, **changes: Any) -> Path:
    path = folder / "XSeg_256.npy"
    path.write_bytes(pickle.dumps(arrays_of(XSeg(TINY)) | changes, 4))
    return path


def test_the_variables_are_those_of_deepfacelab(shared: Shared) -> None:
    listed = json.loads(shared("spec/dfl-weights.json").read_text(encoding="utf-8"))
    wanted = {row["key"]: tuple(row["shape"]) for row in listed["configs"]["XSeg"]}
    ours = {key: value.shape for key, value in arrays_of(XSeg()).items()}
    assert ours == wanted
    assert sum(np.prod(shape) for shape in ours.values()) == 17_569_317


@pytest.mark.slow
def test_the_net_gives_the_numbers_of_the_original(shared: Shared, golden_file: Path) -> None:
    net = load_net(golden_file)
    with np.load(shared("golden/dfl/xseg.npz")) as golden:
        image = torch.from_numpy(golden["in_img"].transpose(0, 3, 1, 2).copy())
        wanted = golden["logits"][..., 0]
        row, pretrained = golden["prob_row128"], golden["pretrain_logits_row128"]
    with torch.inference_mode():
        logits = net(image)
        without = net.forward_pretrain(image)
    # The reference's own tolerance; a graph of float32 sums over 17 million weights.
    np.testing.assert_allclose(logits[:, 0].numpy(), wanted, atol=5e-4)
    np.testing.assert_allclose(torch.sigmoid(logits)[:, 0, 128].ravel(), row.ravel(), atol=5e-4)
    np.testing.assert_allclose(without[:, 0, 128].ravel(), pretrained.ravel(), atol=5e-4)


@pytest.mark.slow
def test_the_exported_net_gives_the_same_for_any_batch(golden_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "xseg.onnx"
    export_onnx(export_plan(golden_file), path)
    session = open_session(path, threads=2)
    images = torch.rand(3, 3, 256, 256, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        wanted = torch.sigmoid(load_net(golden_file)(images)).numpy()
    for count in (1, 3):
        (masks,) = session.run(None, {"image": images[:count].numpy()})
        np.testing.assert_allclose(masks, wanted[:count], atol=1e-4)


@pytest.mark.slow
def test_a_small_net_learns() -> None:
    torch.manual_seed(0)
    net = XSeg(TINY)
    image = torch.rand(2, 3, 64, 64)
    wanted = torch.zeros(2, 1, 64, 64)
    wanted[..., 16:48, 16:48] = 1
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    losses = []
    for _ in range(12):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(net(image), wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]
    assert all(each.grad is not None for each in net.parameters())


def test_without_skips_only_the_dense_middle_is_seen() -> None:
    net = XSeg(TINY).eval()
    with torch.no_grad():
        net.dense2.weight.zero_()
    one, other = torch.rand(2, 1, 3, 64, 64)
    with torch.inference_mode():
        assert not torch.equal(net(one), net(other))
        assert torch.equal(net.forward_pretrain(one), net.forward_pretrain(other))


@pytest.mark.parametrize(("taps", "line"), [(4, [1, 3, 3, 1]), (3, [1, 2, 1]), (2, [1, 1])])
def test_the_blur_is_binomial_and_keeps_a_flat_picture(taps: int, line: list[int]) -> None:
    spot = torch.zeros(1, 1, 8, 8)
    spot[..., 4, 4] = 1
    out = BlurPool(1, taps)(spot)
    before = (taps - 1) // 2
    column = [line[4 + before - 2 * y] if 0 <= 4 + before - 2 * y < taps else 0 for y in range(4)]
    np.testing.assert_allclose(out[0, 0], np.outer(column, column) / sum(line) ** 2)
    flat = BlurPool(2, taps)(torch.full((1, 2, 8, 8), 0.3))
    np.testing.assert_allclose(flat[..., 1:-1, 1:-1], 0.3, rtol=1e-6)


def test_growing_drops_the_last_row_and_column() -> None:
    block = UpBlock(1, 1)
    with torch.no_grad():
        block.conv.weight.copy_(torch.arange(9.0).reshape(1, 1, 3, 3))
        block.conv.bias.zero_()
    spot = torch.zeros(1, 1, 2, 2)
    spot[..., 1, 1] = 1
    grown = block.conv(spot)[..., :-1, :-1]
    assert grown.shape == (1, 1, 4, 4)
    np.testing.assert_array_equal(grown.detach()[0, 0, 2:, 2:], [[0, 1], [3, 4]])
    assert block(spot).shape == (1, 1, 4, 4)


def test_files_go_both_ways_without_a_change(tmp_path: Path) -> None:
    net = load_net(tiny_file(tmp_path), TINY)
    state = {key: value.numpy() for key, value in net.state_dict().items()}
    there = to_dfl(state)
    assert there["conv01/conv/weight:0"].shape == (3, 3, 3, 4)
    for key, value in from_dfl(there).items():
        np.testing.assert_array_equal(value, state[key])
    torch.save(net.state_dict(), tmp_path / "own.pth")
    again = load_net(tmp_path / "own.pth", TINY).state_dict()
    assert all(torch.equal(value, again[key]) for key, value in net.state_dict().items())


class Hostile:
    def __reduce__(self) -> Any:
        return os.system, ("echo broken into",)


def test_wrong_files_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"not the weights of XSeg: conv01.conv.weight is \(4"):
        load_net(tiny_file(tmp_path))
    path = tiny_file(tmp_path, **{"nobody/knows:0": np.zeros(3, np.float32)})
    with pytest.raises(WeightsError, match=r"XSeg_256.npy: .*: holds besides nobody.knows"):
        load_net(path, TINY)
    path = tiny_file(tmp_path, **{"out_conv/bias:0": np.full(1, np.inf, np.float32)})
    with pytest.raises(WeightsError, match=r"damaged weights of XSeg: out_conv.bias holds no num"):
        load_net(path, TINY)
    with pytest.raises(WeightsError, match=r"asks for (posix|nt)\.system, which no plain data"):
        load_net(tiny_file(tmp_path, more=Hostile()), TINY)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(WeightsError, match=r"XSeg_256\.npy: damaged at byte"):
        load_net(path, TINY)


def test_a_model_is_named_by_its_folder_or_its_file(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"no XSeg model is named, and none is published: XSeg is"
    ):
        find_model(None)
    with pytest.raises(WeightsError, match=r"holds neither XSeg_256\.npy nor XSeg_model\.onnx"):
        find_model(tmp_path)
    with pytest.raises(WeightsError, match=r"nowhere: masker\.xseg\.model: does not exist"):
        find_model(tmp_path / "nowhere")
    exported = tmp_path / "XSeg_model.onnx"
    exported.touch()
    assert find_model(tmp_path) == exported
    path = tiny_file(tmp_path)
    assert find_model(tmp_path) == find_model(path) == path


def test_the_face_type_is_the_models_own(tmp_path: Path) -> None:
    assert trained_face_type(None) is trained_face_type(tmp_path) is None
    data = tmp_path / "XSeg_data.dat"
    for content, wanted in (
        ({"iter": 3, "options": {"face_type": "f", "pretrain": False}}, FaceType.FULL),
        ({"iter": 3, "options": {"face_type": "head"}}, FaceType.HEAD),
        ({"iter": 3, "options": {"face_type": "sideways"}}, None),
        ({"iter": 0}, None),
        ([], None),
    ):
        data.write_bytes(pickle.dumps(content, 3))
        assert trained_face_type(tmp_path) is wanted
        assert trained_face_type(tmp_path / "XSeg_256.npy") is wanted
    data.write_bytes(b"\x80\x04.")
    with pytest.raises(WeightsError, match=r"damaged at byte 3: .*; name the face type with"):
        trained_face_type(tmp_path)
