"""DFaker: its layers by the original's names, its sizes, and all that every model owes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mien_model_dfaker
import pytest
import torch
from mien.errors import ConfigError, InputError
from mien.nets.fsblocks import Residual
from mien.nets.fsinitial import build
from mien.nets.fsnames import shapes_of
from mien.nets.fsnets import SwapNet, TwoDecoders
from mien.options import parse
from mien.testing.fakes import FakeContext
from mien.testing.models import ModelConformance
from mien.training import checkpoint
from mien.training.base import Side, TrainBatch
from mien.training.learning.optimizers import AdaBelief, Adam, FaceOptimizer, RMSprop
from mien_model_dfaker import Options
from mien_model_dfaker.config import config_of
from mien_model_dfaker.net import make_net
from mien_model_dfaker.stage import make_swap
from mien_model_dfaker.trainer import make_trainer
from torch.nn import functional as nnf

SMALL = Options(width=0.0625, learn_mask=True)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Tiny tensors lose more by threads than they win."""
    torch.set_num_threads(1)


@pytest.mark.slow
class TestDfaker(ModelConformance):
    plugin = mien_model_dfaker
    name = "dfaker"
    options = {"width": 0.0625, "learning_rate": 1e-3, "learn_mask": True}  # noqa: RUF012


def meta(options: Options) -> TwoDecoders:
    """The net, without memory behind its weights."""
    with torch.device("meta"):
        return make_net(config_of(options))


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (Options(), 113_330_822),
        (Options(learn_mask=True), 144_602_376),
        (Options(output_size=256), 258_046_598),
        (Options(output_size=256, learn_mask=True), 345_949_448),
    ],
)
def test_it_has_as_many_weights_as_the_original(options: Options, wanted: int) -> None:
    assert sum(value.numel() for value in meta(options).parameters()) == wanted


@pytest.mark.parametrize("size", [128, 256])
@pytest.mark.parametrize("mask", [False, True])
def test_layers_have_the_names_and_shapes_of_the_published_files(
    shared: Callable[[str], Path], size: int, mask: bool
) -> None:
    builds = json.loads(shared("spec/faceswap-weights.json").read_text())["models"]
    sheet = builds[f"dfaker_{size}{'+mask' * mask}"]
    wanted = {
        f"{part['name']}/{layer['name']}": [tuple(shape) for _, shape in layer["weights"]]
        for part in sheet["submodels"]
        for layer in part["layers"]
        if "weights" in layer
    }
    assert shapes_of(meta(Options(output_size=size, learn_mask=mask))) == wanted


def test_only_the_first_half_of_a_residual_block_is_drawn_from_a_normal() -> None:
    net = build(lambda: make_net(config_of(Options(width=0.25))), torch.Generator().manual_seed(1))
    block = next(part for part in net.source.face if isinstance(part, Residual))
    first, second = block.conv1.weight.detach(), block.conv2.weight.detach()
    assert float(first.std()) == pytest.approx(0.02, rel=0.05)
    bound = (0.6 / second[0].numel()) ** 0.5
    assert 0.98 * bound < float(second.abs().max()) <= bound


def test_another_size_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"output_size.*192"):
        parse(Options, {"output_size": 192})


def batch(trainer: Any, count: int = 2) -> TrainBatch:
    generator = torch.Generator().manual_seed(3)

    def side() -> Side:
        size = trainer.output_size
        face = torch.rand(count, 3, 4, 4, generator=generator)
        face = nnf.interpolate(face, size=(size, size), mode="bilinear")
        mask = torch.zeros(count, 1, size, size)
        mask[..., size // 4 : -size // 4, size // 4 : -size // 4] = 1
        seen = nnf.interpolate(face, size=(trainer.input_size,) * 2, mode="area")
        return Side(warped=seen, face=face, mask=mask, focus=torch.zeros_like(mask))

    return TrainBatch(source=side(), target=side())


def test_it_sees_half_of_what_it_makes_and_learns_two_faces() -> None:
    trainer = make_trainer(replace(SMALL, learning_rate=2e-3), FakeContext())
    assert (trainer.input_size, trainer.output_size, trainer.spec.size) == (64, 128, 128)
    shown = batch(trainer)
    losses = [sum(trainer.step(shown).values()) for _ in range(25)]
    assert losses[-1] < 0.7 * losses[0]
    columns = trainer.preview(shown)
    assert list(columns) == [
        "source",
        "source again",
        "target",
        "target again",
        "swap",
        "swap mask",
    ]
    assert columns["swap"][0].shape == (128, 128, 3)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"beta_1": 0.5, "epsilon_exponent": -8, "weight_decay": 0.01}, Adam),
        ({"optimizer": "adabelief"}, AdaBelief),
        ({"optimizer": "rmsprop"}, RMSprop),
    ],
)
def test_the_optimizer_is_the_one_that_was_asked_for(
    changes: dict[str, Any], kind: type[FaceOptimizer]
) -> None:
    trainer = make_trainer(parse(Options, {"width": 0.0625, **changes}), FakeContext())
    optimizer = trainer.learners.optimizer
    assert type(optimizer) is kind
    if isinstance(optimizer, Adam):
        assert optimizer.betas == (0.5, 0.999)
        assert optimizer.eps == pytest.approx(1e-8)
        assert optimizer.decay == 0.01
    before = {name: value.clone() for name, value in trainer.state().weights.items()}
    trainer.step(batch(trainer, 1))
    assert all(not value.equal(before[name]) for name, value in trainer.state().weights.items())


def test_the_swap_sees_crops_of_the_size_it_makes() -> None:
    config = config_of(SMALL)
    net = build(lambda: make_net(config), torch.Generator().manual_seed(2))
    face = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        image, mask, other = SwapNet(net, config.size, config.seen)(face)
        code = net.encoder(nnf.interpolate(face, size=(64, 64), mode="area"))
        (wanted,), wanted_mask = net.source(code)
        wanted_other = net.target(code)[1]
    torch.testing.assert_close(image, wanted)
    torch.testing.assert_close(mask, wanted_mask)
    torch.testing.assert_close(other, wanted_other)


def test_the_swap_refuses_a_checkpoint_of_another_shape(tmp_path: Path) -> None:
    trainer = make_trainer(SMALL, FakeContext())
    generation = checkpoint.save(tmp_path, trainer.state(), 1).folder
    with pytest.raises(InputError, match="learn_mask is True, the options ask for False"):
        make_swap(replace(SMALL, learn_mask=False), FakeContext(), generation)
