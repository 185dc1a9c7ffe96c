"""Quick96's net against DeepFaceLab's: reference values, tensors, files."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from mien.nets.autoencoder import TwoDecoders
from mien.nets.dflfiles import file_key, load_model, save_model, to_file_layout
from mien.testing.golden import fill_model, from_net, to_net
from mien_model_quick96.net import SHAPE, build_net

TOLERANCE = 1e-4


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def weightless() -> TwoDecoders:
    with torch.device("meta"):
        return TwoDecoders(SHAPE)


@torch.no_grad()
def test_a_swap_gives_the_reference_values(shared):
    golden = np.load(shared("golden/dfl/quick96.npz"))
    net = build_net()
    fill_model(net)
    made = net(to_net(golden["in_dst"]))
    for value, name in zip(made, ("src_dst", "src_dst_mask", "dst_dst_mask"), strict=True):
        np.testing.assert_allclose(
            from_net(value), golden[name], rtol=0, atol=TOLERANCE, err_msg=name
        )


def test_every_tensor_has_its_file_key_and_shape(shared):
    rows = json.loads(shared("spec/dfl-weights.json").read_text())["configs"]["Quick96"]
    made = {
        (f"{net_name}.npy", file_key(name)): to_file_layout(
            np.broadcast_to(False, tuple(value.shape))
        ).shape
        for net_name, net in weightless().named_children()
        for name, value in net.state_dict().items()
    }
    assert made == {(row["file"], row["key"]): tuple(row["shape"]) for row in rows}


def test_it_is_as_large_as_the_original():
    assert sum(value.numel() for value in weightless().parameters()) == 38_294_330


@pytest.mark.slow
def test_its_files_bring_it_back(tmp_path):
    net = build_net(torch.Generator().manual_seed(1))
    files = save_model(net, tmp_path / "my_Quick96")
    assert [path.name for path in files] == [
        f"my_Quick96_{name}.npy" for name in ("encoder", "inter", "decoder_src", "decoder_dst")
    ]
    other = build_net()
    load_model(other, tmp_path / "my_Quick96")
    for name, value in net.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name
