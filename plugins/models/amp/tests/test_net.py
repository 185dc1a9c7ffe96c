"""AMP's net against DeepFaceLab's: reference values, tensors, morphing, files, and export."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mien.errors import ConfigError
from mien.nets.dflfiles import file_key, load_model, save_model, to_file_layout
from mien.onnx import export_onnx, open_session
from mien.stages import ExportPlan
from mien.testing.golden import fill_model, from_net, to_net
from mien_model_amp.config import NetConfig
from mien_model_amp.net import Amp, build_net, draw_channels

TOLERANCE = 1e-4
TINY = NetConfig(resolution=32, ae_dims=4, inter_dims=10, e_dims=2, d_dims=4, d_mask_dims=2)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def tiny_net() -> Amp:
    return build_net(TINY, torch.Generator().manual_seed(0))


def some_faces(count: int) -> torch.Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(3))


@torch.no_grad()
def test_every_path_gives_the_reference_values(shared):
    golden = np.load(shared("golden/dfl/amp.npz"))
    config = json.loads(str(golden["config"]))
    names = ("resolution", "ae_dims", "inter_dims", "e_dims", "d_dims", "d_mask_dims")
    net = Amp(NetConfig(**{name: config[name] for name in names}))
    fill_model(net)

    target = net.encoder(to_net(golden["in_dst"]))
    source = net.encoder(to_net(golden["in_src"]))
    made = {"dst_dst": net.decoder(net.target_code(target))[0]}
    for number, morph in enumerate(config["morph_values"]):
        swap, mask, own_mask = net(to_net(golden["in_dst"]), torch.tensor([morph]))
        made |= {f"src_dst_{number}": swap, f"src_dst_mask_{number}": mask}
        made["dst_dst_mask"] = own_mask
    taken = torch.from_numpy(golden["code_mask"])[None]
    made["src_src_masked_code"] = net.decoder(net.source_code(source, taken))[0]
    np.testing.assert_allclose(source.numpy(), golden["enc_src"], rtol=0, atol=TOLERANCE)
    compared = [name for name in made if name in golden]
    assert len(compared) == 7
    for name in compared:
        np.testing.assert_allclose(
            from_net(made[name]), golden[name], rtol=0, atol=TOLERANCE, err_msg=name
        )


def test_every_tensor_has_its_file_key_and_shape(shared):
    configs = json.loads(shared("spec/dfl-weights.json").read_text())["configs"]
    found = {title: rows for title, rows in configs.items() if title.startswith("AMP")}
    assert len(found) == 2
    for title, rows in found.items():
        dims = {word.partition("=")[0]: int(word.partition("=")[2]) for word in title.split()[1:]}
        dims["resolution"] = dims.pop("res")
        with torch.device("meta"):
            net = Amp(NetConfig(**dims))
        made = {
            (f"{net_name}.npy", file_key(name)): to_file_layout(
                np.broadcast_to(False, tuple(value.shape))
            ).shape
            for net_name, part in net.named_children()
            for name, value in part.state_dict().items()
        }
        assert made == {(row["file"], row["key"]): tuple(row["shape"]) for row in rows}, title


@settings(max_examples=30)
@given(st.integers(1, 2048), st.floats(0, 1, width=32))
@torch.no_grad()
def test_morph_takes_as_many_channels_as_the_product_cut_off_in_float32(channels, morph):
    config = NetConfig(
        resolution=32, ae_dims=1, inter_dims=channels, e_dims=1, d_dims=1, d_mask_dims=1
    )
    net = build_net(config)
    for inter, value in ((net.inter_src, 1.0), (net.inter_dst, 0.0)):
        inter.dense2.weight.zero_()
        inter.dense2.bias.fill_(value)
    mixed, target = net.both_codes(torch.zeros(1, 1), torch.tensor([morph]))
    count = int(np.float32(channels) * np.float32(morph))
    assert mixed.flatten().tolist() == [1.0] * count + [0.0] * (channels - count)
    assert not target.any()


@torch.no_grad()
def test_every_face_may_have_a_morph_of_its_own():
    net, faces = tiny_net(), some_faces(3)
    values = torch.tensor([0.0, 0.45, 1.0])
    together = net(faces, values)[0]
    for number in range(3):
        alone = net(faces[number : number + 1], values[number : number + 1])[0]
        torch.testing.assert_close(alone[0], together[number], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("channels", "share", "wanted"), [(64, 0.5, 32), (33, 0.1, 3), (5, 0.5, 2)]
)
def test_drawn_channels_are_exactly_as_many_as_asked_for(channels, share, wanted):
    drawn = draw_channels(channels, share, 8, torch.Generator().manual_seed(0))
    assert drawn.shape == (8, channels)
    assert set(drawn.flatten().tolist()) == {0.0, 1.0}
    assert drawn.sum(1).tolist() == [wanted] * 8
    assert len({tuple(row.tolist()) for row in drawn}) > 1


def test_its_files_bring_it_back(tmp_path):
    net = tiny_net()
    files = save_model(net, tmp_path / "a_AMP")
    assert [path.name for path in files] == [
        f"a_AMP_{name}.npy" for name in ("encoder", "inter_src", "inter_dst", "decoder")
    ]
    other = build_net(TINY)
    load_model(other, tmp_path / "a_AMP")
    for name, value in net.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name


@pytest.mark.slow
@torch.no_grad()
def test_a_compiled_net_is_one_graph_and_gives_the_same():
    net, faces, morph = tiny_net(), some_faces(2), torch.tensor([0.5])
    compiled = torch.compile(net, backend="aot_eager", fullgraph=True)
    for one, other in zip(compiled(faces, morph), net(faces, morph), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


def test_half_precision_stays_near_and_its_results_are_float32():
    net, faces, morph = tiny_net(), some_faces(1), torch.tensor([0.5])
    with torch.autocast("cpu", torch.bfloat16):
        rough = net(faces, morph)
    for one, other in zip(rough, net(faces, morph), strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, other, rtol=0, atol=0.02)


@pytest.mark.slow
@torch.no_grad()
def test_an_exported_net_morphs_at_run_time(tmp_path):
    net = tiny_net().eval()
    names = ("swap", "swap_mask", "target_mask")
    plan = ExportPlan(
        module=net,
        inputs=(some_faces(2), torch.tensor([0.5])),
        input_names=("face", "morph"),
        output_names=names,
        dynamic={"face": {0: "batch"}},
    )
    export_onnx(plan, tmp_path / "net.onnx")
    session = open_session(tmp_path / "net.onnx")
    for count, morph in ((1, 0.0), (3, 0.35), (1, 1.0)):
        faces, value = some_faces(count), torch.tensor([morph])
        made = session.run(names, {"face": faces.numpy(), "morph": value.numpy()})
        for one, other in zip(made, net(faces, value), strict=True):
            np.testing.assert_allclose(one, other.numpy(), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"inter_dims": 0}, "inter_dims 0: must be at least 1"),
        (
            {"resolution": 208},
            "resolution 208: must be a multiple of 32 (the net has the flags udt), "
            "such as 192 or 224",
        ),
        ({"d_dims": 0}, "d_dims 0: must be at least 1"),
    ],
)
def test_sizes_that_no_net_has_are_refused(options, told):
    with pytest.raises(ConfigError) as caught:
        NetConfig(**options)
    assert str(caught.value) == told
