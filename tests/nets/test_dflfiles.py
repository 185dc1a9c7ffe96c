"""DeepFaceLab's files: what is written is read, and what cannot be right is said."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mien.errors import InputError, OutputError, WeightsError
from mien.nets.dflfiles import (
    ModelData,
    Slots,
    arrays_of,
    file_key,
    find_models,
    from_file_layout,
    load_model,
    read_data,
    read_slots,
    read_weights,
    save_model,
    to_file_layout,
    write_data,
    write_slots,
    write_weights,
)
from mien.nets.dflpickle import dump
from mien.nets.discriminators import UNetDiscriminator
from mien.weights.pickles import load_path
from torch import nn


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 4, 5), nn.Flatten(), nn.Linear(6, 2))
        self.decoder = nn.ConvTranspose2d(4, 3, 3)


def shapes_of(net: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in net.state_dict().items()}


def put(path: Path, value: Any) -> Path:
    with path.open("wb") as out:
        dump(value, out)
    return path


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("down1.downs.0.conv1.weight", "down1/downs_0/conv1/weight:0"),
        ("upconvs.10.bias", "upconvs_10/bias:0"),
        ("conv01.frn.eps", "conv01/frn/eps:0"),
        ("out_conv1.weight", "out_conv1/weight:0"),
    ],
)
def test_keys_follow_from_attributes(name, key):
    assert file_key(name) == key


def test_files_keep_tensors_as_tensorflow_does(tmp_path):
    net = Tiny()
    assert [path.name for path in save_model(net, tmp_path / "anna_SAEHD")] == [
        "anna_SAEHD_encoder.npy",
        "anna_SAEHD_decoder.npy",
    ]
    encoder = load_path(tmp_path / "anna_SAEHD_encoder.npy")
    decoder = load_path(tmp_path / "anna_SAEHD_decoder.npy")
    assert {key: value.shape for key, value in encoder.items()} == {
        "0/weight:0": (5, 5, 3, 4),
        "0/bias:0": (4,),
        "2/weight:0": (6, 2),
        "2/bias:0": (2,),
    }
    assert {key: value.shape for key, value in decoder.items()} == {
        "weight:0": (3, 3, 3, 4),
        "bias:0": (3,),
    }
    weight = net.decoder.weight.detach().numpy()
    assert decoder["weight:0"][2, 1, 0, 3] == weight[3, 0, 2, 1]
    assert all(value.flags.c_contiguous for value in (*encoder.values(), *decoder.values()))


def test_a_model_comes_back_bit_for_bit(tmp_path):
    net, other = Tiny(), Tiny()
    save_model(net, tmp_path / "a_AMP")
    load_model(other, tmp_path / "a_AMP")
    for name, value in net.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4).filter(lambda sides: len(sides) != 3))
def test_layouts_are_each_others_opposite(sides):
    value = np.arange(np.prod(sides)).reshape(sides)
    assert np.array_equal(from_file_layout(to_file_layout(value)), value)
    assert np.array_equal(to_file_layout(from_file_layout(value)), value)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_files_that_python_itself_wrote_are_read(tmp_path, protocol):
    net, other = Tiny(), Tiny()
    for path in save_model(net, tmp_path / "m"):
        plain = {key: np.asfortranarray(value) for key, value in load_path(path).items()}
        path.write_bytes(pickle.dumps(plain, protocol))
    load_model(other, tmp_path / "m")
    for name, value in net.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name


def test_what_else_a_file_holds_is_no_concern(tmp_path):
    net = Tiny()
    tensors = arrays_of(net.state_dict())
    write_weights(tmp_path / "m", {**tensors, "decoder.spare.weight": np.zeros(3, np.float32)})
    load_model(net, tmp_path / "m")


def test_a_net_with_another_name_than_its_file_is_wrapped(tmp_path):
    net = UNetDiscriminator(8, 2)
    wrapped = nn.ModuleDict({"GAN": net})
    save_model(wrapped, tmp_path / "m_SAEHD")
    keys = load_path(tmp_path / "m_SAEHD_GAN.npy").keys()
    assert {"in_conv/weight:0", "upconvs_1/bias:0", "center_out/weight:0"} <= keys
    load_model(wrapped, tmp_path / "m_SAEHD")


def test_missing_and_misshapen_tensors_are_all_named_and_nothing_changes(tmp_path):
    net = Tiny()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    arrays = {
        "0/weight:0": np.zeros((5, 5, 3, 8), np.float32),
        "2/weight:0": np.zeros((2, 6), np.float32),
        "2/bias:0": np.array([1, np.nan], np.float32),
    }
    path = put(tmp_path / "m_encoder.npy", arrays)
    put(tmp_path / "m_decoder.npy", {})
    with pytest.raises(WeightsError) as caught:
        load_model(net, tmp_path / "m")
    assert str(caught.value) == (
        f"{path}: not the weights of this net: lacks 0/bias:0; "
        "0/weight:0 is (5, 5, 3, 8), must be (5, 5, 3, 4), "
        "2/weight:0 is (2, 6), must be (6, 2), 2/bias:0 holds no numbers"
    )
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_long_list_of_missing_tensors_is_cut(tmp_path):
    put(tmp_path / "m_encoder.npy", {})
    with pytest.raises(WeightsError, match=r"lacks 0/weight:0, 0/bias:0, 2/weight:0 and 1 more$"):
        load_model(Tiny(), tmp_path / "m")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(WeightsError, match=r"m_encoder.npy: cannot be read \(no such file"):
        load_model(Tiny(), tmp_path / "m")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "damaged at byte 0: ends too early"),
        (b"\x93NUMPY\x01\x00", "damaged at byte 1"),
        (b"\x80\x04]\x94.", "holds a list instead of named tensors"),
        (
            b"cos\nsystem\n(S'true'\ntR.",
            "refused, it asks for os.system, which no plain data needs",
        ),
    ],
)
def test_a_file_of_something_else(tmp_path, data, told):
    (tmp_path / "m_encoder.npy").write_bytes(data)
    with pytest.raises(WeightsError, match=told):
        read_weights(tmp_path / "m", {"encoder.bias": (1,)})


def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path):
    net = nn.ModuleDict({"encoder": nn.Linear(2, 3)})
    (path,) = save_model(net, tmp_path / "m")
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(WeightsError):
            load_model(net, tmp_path / "m")


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        save_model(Tiny(), tmp_path / "file" / "m")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("kinds", [("acc",), ("ms", "vs")])
def test_the_state_of_an_optimiser_comes_back(tmp_path, kinds):
    shapes = shapes_of(Tiny())
    rng = np.random.default_rng(0)
    values = {
        kind: {name: rng.random(shape, np.float32) for name, shape in shapes.items()}
        for kind in kinds
    }
    path = write_slots(tmp_path / "opt.npy", Slots(iterations=1 << 33, values=values))
    read = read_slots(path, shapes)
    assert read.iterations == 1 << 33
    assert read.values.keys() == set(kinds)
    for kind, named in values.items():
        for name, value in named.items():
            assert np.array_equal(read.values[kind][name], value)


def test_slots_have_deepfacelabs_names_and_order(tmp_path, shared):
    import json

    rows = json.loads(shared("spec/dfl-weights.json").read_text())["optimizers"]
    rows = rows["SAEHD GAN_opt.npy"]
    net = nn.ModuleDict({"D_src": UNetDiscriminator(16, 16)})
    named = arrays_of(net.state_dict())
    write_slots(tmp_path / "GAN_opt.npy", Slots(iterations=3, values={"ms": named, "vs": named}))
    found = load_path(tmp_path / "GAN_opt.npy")
    assert [(key, np.shape(value)) for key, value in found.items()] == [
        (row["key"], tuple(row["shape"])) for row in rows
    ]
    assert type(found["iters:0"]) is np.int64


def test_a_state_that_lacks_a_slot_is_refused(tmp_path):
    shapes = {"net.a": (2,), "net.b": (3,)}
    half = Slots(iterations=1, values={"ms": {"net.a": np.zeros(2, np.float32)}, "vs": {}})
    path = write_slots(tmp_path / "opt.npy", half)
    with pytest.raises(WeightsError) as caught:
        read_slots(path, shapes)
    assert str(caught.value) == (
        f"{path}: not the weights of this net: lacks ms_net/b_0:0, vs_net/a_0:0, vs_net/b_0:0"
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"acc_net/a_0:0": np.zeros(2, np.float32)}, "'iters:0' is no count"),
        ({"iters:0": np.float32(1)}, "'iters:0' is no count"),
        ({"iters:0": np.int64(1)}, "holds no slots of RMSprop"),
    ],
)
def test_a_file_that_is_no_state_of_an_optimiser(tmp_path, content, told):
    with pytest.raises(WeightsError, match=told):
        read_slots(put(tmp_path / "opt.npy", content), {"net.a": (2,)})


def test_what_a_model_remembers_comes_back(tmp_path):
    samples = [[np.zeros((1, 3, 2, 2), np.float32)] * 4] * 2
    data = ModelData(
        iterations=1234,
        options={"archi": "df-ud", "resolution": 128, "gan_power": 0.1, "adabelief": True},
        losses=np.array([[0.5, 0.25], [0.125, 0.1]]),
        samples=samples,
    )
    read = read_data(write_data(tmp_path / "a_SAEHD_data.dat", data))
    assert (read.iterations, read.options) == (1234, data.options)
    assert np.array_equal(read.losses, data.losses)
    assert [[each.shape for each in side] for side in read.samples] == [[(1, 3, 2, 2)] * 4] * 2


def test_numbers_of_numpy_become_plain(tmp_path):
    path = put(
        tmp_path / "a_SAEHD_data.dat",
        {
            "iter": np.int64(5),
            "options": {"batch_size": np.int64(4), "gan_power": np.float64(0.5)},
            "loss_history": [[0.5]],
            "sample_for_preview": None,
        },
    )
    read = read_data(path)
    assert type(read.iterations) is int
    assert {name: type(value) for name, value in read.options.items()} == {
        "batch_size": int,
        "gan_power": float,
    }
    assert read.losses.shape == (1, 1)
    assert read.samples is None


def test_a_new_model_has_no_losses(tmp_path):
    path = put(tmp_path / "x.dat", {"iter": 0, "options": {}, "loss_history": []})
    assert read_data(path).losses.shape == (0, 2)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ([], "is no data of a model: it has no options"),
        ({"iter": 3}, "is no data of a model: it has no options"),
        ({"iter": -1, "options": {}}, "is no data of a model: 'iter' is no count"),
        ({"iter": True, "options": {}}, "is no data of a model: 'iter' is no count"),
        ({"iter": 1, "options": {"a": [1]}}, "option 'a' is neither number nor text"),
        ({"iter": 1, "options": {}, "loss_history": [[1], [1, 2]]}, "are no rows of numbers"),
        ({"iter": 1, "options": {}, "loss_history": [1.0]}, "are no rows of numbers"),
        ({"iter": 1, "options": {}, "loss_history": [[10**400]]}, "are no rows of numbers"),
    ],
)
def test_a_file_that_is_no_data_of_a_model(tmp_path, content, told):
    with pytest.raises(InputError, match=told):
        read_data(put(tmp_path / "a_SAEHD_data.dat", content))


def test_models_of_a_folder_are_found_the_newest_first(tmp_path):
    for age, name in enumerate(["old_SAEHD", "new one_AMP", "XSeg", "my_best_Quick96", "b_Other"]):
        path = tmp_path / f"{name}_data.dat"
        path.touch()
        os.utime(path, (1000 - age, 1000 - age))
    assert [(m.name, m.kind, m.base.name) for m in find_models(tmp_path)] == [
        ("old", "SAEHD", "old_SAEHD"),
        ("new one", "AMP", "new one_AMP"),
        ("", "XSeg", "XSeg"),
        ("my_best", "Quick96", "my_best_Quick96"),
    ]
