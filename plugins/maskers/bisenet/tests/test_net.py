"""The net against the original's numbers, and its published files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mien.errors import WeightsError  # noqa: E402
from mien.onnx import export_onnx, open_session  # noqa: E402
from mien.testing.nets import golden_state  # noqa: E402
from mien_mask_bisenet.files import (  # noqa: E402
    FACESWAP,
    IMAGENET,
    export_plan,
    find_config,
    load_net,
    rename,
)
from mien_mask_bisenet.masks import enlarge, hard_mask  # noqa: E402
from mien_mask_bisenet.net import SMALL, BiSeNet, NetConfig, Parser  # noqa: E402

Shared = Callable[[str], Path]
CELEBA_FACE = np.isin(np.arange(19), [1, 2, 3, 4, 5, 6, 10, 11, 12, 13])


@pytest.fixture(scope="module")
def golden_net() -> Any:
    net = BiSeNet(NetConfig()).eval()
    net.load_state_dict(golden_state(net, gain=0.7), strict=True)
    return net


def keys_of(net: BiSeNet) -> dict[str, list[int]]:
    return {key: list(value.shape) for key, value in net.state_dict().items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bisenet_net_256x256", "bisenet_net_512x512"])
def test_the_net_gives_the_numbers_of_the_original(
    shared: Shared, golden_net: Any, name: str
) -> None:
    with np.load(shared(f"golden/nets/{name}.npz")) as golden:
        picture = golden["input_rgb"].astype(np.float32) / 255
        wanted = [golden[key] for key in ("out", "out16", "out32")]
        classes = golden["classes"]
    fed = torch.from_numpy((picture - np.float32(IMAGENET[0])) / np.float32(IMAGENET[1]))
    with torch.inference_mode():
        given = [each[0].numpy() for each in golden_net(fed.permute(2, 0, 1)[None])]
    for ours, theirs in zip(given, wanted, strict=True):
        error = np.abs(ours[:, ::16, ::16] - theirs).max() / np.abs(theirs).max()
        assert error < 1e-5  # seen: 2e-6
    assert (given[0].argmax(0)[::4, ::4] == classes).mean() > 0.9999  # ties may flip


@pytest.mark.slow
def test_exported_scores_make_the_original_s_mask(
    shared: Shared, golden_net: Any, tmp_path: Path
) -> None:
    with np.load(shared("golden/nets/bisenet_net_256x256.npz")) as golden:
        picture = golden["input_rgb"].astype(np.float32) / 255
        classes = golden["classes"]
    torch.save(golden_net.state_dict(), tmp_path / "79999_iter.pth")
    export_onnx(export_plan(tmp_path / "79999_iter.pth"), tmp_path / "net.onnx")
    session = open_session(tmp_path / "net.onnx", threads=2)
    fed = np.ascontiguousarray(picture.transpose(2, 0, 1)[None])
    (scores,) = session.run(None, {"image": fed})
    assert scores.shape == (1, 19, 32, 32)
    mask = hard_mask(scores, CELEBA_FACE, 256)[0, ::4, ::4]
    assert (mask == CELEBA_FACE[classes]).mean() > 0.9999


def test_keys_are_those_of_the_published_files(shared: Shared) -> None:
    listed = json.loads(shared("spec/nets-weights.json").read_text(encoding="utf-8"))["nets"]
    theirs = {key: shape for key, shape, _ in listed["bisenet19"]["keys"]}
    assert keys_of(BiSeNet(NetConfig())) == theirs
    for name, classes in (("faceswap_bisenet19", 19), ("faceswap_bisenet5", 5)):
        listing = {key: np.empty(shape) for key, shape, _ in listed[name]["keys"]}
        renamed = rename(listing)
        config = find_config(renamed, Path("some.pth"))
        assert config.classes == classes
        shapes = {key: list(value.shape) for key, value in renamed.items()}
        assert shapes == keys_of(BiSeNet(config))


def test_the_deep_body_is_known_by_its_tensors(tmp_path: Path) -> None:
    deep = BiSeNet(NetConfig(blocks=(3, 4, 6, 3)))
    torch.save(deep.state_dict(), tmp_path / "resnet34.pth")
    net = load_net(tmp_path / "resnet34.pth")
    assert len(net.cp.resnet.layer3) == 6
    assert not net.training
    torch.testing.assert_close(net.state_dict(), deep.state_dict())


def test_faceswap_s_five_classes_see_through_faceswap_s_colours(tmp_path: Path) -> None:
    five = BiSeNet(NetConfig(classes=5))
    named = {
        key.replace("conv_out.conv.", "conv_out.conv1."): value
        for key, value in five.state_dict().items()
    }
    torch.save(named, tmp_path / "v6.pth")
    module = export_plan(tmp_path / "v6.pth").module
    np.testing.assert_allclose(module.mean.flatten(), FACESWAP[0])
    np.testing.assert_allclose(module.deviation.flatten(), FACESWAP[1])


def test_weights_of_another_net_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"body.weight": torch.zeros(3)}, path)
    with pytest.raises(WeightsError, match=r"other.pth: not the weights of BiSeNet.*lacks"):
        load_net(path)


def test_a_number_of_classes_without_a_meaning_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "eleven.pth"
    torch.save(BiSeNet(NetConfig(classes=11)).state_dict(), path)
    with pytest.raises(WeightsError, match=r"net of 11 classes.*there are 5, 7, 19"):
        load_net(path)


def test_missing_and_misshapen_tensors_are_named(tmp_path: Path) -> None:
    state = BiSeNet(NetConfig()).state_dict()
    del state["cp.arm16.conv_atten.weight"]
    torch.save(state, tmp_path / "less.pth")
    with pytest.raises(WeightsError, match=r"lacks cp.arm16.conv_atten.weight"):
        load_net(tmp_path / "less.pth")
    state = BiSeNet(NetConfig()).state_dict()
    state["cp.resnet.conv1.weight"] = torch.zeros(64, 3, 3, 3)
    torch.save(state, tmp_path / "odd.pth")
    with pytest.raises(WeightsError, match=r"\(64, 3, 3, 3\), must be \(64, 3, 7, 7\)"):
        load_net(tmp_path / "odd.pth")


@pytest.mark.parametrize("size", [(64, 64), (96, 160), (50, 71)])
def test_the_small_net_takes_any_size(size: tuple[int, int]) -> None:
    net = BiSeNet(SMALL).eval()
    with torch.inference_mode():
        scores, side16, side32 = net(torch.zeros(2, 3, *size))
    assert scores.shape == side16.shape == side32.shape == (2, 7, *size)


def test_onnx_and_torch_agree_for_any_batch_and_size(tmp_path: Path) -> None:
    config = NetConfig(classes=7, widths=(8, 8, 8, 8), neck=8, fuse=8, aux=8, fine=True)
    net = BiSeNet(config).eval()
    net.load_state_dict(golden_state(net, gain=0.7))
    parser = Parser(net, *IMAGENET).eval()
    torch.save(net.state_dict(), tmp_path / "net.pth")
    plan = export_plan_of(parser)
    export_onnx(plan, tmp_path / "net.onnx")
    session = open_session(tmp_path / "net.onnx")
    for shape in [(1, 3, 64, 64), (3, 3, 96, 128)]:
        picture = np.random.default_rng(0).random(shape, np.float32)
        (given,) = session.run(None, {"image": picture})
        with torch.inference_mode():
            wanted = parser(torch.from_numpy(picture)).numpy()
        np.testing.assert_allclose(given, wanted, atol=1e-4)


def export_plan_of(parser: Parser) -> Any:
    from mien.stages import ExportPlan

    return ExportPlan(
        module=parser,
        inputs=(torch.zeros(2, 3, 64, 96),),
        input_names=("image",),
        output_names=("scores",),
        dynamic={"image": {0: "batch", 2: "height", 3: "width"}},
    )


@pytest.mark.parametrize(
    ("small", "large"), [((5, 5), 17), ((1, 1), 4), ((8, 8), 8), ((64, 64), 256)]
)
def test_enlarging_is_torch_s_bilinear_with_corners_on_corners(
    small: tuple[int, int], large: int
) -> None:
    maps = np.random.default_rng(1).normal(size=(2, 3, *small)).astype(np.float32)
    wanted = torch.nn.functional.interpolate(
        torch.from_numpy(maps), size=(large, large), mode="bilinear", align_corners=True
    )
    np.testing.assert_allclose(enlarge(maps, large), wanted.numpy(), atol=1e-4)  # of some units
