"""The graphs: reference outputs of the original nets, and the names of their files."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mien.errors import WeightsError  # noqa: E402
from mien.testing.nets import golden_state  # noqa: E402
from mien_fan.files import (  # noqa: E402
    from_deepfacelab,
    load_fan,
    load_hrnet,
    to_deepfacelab,
    to_faceswap,
    to_own_names,
)
from mien_fan.hrnet import HrNet  # noqa: E402
from mien_fan.net import Fan  # noqa: E402
from mien_fan.stage import _MIRRORED  # noqa: E402

# Relative to the largest value of a tensor; the references were computed in another order of sums.
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def fan() -> Fan:
    net = Fan()
    net.load_state_dict(golden_state(net, gain=0.4))
    return net.eval()


def picture(golden: Any) -> Any:
    chw = np.ascontiguousarray(golden["input_rgb"].transpose(2, 0, 1))
    return torch.from_numpy(chw)[None].float() / 255


def assert_close(got: Any, wanted: Any, scale: float) -> None:
    np.testing.assert_allclose(got / scale, wanted / scale, atol=TOLERANCE)


@pytest.mark.slow
def test_fan_gives_the_maps_of_the_original(fan: Fan, shared: Callable[[str], Path]) -> None:
    with (
        np.load(shared("golden/nets/fan4_net_256.npz"), allow_pickle=False) as golden,
        torch.no_grad(),
    ):
        image = picture(golden)
        stacks = [each.numpy() for each in fan.all_maps(torch.cat([image, image.flip(3)]))]
        for number, maps in enumerate(stacks):
            assert_close(maps[0][:, ::8, ::8], golden[f"hm{number}"], np.abs(maps).max())
        last, mirrored = stacks[3]
        both = last + mirrored[_MIRRORED, :, ::-1]
        assert_close(both[:, ::8, ::8], golden["flip_sum"], np.abs(both).max())
        same = last.reshape(68, -1).argmax(axis=1) == golden["argmax_last"]
        assert same.mean() > 0.97  # cells that tie may change places


@pytest.mark.slow
def test_hrnet_gives_the_maps_of_the_original(shared: Callable[[str], Path]) -> None:
    net = HrNet()
    net.load_state_dict(golden_state(net, gain=0.45))
    golden_file = shared("golden/nets/faceswap_hrnet_net_256.npz")
    with np.load(golden_file, allow_pickle=False) as golden, torch.no_grad():
        maps = net.eval()(picture(golden))[0].numpy()
        assert_close(maps[:, ::8, ::8], golden["hm"], np.abs(maps).max())


@pytest.mark.parametrize(("name", "net"), [("fan4", Fan), ("faceswap_hrnet", HrNet)])
def test_keys_and_shapes_are_those_of_the_published_files(
    name: str, net: type, shared: Callable[[str], Path]
) -> None:
    listed = json.loads(shared("spec/nets-weights.json").read_text(encoding="utf-8"))["nets"]
    wanted = {key: tuple(shape) for key, shape, _ in listed[name]["keys"]}
    assert {key: tuple(each.shape) for key, each in net().state_dict().items()} == wanted


def test_faceswaps_names_are_those_of_its_file(fan: Fan, shared: Callable[[str], Path]) -> None:
    listed = json.loads(shared("spec/nets-weights.json").read_text(encoding="utf-8"))["nets"]
    theirs = {to_faceswap(key) for key in fan.state_dict()}
    assert theirs == {key for key, *_ in listed["faceswap_fan"]["keys"]}


@pytest.mark.parametrize("rename", [to_faceswap, lambda key: f"module.{key}"])
def test_a_file_under_other_names_gives_the_same_net(
    rename: Callable[[str], str], tmp_path: Path
) -> None:
    net = Fan(2)
    path = tmp_path / "fan.pth"
    torch.save({rename(key): value for key, value in net.state_dict().items()}, path)
    loaded = load_fan(path, 2).state_dict()
    assert all(torch.equal(value, loaded[key]) for key, value in net.state_dict().items())


def test_deepfacelabs_names_and_layouts_come_and_go() -> None:
    state = {key: value.numpy() for key, value in Fan(2).state_dict().items()}
    theirs = to_deepfacelab(state)
    assert theirs["conv1/weight:0"].shape == (7, 7, 3, 64)
    assert "m_0/b2_plus/b2_plus/b2_plus/b2_plus/bn1/weight:0" in theirs
    assert "m_1/b2_plus/b1/conv2/weight:0" in theirs
    assert "conv2/down_conv1/weight:0" in theirs
    assert "top_m_1/bn3/running_var:0" in theirs
    back = from_deepfacelab(theirs)
    assert {key for key in state if not key.endswith("num_batches_tracked")} == set(back)
    assert all(np.array_equal(back[key], state[key]) for key in back)


def test_deepfacelabs_file_gives_the_same_net(tmp_path: Path) -> None:
    net = Fan(1)
    state = {key: value.numpy() for key, value in net.state_dict().items()}
    path = tmp_path / "2DFAN.npy"
    path.write_bytes(pickle.dumps(to_deepfacelab(state), protocol=4))
    loaded = load_fan(path, 1).state_dict()
    assert all(np.array_equal(loaded[key].numpy(), value) for key, value in state.items())


class Hostile:
    """What must never run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle was obeyed",))


@pytest.mark.parametrize("name", ["2DFAN.npy", "2DFAN4-11f355bf06.pth.tar"])
def test_a_hostile_pickle_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(pickle.dumps({"conv1/weight:0": Hostile()}, protocol=4))
    with pytest.raises(WeightsError, match=name):
        load_fan(path, 4)


def test_deepfacelabs_vectors_may_come_with_axes_of_one() -> None:
    value = np.arange(4.0, dtype=np.float32)
    given = {"bn1/weight:0": value.reshape(1, 1, 1, 4), "conv1/bias:0": value.reshape(1, 1, 1, 4)}
    for own in to_own_names(given).values():
        np.testing.assert_array_equal(own, value)


def test_fewer_stacks_give_the_maps_of_an_earlier_stack(tmp_path: Path) -> None:
    net = Fan(2).eval()
    path = tmp_path / "fan.pth"
    torch.save(net.state_dict(), path)
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(load_fan(path, 1)(image), net.all_maps(image)[0])


def test_a_file_with_too_few_stacks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "small.pth"
    torch.save(Fan(1).state_dict(), path)
    with pytest.raises(WeightsError, match=r"small\.pth: holds 1 stacks, 4 are asked for"):
        load_fan(path, 4)


def test_missing_and_misshapen_tensors_are_named(tmp_path: Path) -> None:
    state = Fan(1).state_dict()
    del state["m0.b1_4.bn1.weight"]
    state["l0.weight"] = torch.zeros(98, 256, 1, 1)
    path = tmp_path / "odd.pth"
    torch.save(state, path)
    with pytest.raises(WeightsError, match=r"FAN with 1 stacks: .*m0\.b1_4\.bn1\.weight") as caught:
        load_fan(path, 1)
    assert "l0.weight is (98, 256, 1, 1), must be (68, 256, 1, 1)" in str(caught.value)


@pytest.mark.parametrize("load", [lambda path: load_fan(path, 4), load_hrnet])
def test_another_net_and_no_net_are_refused(load: Callable[[Path], Any], tmp_path: Path) -> None:
    other, broken = tmp_path / "other.pth", tmp_path / "broken.pth"
    torch.save({"linear.weight": torch.zeros(2, 2)}, other)
    broken.write_bytes(b"PK no weights at all")
    for path in (other, broken):
        with pytest.raises(WeightsError, match=path.name):
            load(path)
