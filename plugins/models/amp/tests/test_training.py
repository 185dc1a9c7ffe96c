"""A whole training step against DeepFaceLab's own numbers, with its weights from the formula."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mien.options import parse

torch = pytest.importorskip("torch")

import mien_model_amp as plugin  # noqa: E402
from mien.testing import FakeContext  # noqa: E402
from mien.testing.dfl import batch_of, digest, fill, keys_of  # noqa: E402
from mien.training.losses.face_loss import total  # noqa: E402

SAME = ("resolution", "ae_dims", "inter_dims", "e_dims", "d_dims", "d_mask_dims", "morph_factor")
SAME += ("blur_out_mask", "gan_power", "gan_patch_size", "gan_dims")


@pytest.fixture
def case(shared: Callable[[str], Path]) -> Any:
    with np.load(shared("golden/dfl/train_amp_gan.npz")) as stored:
        golden = {name: stored[name] for name in stored.files}
    config = json.loads(str(golden["config"]))
    ours = {name: config["options"][name] for name in SAME}
    trainer = plugin.train(parse(plugin.Options, {**ours, "parity": True}), FakeContext())
    for name, net in trainer._net.named_children():
        fill(name, net)
    fill("GAN", trainer._judge.net)
    taken = torch.from_numpy(golden["code_masks"]).float()
    return trainer, batch_of(golden), taken, golden, config["keys"]


def test_losses(case: Any) -> None:
    trainer, batch, taken, golden, _ = case
    _, _, losses = trainer.objective(batch, taken)
    for name, values in zip(("source", "target"), golden["losses"][0], strict=True):
        np.testing.assert_allclose(losses[name].detach(), values, rtol=2e-5, err_msg=name)


def test_gradients_of_the_model(case: Any) -> None:
    trainer, batch, taken, golden, keys = case
    objective, _, _ = trainer.objective(batch, taken)
    total(objective, parity=True).backward()
    weights = {}
    for name, net in trainer._net.named_children():
        weights |= keys_of(name, net)
    for key, wanted in zip(keys["grad0_keys"], golden["grad0_digest"], strict=True):
        given = digest(weights[key].grad)
        np.testing.assert_allclose(given, wanted, rtol=2e-3, atol=2e-3 * wanted[1], err_msg=key)


def test_gradients_of_the_judge(case: Any) -> None:
    trainer, batch, taken, golden, keys = case
    made = trainer._make(batch, taken)
    loss = trainer._loss
    source, target = loss.wanted(batch.source), loss.wanted(batch.target)
    true = [loss.shown(source.face, source), loss.shown(target.face, target)]
    fake = [loss.shown(made.source, source), loss.shown(made.target, target)]
    trainer._judge.loss(true, fake).sum().backward()
    weights = keys_of("GAN", trainer._judge.net)
    for key, wanted in zip(keys["grad1_keys"], golden["grad1_digest"], strict=True):
        given = digest(weights[key].grad)
        np.testing.assert_allclose(given, wanted, rtol=2e-3, atol=2e-3 * wanted[1], err_msg=key)


def test_in_parity_the_peoples_own_layers_stay_and_otherwise_they_learn(case: Any) -> None:
    trainer, batch, _, _, _ = case

    def moved(trainer: Any) -> set[str]:
        before = {name: w.detach().clone() for name, w in trainer._net.named_parameters()}
        trainer.step(batch)
        return {
            name.partition(".")[0]
            for name, weight in trainer._net.named_parameters()
            if not torch.equal(weight, before[name])
        }

    assert moved(trainer) == {"encoder", "decoder"}
    small = {name: getattr(trainer._options, name) for name in SAME}
    sane = plugin.train(parse(plugin.Options, small), FakeContext())
    assert moved(sane) == {"encoder", "decoder", "inter_src", "inter_dst"}


def test_channels_are_drawn_anew_each_time_and_repeat_with_the_seed(case: Any) -> None:
    trainer, _, _, _, _ = case
    first = trainer.channels(3)
    assert torch.equal(first, trainer.channels(3))
    assert (first.sum(1) == int(64 * 0.5)).all()
    trainer._optimizer.iters += 1
    assert not torch.equal(first, trainer.channels(3))
