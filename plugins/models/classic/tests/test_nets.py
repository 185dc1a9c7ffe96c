"""Every net by the original's names and shapes, its way through, and its first weights."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from mien.errors import ConfigError
from mien.nets.fsblocks import BatchNorm, Residual
from mien.nets.fsinitial import build
from mien.nets.fsnames import layers_of, shapes_of
from mien.nets.fsnets import PeopleNet, SwapNet
from mien.options import parse
from mien.training.learning.people_options import PeopleOptions
from mien_models_classic import MODELS
from mien_models_classic.config import CONFIGS, RealfaceConfig, config_of
from mien_models_classic.net import make_net

OPTIONS = {name: options for name, options, _ in MODELS}

BUILDS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "lightweight": ("lightweight", {}),
    "iae": ("iae", {}),
    "dfl_h128": ("dfl-h128", {}),
    "dfl_h128_lowmem": ("dfl-h128", {"lowmem": True}),
    "dfl_sae_df": ("dfl-sae", {}),
    "dfl_sae_df_multiscale": ("dfl-sae", {"multiscale_decoder": True}),
    "dfl_sae_liae": ("dfl-sae", {"architecture": "liae"}),
    "dfl_sae_liae_multiscale": (
        "dfl-sae",
        {"architecture": "liae", "multiscale_decoder": True},
    ),
    "dlight_best_good_128": ("dlight", {"output_size": 128}),
    "dlight_best_good_256": ("dlight", {}),
    "dlight_best_good_384": ("dlight", {"output_size": 384}),
    "dlight_best_fast_256": ("dlight", {"details": "fast"}),
    "dlight_fair_good_256": ("dlight", {"features": "fair"}),
    "dlight_fair_fast_256": ("dlight", {"features": "fair", "details": "fast"}),
    "dlight_lowmem_good_256": ("dlight", {"features": "lowmem"}),
    "dlight_lowmem_fast_256": ("dlight", {"features": "lowmem", "details": "fast"}),
    "villain": ("villain", {}),
    "villain_lowmem": ("villain", {"lowmem": True}),
    "unbalanced": ("unbalanced", {}),
    "unbalanced_64": ("unbalanced", {"input_size": 64}),
    "unbalanced_256": ("unbalanced", {"input_size": 256}),
    "unbalanced_lowmem": ("unbalanced", {"lowmem": True}),
    "realface": ("realface", {}),
    "realface_in128_out256": ("realface", {"input_size": 128, "output_size": 256}),
    "realface_in64_out64": ("realface", {"output_size": 64}),
    "realface_in96_out160": ("realface", {"input_size": 96, "output_size": 160}),
}
PARAMS = {
    "lightweight": (51_066_374, 72_313_608),
    "iae": (117_816_003, 142_888_964),
    "dfl_h128": (107_716_102, 138_400_520),
    "dfl_h128_lowmem": (48_244_102, 55_918_600),
    "dfl_sae_df": (130_008_718, 137_476_404),
    "dfl_sae_liae": (121_746_593, 128_577_012),
    "dlight_best_good_256": (143_614_006, 148_523_528),
    "dlight_best_fast_256": (163_706_006, 168_615_528),
    "villain": (155_115_014, 185_799_432),
    "villain_lowmem": (118_660_614, 149_345_032),
    "unbalanced": (207_046_186, 247_538_316),
    "unbalanced_lowmem": (107_962_506, 127_178_252),
    "realface": (238_241_676, 268_800_878),
}
SMALL: Mapping[str, dict[str, Any]] = {
    "lightweight": {"width": 0.0625},
    "iae": {"width": 0.0625},
    "dfl-h128": {"width": 0.0625, "lowmem": True},
    "dfl-sae": {
        "input_size": 64,
        "autoencoder_dims": 32,
        "encoder_dims": 21,
        "decoder_dims": 10,
        "multiscale_decoder": True,
    },
    "dlight": {"width": 0.0625, "output_size": 128},
    "villain": {"width": 0.0625, "lowmem": True},
    "unbalanced": {"width": 0.0625, "input_size": 64},
    "realface": {"width": 0.0625, "output_size": 64},
}


def chosen(name: str, values: Mapping[str, Any], **more: Any) -> PeopleOptions:
    return parse(OPTIONS[name], {**values, **more})


def meta(name: str, values: Mapping[str, Any], **more: Any) -> PeopleNet:
    """The net, without memory behind its weights."""
    with torch.device("meta"):
        return make_net(name, config_of(chosen(name, values, **more)))


def drawn(name: str, values: Mapping[str, Any], **more: Any) -> PeopleNet:
    config = config_of(chosen(name, values, **more))
    return build(lambda: make_net(name, config), torch.Generator().manual_seed(1))


@functools.cache
def sheets(path: Path) -> Any:
    return json.loads(path.read_text())["models"]


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("name", PARAMS)
def test_a_net_has_as_many_weights_as_the_original(name: str, mask: bool) -> None:
    net = meta(*BUILDS[name], learn_mask=mask)
    assert sum(value.numel() for value in net.state_dict().values()) == PARAMS[name][mask]


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("name", BUILDS)
def test_layers_have_the_names_and_shapes_of_the_published_files(
    shared: Callable[[str], Path], name: str, mask: bool
) -> None:
    sheet = sheets(shared("spec/faceswap-weights.json"))[name + "+mask" * mask]
    wanted = {
        f"{part['name']}/{layer['name']}": [tuple(shape) for _, shape, *_ in layer["weights"]]
        for part in sheet["submodels"]
        for layer in part["layers"]
        if "weights" in layer
    }
    assert shapes_of(meta(*BUILDS[name], learn_mask=mask)) == wanted


@pytest.mark.parametrize("name", BUILDS)
def test_first_weights_are_drawn_as_the_original_draws_them(
    shared: Callable[[str], Path], name: str
) -> None:
    kinds = {"HeU": "he", "Glo": "glorot", "Ran": "normal", "Var": "scaled"}
    sheet = sheets(shared("spec/faceswap-weights.json"))[f"{name}+mask"]
    wanted = {
        layer["name"]: kinds[layer["init"][:3]]
        for part in sheet["submodels"]
        for layer in part["layers"]
        if "init" in layer
    }
    net = meta(*BUILDS[name], learn_mask=True)
    seen = {}
    for layer in layers_of(net):
        module = net.get_submodule(layer.ours)
        for each in (
            module,
            getattr(module, "depthwise", None),
            getattr(module, "pointwise", None),
        ):
            if hasattr(each, "init"):
                seen[layer.theirs] = each.init
    assert seen == wanted


def test_every_layer_of_a_net_has_a_name() -> None:
    for name, values in SMALL.items():
        net = meta(name, values, learn_mask=True)
        named = {layer.ours for layer in layers_of(net)}
        for path, module in net.named_modules():
            if list(module.parameters(recurse=False)):
                assert path in named or path.rpartition(".")[0] in named, (name, path)


@pytest.mark.parametrize("name", SMALL)
def test_faces_and_masks_have_their_sizes(name: str) -> None:
    config = config_of(chosen(name, SMALL[name], learn_mask=True))
    net = drawn(name, SMALL[name], learn_mask=True)
    face = torch.rand(2, 3, config.seen, config.seen, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        encoded = net.encoder(face)
        for decoder, code in (
            (net.source_decoder, net.source_code(encoded)),
            (net.target_decoder, net.target_code(encoded)),
        ):
            faces, mask = decoder(code)
            assert [tuple(made.shape) for made in faces] == [
                (2, 3, size, size) for size in config.sizes
            ]
            assert mask is not None
            assert mask.shape == (2, 1, config.size, config.size)
            for made in (*faces, mask):
                assert bool(made.isfinite().all())
                assert 0 <= float(made.min()) <= float(made.max()) <= 1


@pytest.mark.parametrize("architecture", ["df", "liae"])
def test_the_swap_is_the_sources_face_on_the_targets_code(architecture: str) -> None:
    net = drawn("dfl-sae", SMALL["dfl-sae"], architecture=architecture)
    face = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        (swap,) = SwapNet(net, 64, 64)(face)
        encoded = net.encoder(face)
        torch.testing.assert_close(swap, net.source_decoder(net.source_code(encoded))[0][-1])
        own = net.target_decoder(net.target_code(encoded))[0][-1]
    assert float((swap - own).abs().max()) > 1e-4


@pytest.mark.parametrize(
    ("seen", "made", "start"),
    [
        (64, 128, (4, 5)),
        (128, 128, (8, 4)),
        (64, 64, (4, 4)),
        (96, 160, (5, 5)),
        (128, 256, (8, 5)),
    ],
)
def test_realface_begins_with_the_map_that_is_nearest_to_the_encoders(
    seen: int, made: int, start: tuple[int, int]
) -> None:
    config = config_of(chosen("realface", {"input_size": seen, "output_size": made}))
    assert isinstance(config, RealfaceConfig)
    assert config.start == start
    assert start[0] << start[1] == made


def test_realface_makes_no_less_than_it_sees() -> None:
    with pytest.raises(ConfigError, match="output_size 64: must be at least input_size 96"):
        config_of(chosen("realface", {"input_size": 96, "output_size": 64}))


@pytest.mark.parametrize("size", [80, 112, 208])
def test_dfl_sae_is_built_for_every_multiple_of_16(size: int) -> None:
    values = {**SMALL["dfl-sae"], "input_size": size}
    net = drawn("dfl-sae", values)
    with torch.inference_mode():
        faces, _ = net.source_decoder(net.source_code(net.encoder(torch.rand(1, 3, size, size))))
    assert [made.shape[-1] for made in faces] == [size // 4, size // 2, size]


def test_every_models_options_have_a_net() -> None:
    assert set(CONFIGS) == set(OPTIONS.values())
    assert len(OPTIONS) == 8


def test_the_second_half_of_a_residual_block_begins_small() -> None:
    net = drawn("villain", {"width": 0.25, "lowmem": True})
    block = next(part for part in net.encoder.modules() if isinstance(part, Residual))
    first, second = block.conv1.weight.detach(), block.conv2.weight.detach()
    assert float(first.std()) == pytest.approx(0.02, rel=0.05)
    bound = (0.6 / second[0].numel()) ** 0.5
    assert 0.97 * bound < float(second.abs().max()) <= bound


def test_a_batch_norm_learns_the_batch_and_then_stands_for_it() -> None:
    norm = BatchNorm(3)
    seen = torch.rand(8, 3, 5, 5, generator=torch.Generator().manual_seed(0)) * 2 + 1
    with torch.no_grad():
        made = norm(seen)
        torch.testing.assert_close(made.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
        for _ in range(1500):
            norm(seen)
        torch.testing.assert_close(norm.mean, seen.mean((0, 2, 3)), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(norm.eval()(seen), made, rtol=1e-3, atol=1e-3)
