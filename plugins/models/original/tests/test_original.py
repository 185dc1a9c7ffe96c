"""The original model: its size, its arithmetic, its checkpoints; and all that every model owes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mien_model_original
import numpy as np
import pytest
import torch
from mien.errors import InputError
from mien.geometry import make_crop
from mien.nets.fsinitial import build
from mien.nets.fsnets import SwapNet
from mien.testing.fakes import FakeContext, face_at, frames
from mien.testing.models import ModelConformance
from mien.training import checkpoint
from mien.training.base import Side, TrainBatch, TrainerState
from mien_model_original import Options
from mien_model_original.config import NetConfig, config_of
from mien_model_original.files import from_faceswap, to_faceswap
from mien_model_original.net import make_net
from mien_model_original.stage import make_swap
from mien_model_original.trainer import make_trainer

SMALL = Options(size=32, width=0.0625, learn_mask=True)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Tiny tensors lose more by threads than they win."""
    torch.set_num_threads(1)


class TestOriginal(ModelConformance):
    plugin = mien_model_original
    name = "original"
    options = {"size": 32, "width": 0.0625, "learning_rate": 1e-3}  # noqa: RUF012


class TestOriginalWithMasks(ModelConformance):
    plugin = mien_model_original
    name = "original"
    options = {"size": 32, "width": 0.0625, "learn_mask": True, "lowmem": True}  # noqa: RUF012


def shape_of(config: NetConfig) -> dict[str, torch.Tensor]:
    """The weights of a net, without memory behind them."""
    with torch.device("meta"):
        return make_net(config).state_dict()


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (Options(), 82_062_470),
        (Options(lowmem=True), 60_565_126),
        (Options(learn_mask=True), 94_455_560),
        (Options(lowmem=True, learn_mask=True), 72_958_216),
    ],
)
def test_it_has_as_many_weights_as_the_original(options: Options, wanted: int) -> None:
    assert sum(value.numel() for value in shape_of(config_of(options)).values()) == wanted


def random_arrays(config: NetConfig, seed: int = 0) -> dict[str, np.ndarray]:
    """Weights in the layout of faceswap's files."""
    rng = np.random.default_rng(seed)
    own = {n: np.zeros(tuple(v.shape), np.float32) for n, v in shape_of(config).items()}
    return {
        name: (rng.standard_normal(value.shape) * 0.1).astype(np.float32)
        for name, value in to_faceswap(own, config).items()
    }


