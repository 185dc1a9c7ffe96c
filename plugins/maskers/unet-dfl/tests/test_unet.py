"""The U-Net against the original's numbers, its files, and its promises as a masker."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import mien_mask_unet_dfl
import numpy as np
import pytest
import torch
from mien.errors import WeightsError
from mien.geometry import make_crop
from mien.onnx import export_onnx, open_session
from mien.stages import Context
from mien.testing import FakeContext, FakeNet, MaskerConformance, face_at, frames
from mien.testing.nets import golden_state
from mien_mask_unet_dfl.files import export_plan, load_net
from mien_mask_unet_dfl.net import NetConfig, UNet

Shared = Callable[[str], Path]
SMALL = NetConfig(width=4)


def red_of(feeds: Mapping[str, Any]) -> list[Any]:
    """A net that calls red face; the crops come as BGR."""
    return [feeds["image"][:, 2:3]]


class TestUNetKeepsItsPromises(MaskerConformance):
    plugin = mien_mask_unet_dfl
    name = "unet-dfl"

    def make_context(self, folder: Path) -> Context:
        path = folder / "DFL_256_sigmoid_v2.pth"
        path.write_bytes(b"stands for the file")
        return FakeContext(net=FakeNet(red_of), files={path.name: path}, cache=folder)

    def test_masks_belong_to_their_crops(self, stage: Any) -> None:
        items = self.make_items(stage)
        for crop, mask in zip(items, stage(items), strict=True):
            np.testing.assert_array_equal(mask[..., 0], crop.image[..., 2])


@pytest.mark.slow
def test_the_net_gives_the_numbers_of_the_original(shared: Shared) -> None:
    net = UNet(NetConfig()).eval()
    net.load_state_dict(golden_state(net, gain=1.0), strict=True)
    with np.load(shared("golden/nets/faceswap_unet_dfl_net_256.npz")) as golden:
        wanted = golden["out"]
        fed = torch.from_numpy(golden["input_bgr"]).permute(2, 0, 1)[None] / 255
    with torch.inference_mode():
        given = net(fed)[0, 0, ::4, ::4].numpy()
    assert np.abs(given - wanted).max() < 1e-5  # probabilities


def test_the_keys_are_those_of_the_published_file(shared: Shared) -> None:
    listed = json.loads(shared("spec/nets-weights.json").read_text(encoding="utf-8"))
    keys = listed["nets"]["faceswap_unet_dfl"]["keys"]
    ours = {key: list(value.shape) for key, value in UNet(NetConfig()).state_dict().items()}
    assert ours == {key: shape for key, shape, _ in keys}


def test_a_saved_net_comes_back_and_onnx_agrees_with_torch(tmp_path: Path) -> None:
    net = UNet(SMALL).eval()
    net.load_state_dict(golden_state(net, gain=1.0))
    torch.save({"state_dict": net.state_dict()}, tmp_path / "net.pth")
    loaded = load_net(tmp_path / "net.pth", SMALL)
    export_onnx(export_plan(loaded), tmp_path / "net.onnx")
    session = open_session(tmp_path / "net.onnx")
    picture = np.random.default_rng(0).random((3, 3, 256, 256), np.float32)
    with torch.inference_mode():
        wanted = net(torch.from_numpy(picture)).numpy()
    (given,) = session.run(None, {"image": picture})
    assert given.shape == (3, 1, 256, 256)
    np.testing.assert_allclose(given, wanted, atol=1e-5)


def test_weights_of_another_net_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"conv2d_7.weight": torch.zeros(1, 64, 3, 3)}, path)
    with pytest.raises(WeightsError, match=r"other.pth: not the weights of U-Net-DFL.*lacks"):
        load_net(path)


def test_weights_of_another_width_are_refused_by_shape(tmp_path: Path) -> None:
    path = tmp_path / "thin.pth"
    torch.save(UNet(SMALL).state_dict(), path)
    with pytest.raises(WeightsError, match=r"is \(.*\), must be \("):
        load_net(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    options = mien_mask_unet_dfl.Options(file=tmp_path / "nowhere.pth")
    stage = mien_mask_unet_dfl.create(options, FakeContext(cache=tmp_path))
    with pytest.raises(WeightsError, match=r"nowhere.pth: cannot be read: No such file"):
        stage.open()


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cut.pth"
    path.write_bytes(b"PK\x03\x04 cut off")
    stage = mien_mask_unet_dfl.create(
        mien_mask_unet_dfl.Options(file=path), FakeContext(cache=tmp_path)
    )
    with pytest.raises(WeightsError, match=r"cut.pth"):
        stage.open()


def test_calling_before_open_is_a_plain_mistake() -> None:
    stage = mien_mask_unet_dfl.create(mien_mask_unet_dfl.Options(), FakeContext())
    (frame,) = frames(1)
    with pytest.raises(RuntimeError, match="before open"):
        stage([make_crop(frame, face_at(48, 36, 40), stage.spec)])
