"""Discriminators against DeepFaceLab's: layers for every size, and reference outputs."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from mien.errors import ConfigError
from mien.nets.dflfiles import file_key, to_file_layout
from mien.nets.discriminators import (
    CodeDiscriminator,
    PatchDiscriminator,
    UNetDiscriminator,
    check_unet,
    patch_layers,
    unet_strides,
)
from mien.testing.dfl import fill
from mien.testing.golden import from_net, to_net

TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def sheet(shared):
    return json.loads(shared("spec/dfl-weights.json").read_text())


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def shapes(net):
    return {
        file_key(name): to_file_layout(np.broadcast_to(False, tuple(value.shape))).shape
        for name, value in net.state_dict().items()
    }


def test_the_u_nets_strides_are_those_of_the_table(sheet):
    rows = sheet["unet_discriminator_strides_by_patch"]
    assert rows[0]["patch_from"] == 1
    assert rows[-1]["patch_to"] == 640
    for row in rows:
        for patch in range(row["patch_from"], row["patch_to"] + 1):
            assert list(unet_strides(patch)) == row["strides"], patch


def test_the_patch_discriminators_layers_are_those_of_the_table(sheet):
    for patch, row in sheet["patch_discriminator_by_patch"].items():
        base, layers = patch_layers(int(patch))
        assert (base, [list(each) for each in layers]) == (row["base_ch"], row["kernels_strides"])


@pytest.mark.parametrize("patch", [0, 47])
def test_other_patches_have_no_table(patch):
    with pytest.raises(ConfigError, match=f"^patch size {patch}: must be 1 to 46 pixels$"):
        patch_layers(patch)


def test_every_tensor_has_its_name_and_shape(sheet):
    made = 0
    for title, rows in sheet["configs"].items():
        numbers = [int(word.partition("=")[2]) for word in title.split() if "=" in word]
        with torch.device("meta"):
            if title.startswith("UNet"):
                net = UNetDiscriminator(numbers[0], numbers[1])
            elif title.startswith("Patch"):
                net = PatchDiscriminator(numbers[0])
            elif title.startswith("Code"):
                net = CodeDiscriminator(numbers[1], numbers[0])
            else:
                continue
        made += 1
        assert shapes(net) == {row["key"]: tuple(row["shape"]) for row in rows}, title
    assert made == 13


@torch.no_grad()
def test_the_u_net_gives_the_reference_values(shared):
    golden = np.load(shared("golden/dfl/unet_discriminator.npz"))
    for number, case in enumerate(json.loads(str(golden["config"]))["cases"]):
        net = UNetDiscriminator(case["patch_size"], case["base_ch"])
        assert list(net.strides) == case["strides"]
        fill("GAN", net)
        center, out = net(to_net(golden[f"in_{number}"]))
        np.testing.assert_allclose(
            from_net(center), golden[f"center_{number}"], rtol=0, atol=TOLERANCE
        )
        np.testing.assert_allclose(from_net(out), golden[f"out_{number}"], rtol=0, atol=TOLERANCE)


@torch.no_grad()
def test_the_patch_discriminator_gives_the_reference_values(shared):
    golden = np.load(shared("golden/dfl/patch_discriminator.npz"))
    for number, case in enumerate(json.loads(str(golden["config"]))["cases"]):
        net = PatchDiscriminator(case["patch_size"], case["base_ch"])
        fill("D", net)
        out = net(to_net(golden["in"]))
        np.testing.assert_allclose(from_net(out), golden[f"out_{number}"], rtol=0, atol=TOLERANCE)


@torch.no_grad()
def test_the_code_discriminator_gives_the_reference_values(shared):
    golden = np.load(shared("golden/dfl/code_discriminator.npz"))
    for number, case in enumerate(json.loads(str(golden["config"]))["cases"]):
        net = CodeDiscriminator(case["in_ch"], case["code_res"], case["ch"])
        fill("code_discriminator", net)
        out = net(to_net(golden[f"in_{number}"]))
        np.testing.assert_allclose(from_net(out), golden[f"out_{number}"], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(("side", "wanted"), [(4, 3), (8, 3), (16, 3), (32, 2)])
@torch.no_grad()
def test_codes_of_every_side_are_judged_at_a_small_grid(side, wanted):
    net = CodeDiscriminator(2, side, 2)
    assert net(torch.rand(1, 2, side, side)).shape == (1, 1, wanted, wanted)


def test_a_picture_that_the_u_net_cannot_halve_often_enough_is_told_before():
    check_unet(62, 96)
    check_unet(16, 64)
    with pytest.raises(ConfigError) as caught:
        check_unet(128, 96)
    assert str(caught.value) == (
        "gan_patch_size 128: its net makes pictures 64 times smaller, which 96 pixels cannot be "
        "divided by; the nearest that can is 125"
    )


@pytest.mark.parametrize("resolution", [64, 80, 96, 224])
def test_the_sizes_that_it_names_are_legal(resolution):
    for patch in range(3, 641, 5):
        try:
            check_unet(patch, resolution)
        except ConfigError as error:
            named = str(error).rpartition(" can is ")[2].split(" or ")
            assert named
            for size in named:
                check_unet(int(size), resolution)


def test_logits_stay_float32_where_the_rest_is_smaller():
    net, picture = UNetDiscriminator(8, 4), torch.rand(1, 3, 32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        center, out = net(picture)
    assert (center.dtype, out.dtype) == (torch.float32, torch.float32)
    assert out.shape == (1, 1, 32, 32)