def conv_same(image: np.ndarray, kernel: np.ndarray, bias: np.ndarray, stride: int) -> np.ndarray:
    """Convolution of (H, W, C) with (kh, kw, I, O), TensorFlow's "same" padding."""
    size, side = kernel.shape[0], image.shape[0]
    total = max(size - stride, 0)
    padded = np.pad(image, ((total // 2, total - total // 2),) * 2 + ((0, 0),))
    out = np.empty((side // stride, side // stride, kernel.shape[3]))
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            seen = padded[y * stride : y * stride + size, x * stride : x * stride + size]
            out[y, x] = np.tensordot(seen, kernel, 3) + bias
    return out


def leaky(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0, values, 0.1 * values)


def spread(values: np.ndarray) -> np.ndarray:
    """Depth to space: channel (i·2 + j)·C + c goes to pixel (2y + i, 2x + j)."""
    height, width, channels = values.shape
    parts = values.reshape(height, width, 2, 2, channels // 4).transpose(0, 2, 1, 3, 4)
    return parts.reshape(height * 2, width * 2, channels // 4)


def reference(arrays: dict[str, np.ndarray], config: NetConfig, face: np.ndarray) -> np.ndarray:
    """faceswap's net, channels last, in numpy: the source's face for one picture (S, S, 3)."""

    def conv(values: np.ndarray, name: str, stride: int = 1) -> np.ndarray:
        return conv_same(values, arrays[f"{name}/kernel"], arrays[f"{name}/bias"], stride)

    def count(number: int) -> str:
        return f"conv2d_{number}" if number else "conv2d"

    values = face
    for number in range(len(config.convs)):
        values = leaky(conv(values, f"encoder/{count(number)}", 2))
    code = values.reshape(-1) @ arrays["encoder/dense/kernel"] + arrays["encoder/dense/bias"]
    code = code @ arrays["encoder/dense_1/kernel"] + arrays["encoder/dense_1/bias"]
    values = code.reshape(config.size // 16, config.size // 16, config.code)
    values = spread(leaky(conv(values, f"encoder/{count(len(config.convs))}")))
    step = 2 if config.learn_mask else 1
    for stage in range(3):
        values = spread(leaky(conv(values, f"decoder_b/{count(stage * step)}")))
    return 1 / (1 + np.exp(-conv(values, f"decoder_b/{count(3 * step)}")))


@pytest.mark.parametrize("change", [{}, {"lowmem": True}, {"learn_mask": False}])
def test_with_faceswaps_weights_it_computes_what_faceswap_does(change: dict[str, bool]) -> None:
    config = config_of(replace(SMALL, **change))
    arrays = random_arrays(config)
    net = build(lambda: make_net(config), None)
    ours = from_faceswap(arrays, config)
    net.load_state_dict({name: torch.from_numpy(value) for name, value in ours.items()})
    face = np.random.default_rng(1).random((config.size, config.size, 3))
    with torch.inference_mode():
        made = SwapNet(net, config.size, config.size)(
            torch.from_numpy(face.transpose(2, 0, 1)[None].astype(np.float32))
        )[0]
    wanted = reference(arrays, config, face)
    assert wanted.std() > 0.01
    np.testing.assert_allclose(made[0].numpy().transpose(1, 2, 0), wanted, atol=2e-6)


def test_weights_go_to_faceswap_and_back_unchanged() -> None:
    config = config_of(SMALL)
    arrays = random_arrays(config)
    again = to_faceswap(from_faceswap(arrays, config), config)
    assert again.keys() == arrays.keys()
    assert all(np.array_equal(again[name], value) for name, value in arrays.items())


def test_weights_of_another_net_are_named() -> None:
    config = config_of(SMALL)
    arrays = random_arrays(config)
    del arrays["decoder_b/conv2d_3/bias"]
    with pytest.raises(InputError, match="the weights hold no 'decoder_b/conv2d_3/bias'"):
        from_faceswap(arrays, config)


@pytest.mark.parametrize(
    ("build_name", "options"),
    [
        ("original", Options()),
        ("original_lowmem", Options(lowmem=True)),
        ("original_lowmem+mask", Options(lowmem=True, learn_mask=True)),
    ],
)
def test_names_and_shapes_are_those_of_the_published_files(
    shared: Callable[[str], Path], build_name: str, options: Options
) -> None:
    builds = json.loads(shared("spec/faceswap-weights.json").read_text())
    sheet = next(
        group[build_name]
        for group in (builds, *(v for v in builds.values() if isinstance(v, dict)))
        if build_name in group
    )
    wanted = {
        f"{part['name']}/{layer['h5'].rpartition('/')[2]}/{name}": tuple(shape)
        for part in sheet["submodels"]
        for layer in part["layers"]
        for name, shape in layer.get("weights", ())
    }
    config = config_of(options)
    empty = {
        name: np.broadcast_to(np.float32(0), tuple(value.shape))
        for name, value in shape_of(config).items()
    }
    seen = {name: value.shape for name, value in to_faceswap(empty, config).items()}
    assert seen == wanted


def test_initial_weights_follow_the_seed_and_the_published_rule() -> None:
    config = config_of(Options(size=32, width=0.125))
    one, same, other = (
        build(lambda: make_net(config), torch.Generator().manual_seed(seed)).state_dict()
        for seed in (1, 1, 2)
    )
    assert all(value.equal(same[name]) for name, value in one.items())
    assert not one["encoder.convs.1.weight"].equal(other["encoder.convs.1.weight"])
    conv = one["encoder.convs.2.weight"]
    bound = (6 / conv[0].numel()) ** 0.5
    assert 0.98 * bound < float(conv.abs().max()) <= bound
    dense = one["encoder.squeeze.weight"]
    bound = (6 / sum(dense.shape)) ** 0.5
    assert 0.98 * bound < float(dense.abs().max()) <= bound
    assert all(not value.any() for name, value in one.items() if name.endswith("bias"))


def batch(size: int, count: int = 4) -> TrainBatch:
    generator = torch.Generator().manual_seed(3)

    def side() -> Side:
        face = torch.rand(count, 3, 1, 1, generator=generator).expand(-1, -1, size, size)
        mask = torch.zeros(count, 1, size, size)
        mask[..., 8:24, 8:24] = 1
        return Side(warped=face, face=face, mask=mask, focus=torch.zeros_like(mask))

    return TrainBatch(source=side(), target=side())


def test_a_learned_mask_becomes_the_mask_it_was_shown() -> None:
    trainer = make_trainer(replace(SMALL, learning_rate=3e-3), FakeContext())
    shown = batch(32)
    for _ in range(60):
        trainer.step(shown)
    (mask, *_) = trainer.preview(shown)["swap mask"]
    assert mask[16, 16].mean() > 0.8
    assert mask[2, 2].mean() < 0.2


def test_the_learning_rate_may_change_when_a_training_goes_on() -> None:
    trainer = make_trainer(SMALL, FakeContext())
    trainer.step(batch(32))
    state = trainer.state()
    kept = TrainerState(
        weights={name: value.clone() for name, value in state.weights.items()},
        optimizer={name: value.clone() for name, value in state.optimizer.items()},
        facts=state.facts,
    )
    still = make_trainer(replace(SMALL, learning_rate=1e-12), FakeContext())
    still.load(kept)
    still.step(batch(32))
    for name, value in still.state().weights.items():
        torch.testing.assert_close(value, kept.weights[name], atol=1e-8, rtol=0)


def saved(folder: Path, options: Options) -> Path:
    trainer = make_trainer(options, FakeContext())
    return checkpoint.save(folder, trainer.state(), 1).folder


def test_the_swap_refuses_a_checkpoint_of_another_shape(tmp_path: Path) -> None:
    generation = saved(tmp_path, SMALL)
    with pytest.raises(InputError) as error:
        make_swap(replace(SMALL, learn_mask=False), FakeContext(), generation)
    assert str(error.value) == (
        f"generation '{generation}': it holds another net: learn_mask is True, the options ask "
        "for False.  Use the options it was begun with, or another folder"
    )


def test_the_swap_refuses_a_checkpoint_that_breaks_off(tmp_path: Path) -> None:
    generation = saved(tmp_path, SMALL)
    path = generation / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"its weights\.safetensors has \d+ bytes, must have"):
        make_swap(SMALL, FakeContext(), generation)


def test_the_exported_net_gives_the_trainers_own_swap(tmp_path: Path) -> None:
    trainer = make_trainer(SMALL, FakeContext())
    generation = checkpoint.save(tmp_path / "m", trainer.state(), 1).folder
    stage = make_swap(SMALL, FakeContext(cache=tmp_path), generation)
    shown = batch(32, 2)
    noise = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(8))
    target = replace(shown.target, warped=noise)
    wanted = trainer.preview(replace(shown, target=target))
    stage.open()
    crops = [
        replace(
            make_crop(frame, face_at(48, 36, 40), stage.spec),
            image=np.ascontiguousarray(picture.permute(1, 2, 0).numpy()),
        )
        for frame, picture in zip(frames(2), noise, strict=True)
    ]
    swaps = stage(crops)
    stage.close()
    for i, swap in enumerate(swaps):
        np.testing.assert_allclose(swap.image, wanted["swap"][i], atol=1e-5)
        np.testing.assert_allclose(swap.masks["swap"], wanted["swap mask"][i][..., :1], atol=1e-5)
        assert swap.masks["target"].shape == (32, 32, 1)
