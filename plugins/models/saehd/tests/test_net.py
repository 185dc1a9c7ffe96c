"""SAEHD's nets against DeepFaceLab's: reference values, tensors, sizes, files, and export."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mien.errors import ConfigError
from mien.nets.dflfiles import file_key, load_model, save_model, to_file_layout
from mien.onnx import export_onnx, open_session
from mien.stages import ExportPlan
from mien.testing.golden import fill_model, from_net, to_net
from mien_model_saehd.config import NetConfig, parse_archi
from mien_model_saehd.net import SaehdNet, TwoInters, build_net, make_net

TOLERANCE = 1e-4
GOLDEN = ("df", "df-ud", "df-udt", "liae", "liae-ud", "liae-udtc")
FLAGS = ("", "-u", "-d", "-t", "-c", "-ud", "-ut", "-uc", "-td", "-dc", "-tc", "-udt", "-udc")
FLAGS += ("-cut", "-dtc", "-udtc")
ARCHIS = tuple(family + flags for family in ("df", "liae") for flags in FLAGS)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def sheet(shared):
    return json.loads(shared("spec/dfl-weights.json").read_text())


def small(archi: str) -> NetConfig:
    return NetConfig(resolution=32, archi=archi, ae_dims=4, e_dims=2, d_dims=4, d_mask_dims=2)


def some_net(archi: str, seed: int = 0) -> SaehdNet:
    return build_net(small(archi), torch.Generator().manual_seed(seed))


def some_faces(count: int, side: int = 32) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("archi", GOLDEN)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@torch.no_grad()
def test_every_path_gives_the_reference_values(archi, layout, shared):
    golden = np.load(shared(f"golden/dfl/saehd_{archi}.npz"))
    config = json.loads(str(golden["config"]))
    names = ("resolution", "archi", "ae_dims", "e_dims", "d_dims", "d_mask_dims")
    net = make_net(NetConfig(**{name: config[name] for name in names}))
    fill_model(net)
    net.to(memory_format=layout)

    encoded = net.encoder(to_net(golden["in_dst"]).contiguous(memory_format=layout))
    as_source, as_target = net.both_codes(encoded)
    src_dst, src_dst_mask = net.source_decoder(as_source)
    dst_dst, dst_dst_mask = net.target_decoder(as_target)
    made = {
        "code_dst": as_target,
        "src_dst": src_dst,
        "src_dst_mask": src_dst_mask,
        "dst_dst": dst_dst,
        "dst_dst_mask": dst_dst_mask,
    }
    if "in_src" in golden:
        source = net.encoder(to_net(golden["in_src"]).contiguous(memory_format=layout))
        made["src_src"], made["src_src_mask"] = net.source_decoder(net.source_code(source))
    np.testing.assert_allclose(encoded.numpy(), golden["enc_dst"], rtol=0, atol=TOLERANCE)
    compared = [name for name in made if name in golden]
    assert "src_dst" in compared
    assert "dst_dst_mask" in compared
    for name in compared:
        np.testing.assert_allclose(
            from_net(made[name]), golden[name], rtol=0, atol=TOLERANCE, err_msg=name
        )


def test_every_tensor_has_its_file_key_and_shape(sheet):
    configs = {title: rows for title, rows in sheet["configs"].items() if "SAEHD" in title}
    assert len(configs) == 16
    for title, rows in configs.items():
        _, archi, *pairs = title.split()
        dims = {word.partition("=")[0]: int(word.partition("=")[2]) for word in pairs}
        dims["resolution"] = dims.pop("res")
        with torch.device("meta"):
            net = make_net(NetConfig(archi=archi, **dims))
        made = {
            (f"{net_name}.npy", file_key(name)): to_file_layout(
                np.broadcast_to(False, tuple(value.shape))
            ).shape
            for net_name, part in net.named_children()
            for name, value in part.state_dict().items()
        }
        assert made == {(row["file"], row["key"]): tuple(row["shape"]) for row in rows}, title


@pytest.mark.parametrize(
    ("archi", "millions"),
    [
        ("df", 57.5),
        ("df-d", 54.5),
        ("df-ud", 54.5),
        ("df-t", 90.8),
        ("df-dt", 87.7),
        ("liae", 95.0),
        ("liae-d", 82.4),
        ("liae-ud", 82.4),
        ("liae-t", 90.1),
        ("liae-dt", 77.5),
    ],
)
def test_nets_are_as_large_as_the_originals(archi, millions):
    with torch.device("meta"):
        net = make_net(NetConfig(archi=archi))
    count = sum(value.numel() for value in net.parameters())
    assert round(count / 1e6, 1) == millions


@pytest.mark.parametrize("archi", ARCHIS)
def test_every_architecture_makes_faces_learns_and_comes_back_from_its_files(archi, tmp_path):
    net = some_net(archi)
    faces = some_faces(2)
    swap, mask, target_mask = net(faces)
    assert swap.shape == faces.shape
    assert mask.shape == target_mask.shape == (2, 1, 32, 32)
    (swap.mean() + mask.mean() + target_mask.mean()).backward()
    used = {name for name, value in net.named_parameters() if value.grad is not None}
    face_of_target = {
        name
        for name, _ in net.named_parameters()
        if name.startswith("decoder_dst.") and "upscalem" not in name and "convm" not in name
    }
    assert used == {name for name, _ in net.named_parameters()} - face_of_target

    save_model(net, tmp_path / "a_SAEHD")
    other = build_net(small(archi))
    load_model(other, tmp_path / "a_SAEHD")
    for name, value in net.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name


@pytest.mark.parametrize("archi", ["df-ud", "liae-t"])
@torch.no_grad()
def test_a_batch_is_its_faces_one_by_one(archi):
    net, faces = some_net(archi), some_faces(3)
    together = net(faces)
    for number in range(3):
        alone = net(faces[number : number + 1])
        for one, many in zip(alone, together, strict=True):
            torch.testing.assert_close(one[0], many[number], rtol=0, atol=1e-6)


@torch.no_grad()
def test_codes_of_liae_hold_the_common_half_on_the_right():
    net = some_net("liae-ud")
    assert isinstance(net, TwoInters)
    encoded = net.encoder(some_faces(1))
    common, own = net.inter_AB(encoded), net.inter_B(encoded)
    assert torch.equal(net.source_code(encoded), torch.cat([common, common], 1))
    assert torch.equal(net.target_code(encoded), torch.cat([own, common], 1))
    for code, alone in zip(
        net.both_codes(encoded), (net.source_code(encoded), net.target_code(encoded)), strict=True
    ):
        assert torch.equal(code, alone)


@pytest.mark.slow
@pytest.mark.parametrize("archi", ["df-ud", "liae-udtc"])
@torch.no_grad()
def test_a_compiled_net_is_one_graph_and_gives_the_same(archi):
    net, faces = some_net(archi), some_faces(2)
    compiled = torch.compile(net, backend="aot_eager", fullgraph=True)
    for one, other in zip(compiled(faces), net(faces), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


@pytest.mark.parametrize("archi", ["df-ud", "liae-utc"])
def test_half_precision_stays_near_and_its_results_are_float32(archi):
    net, faces = some_net(archi), some_faces(1)
    with torch.autocast("cpu", torch.bfloat16):
        rough = net(faces)
    for one, other in zip(rough, net(faces), strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, other, rtol=0, atol=0.02)


def test_a_net_can_be_copied():
    net = some_net("liae-udc")
    other = copy.deepcopy(net)
    assert torch.equal(other(some_faces(1))[0], net(some_faces(1))[0])


@pytest.mark.slow
@torch.no_grad()
def test_an_exported_net_gives_the_same_for_any_batch(tmp_path):
    net = some_net("df-udt").eval()
    path: Path = tmp_path / "net.onnx"
    names = ("swap", "swap_mask", "target_mask")
    batch = {0: "batch"}
    plan = ExportPlan(
        module=net,
        inputs=(some_faces(2),),
        input_names=("face",),
        output_names=names,
        dynamic={"face": batch},
    )
    export_onnx(plan, path)
    session = open_session(path)
    for count in (1, 3):
        faces = some_faces(count)
        for one, other in zip(session.run(names, {"face": faces.numpy()}), net(faces), strict=True):
            np.testing.assert_allclose(one, other.numpy(), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("archi", "family", "letters"),
    [
        ("df", "df", ""),
        ("LIAE-UD", "liae", "ud"),
        ("df-ttc", "df", "tc"),
        ("liae-ctdu", "liae", "udtc"),
    ],
)
def test_an_architecture_is_a_family_and_letters_in_any_order(archi, family, letters):
    found, flags = parse_archi(archi)
    assert (found, flags.letters) == (family, letters)


@pytest.mark.parametrize("archi", ["", "df-", "dfhd", "liae-x", "df-u-d", "df-u\n", "liaeud"])
def test_other_architectures_are_refused_in_a_sentence(archi):
    with pytest.raises(ConfigError) as caught:
        NetConfig(archi=archi)
    assert str(caught.value) == (
        f"archi '{archi}': must be df or liae, then perhaps '-' and letters of u, d, t, c, "
        "such as liae-ud"
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"resolution": 100, "archi": "df"},
            "resolution 100: must be a multiple of 16, such as 96 or 112",
        ),
        (
            {"resolution": 112, "archi": "df-ut"},
            "resolution 112: must be a multiple of 32 (the net has the flags ut), "
            "such as 96 or 128",
        ),
        (
            {"resolution": 8, "archi": "liae-d"},
            "resolution 8: must be a multiple of 32 (the net has the flags d), such as 32",
        ),
        (
            {"ae_dims": 0, "e_dims": -1},
            "ae_dims 0: must be at least 1\n       e_dims -1: must be at least 1",
        ),
    ],
)
def test_sizes_that_no_net_has_are_refused(options, told):
    with pytest.raises(ConfigError) as caught:
        NetConfig(**options)
    assert str(caught.value) == told


@given(
    st.integers(1, 200),
    st.sampled_from(ARCHIS),
    st.lists(st.integers(1, 6), min_size=4, max_size=4),
)
@torch.no_grad()
def test_what_is_accepted_can_be_built_and_run(resolution, archi, dims):
    names = ("ae_dims", "e_dims", "d_dims", "d_mask_dims")
    try:
        config = NetConfig(
            resolution=resolution, archi=archi, **dict(zip(names, dims, strict=True))
        )
    except ConfigError:
        assert resolution % 32 or not resolution
        return
    with torch.device("meta"):  # shapes without arithmetic
        made = make_net(config)(torch.empty(2, 3, resolution, resolution))
    assert [tuple(each.shape) for each in made] == [
        (2, channels, resolution, resolution) for channels in (3, 1, 1)
    ]
