"""Both nets against the original's numbers, and their files."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mien.errors import WeightsError  # noqa: E402
from mien.onnx import export_onnx, open_session  # noqa: E402
from mien.testing.nets import golden_tensor  # noqa: E402
from mien_mask_vgg.config import NetConfig  # noqa: E402
from mien_mask_vgg.files import load_net, to_own_names  # noqa: E402
from mien_mask_vgg.net import FaceSegmenter, empty_net  # noqa: E402
from mien_mask_vgg.stage import (  # noqa: E402
    CLEAR_NET,
    OBSTRUCTED_NET,
    export_plan,
    prepare,
)

Shared = Callable[[str], Path]
SMALL = {"widths": (4, 4, 6, 8, 8), "hidden": 12}
NETS = {"clear": CLEAR_NET, "obstructed": OBSTRUCTED_NET}


def listed_keys(shared: Shared, name: str) -> dict[str, tuple[int, ...]]:
    listed = json.loads(shared("spec/nets-weights.json").read_text(encoding="utf-8"))["nets"]
    return {key: tuple(shape) for key, shape, _ in listed[name]["keys"]}


def shapes_of(net: FaceSegmenter) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in net.state_dict().items()}


def light(shape: tuple[int, ...]) -> Any:
    """An array of any shape that takes no memory."""
    return np.broadcast_to(np.float32(1), shape)


@pytest.mark.parametrize("kind", NETS)
def test_faceswaps_keys_become_the_nets_own(shared: Shared, kind: str) -> None:
    listed = listed_keys(shared, f"faceswap_vgg_{kind}")
    with torch.device("meta"):
        net = FaceSegmenter(NETS[kind])
    renamed = to_own_names({key: light(shape) for key, shape in listed.items()})
    assert {key: value.shape for key, value in renamed.items()} == shapes_of(net)
    count = {"clear": 134_271_430, "obstructed": 134_489_759}[kind]
    assert sum(int(np.prod(shape)) for shape in shapes_of(net).values()) == count


def test_the_names_of_caffe_are_the_nets_own_but_for_its_scales(shared: Shared) -> None:
    listed = listed_keys(shared, "caffe_fcn8s_obstructed")
    with torch.device("meta"):
        net = FaceSegmenter(OBSTRUCTED_NET)
    del listed["scale_pool3.weight"], listed["scale_pool4.weight"]
    assert listed == shapes_of(net)


@pytest.mark.parametrize("sides", [(8,), (1,)])
def test_scales_go_into_the_weights_behind_them(sides: tuple[int]) -> None:
    named = {
        "scale_pool4.weight": np.full(sides, 0.02, np.float32),
        "score_pool4.weight": np.ones((2, 8, 1, 1), np.float32),
        "score_pool3.weight": np.ones((2, 6, 1, 1), np.float32),
    }
    read = to_own_names(named)
    np.testing.assert_allclose(read["score_pool4.weight"], 2)
    np.testing.assert_array_equal(read["score_pool3.weight"], 1)
    assert len(read) == 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", NETS)
def test_the_nets_give_the_numbers_of_the_original(shared: Shared, kind: str) -> None:
    config = NETS[kind]
    with np.load(shared(f"golden/nets/vgg_{kind}_net_{config.size}.npz")) as golden:
        wanted = {False: golden["prob_caffe_pool"], True: golden["prob_faceswap_pool"]}
        facts, mean = json.loads(str(golden["meta"])), golden["input_mean"]
    side = -(-config.size // 8)
    noise = np.random.Generator(np.random.PCG64(zlib.crc32(facts["input_name"].encode())))
    blocks = noise.integers(0, 256, (side, side, 3), np.uint8)
    image = np.kron(blocks, np.ones((8, 8, 1), np.uint8))[: config.size, : config.size]
    fed = np.ascontiguousarray((image - mean).transpose(2, 0, 1))
    # The reference's mean is a sum in float32, and off by 0.006 of 255.
    np.testing.assert_allclose(prepare(image.astype(np.float32), own_mean=True), fed, atol=1e-2)
    net = empty_net(config)
    own = net.state_dict()
    with torch.inference_mode():
        for key, shape in listed_keys(shared, f"faceswap_vgg_{kind}").items():
            value = golden_tensor(key, shape, gain=facts["gain"])
            ((name, value),) = to_own_names({key: value}).items()
            own[name].copy_(torch.from_numpy(value))
        for parity, probabilities in wanted.items():
            net.config = replace(config, parity=parity)
            face = net(torch.from_numpy(fed[None]))[0, 0, ::10, ::10].numpy()
            ours = 1 - face if facts["channel"] == 0 else face
            np.testing.assert_allclose(ours, probabilities, atol=1e-4)  # seen: below 2e-6


@pytest.fixture
def small_file(tmp_path: Path) -> Path:
    torch.manual_seed(3)
    path = tmp_path / "small.pth"
    net = FaceSegmenter(replace(CLEAR_NET, **SMALL))
    torch.save({f"module.{key}": value for key, value in net.state_dict().items()}, path)
    return path


@pytest.mark.parametrize("size", [300, 500])
@pytest.mark.parametrize("parity", [False, True])
def test_masks_are_as_large_as_the_crop(size: int, parity: bool) -> None:
    config = NetConfig(name="x", size=size, classes=3, face=-1, parity=parity, **SMALL)
    with torch.inference_mode():
        out = FaceSegmenter(config).eval()(torch.randn(1, 3, size, size))
    assert out.shape == (1, 1, size, size)
    assert out.min() >= 0
    assert out.max() <= 1


def test_the_net_sees_a_crop_the_same_every_time(small_file: Path) -> None:
    """Drop-out belongs to training: a mask that differs from run to run is of no use."""
    net = load_net(small_file, replace(CLEAR_NET, **SMALL))
    image = torch.randn(1, 3, 300, 300, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert torch.equal(net(image), net(image))
    assert not any(isinstance(each, torch.nn.Dropout) for each in net.modules())


@pytest.mark.slow
@pytest.mark.parametrize("parity", [False, True])
def test_the_exported_net_gives_the_same_for_any_batch(
    small_file: Path, tmp_path: Path, parity: bool
) -> None:
    config = replace(CLEAR_NET, parity=parity, **SMALL)
    export_onnx(export_plan(small_file, config), tmp_path / "net.onnx")
    session = open_session(tmp_path / "net.onnx", threads=2)
    images = torch.randn(3, 3, 300, 300, generator=torch.Generator().manual_seed(1)) * 60
    with torch.inference_mode():
        wanted = load_net(small_file, config)(images).numpy()
    for count in (1, 3):
        (masks,) = session.run(None, {"image": images[:count].numpy()})
        np.testing.assert_allclose(masks, wanted[:count], atol=1e-5)


def test_weights_of_another_net_are_refused_with_their_keys(small_file: Path) -> None:
    with pytest.raises(
        WeightsError, match=r"small.pth: not the weights of VGG-obstructed: score_f"
    ):
        load_net(small_file, replace(OBSTRUCTED_NET, **SMALL))
    torch.save({"conv1.convs.0.weight": torch.zeros(4, 3, 3, 3)}, small_file)
    with pytest.raises(WeightsError, match=r"of VGG-clear: lacks conv1_1.bias, .* and 3\d more"):
        load_net(small_file, replace(CLEAR_NET, **SMALL))
    small_file.write_bytes(small_file.read_bytes()[:200])
    with pytest.raises(WeightsError, match=r"small.pth: damaged weights: "):
        load_net(small_file, replace(CLEAR_NET, **SMALL))


def test_a_crop_loses_the_mean_of_all_faces_or_its_own() -> None:
    image = np.full((4, 4, 3), (10, 20, 30), np.float32)
    image[0] = 90
    np.testing.assert_allclose(
        prepare(image)[:, 1, 0], [10 - 104.00698793, 20 - 116.66876762, 30 - 122.67891434]
    )
    np.testing.assert_allclose(prepare(image, own_mean=True)[:, 1, 0], [-20, -17.5, -15])
