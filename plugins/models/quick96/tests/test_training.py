"""A whole training step against DeepFaceLab's own numbers, and what every model owes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import mien_model_quick96 as plugin  # noqa: E402
from mien.options import parse  # noqa: E402
from mien.testing import FakeContext  # noqa: E402
from mien.testing.dfl import batch_of, digest, fill, keys_of  # noqa: E402
from mien.testing.models import ModelConformance  # noqa: E402


@pytest.mark.slow
class TestQuick96(ModelConformance):
    plugin = plugin
    name = "quick96"


@pytest.fixture
def case(shared: Callable[[str], Path]) -> Any:
    with np.load(shared("golden/dfl/train_quick96.npz")) as stored:
        golden = {name: stored[name] for name in stored.files}
    trainer = plugin.train(parse(plugin.Options, {"parity": True}), FakeContext())
    for name, net in trainer._net.named_children():
        fill(name, net)
    return trainer, batch_of(golden), golden, json.loads(str(golden["config"]))["keys"]


@pytest.mark.slow
def test_losses_and_gradients(case: Any) -> None:
    trainer, batch, golden, keys = case
    losses = trainer.losses(batch)
    means = [float(losses[name].detach().mean()) for name in ("source", "target")]
    np.testing.assert_allclose(means, golden["losses"][0], rtol=2e-5)
    (losses["source"] + losses["target"]).sum().backward()
    weights = {}
    for name, net in trainer._net.named_children():
        weights |= keys_of(name, net)
    for key, wanted in zip(keys["grad0_keys"], golden["grad0_digest"], strict=True):
        given = digest(weights[key].grad)
        np.testing.assert_allclose(given, wanted, rtol=2e-3, atol=2e-3 * wanted[1], err_msg=key)


@pytest.mark.slow
def test_in_parity_every_third_batch_is_learned_again_unwarped() -> None:
    trainer = plugin.train(parse(plugin.Options, {"parity": True}), FakeContext())
    generator = torch.Generator().manual_seed(1)
    batches = []
    for _ in range(4):
        batch = TestQuick96().make_batch(trainer, int(torch.randint(99, (), generator=generator)))
        batches.append(batch)
    seen = []
    for number, batch in enumerate(batches):
        trainer._optimizer.iters = number
        seen.append(trainer._every_third_again(batch))
    assert seen[:3] == batches[:3]
    again = replace(batches[2].source, warped=batches[2].source.face)
    assert torch.equal(seen[3].source.warped, again.warped)
    assert torch.equal(seen[3].source.face, again.face)
