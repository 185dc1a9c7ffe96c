"""The optimizers against DeepFaceLab's own numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mien.training.learning.optimizers import AdaBelief, FaceOptimizer, RMSprop  # noqa: E402

CASES = ("rms_plain", "rms_clip", "rms_dropout", "ada_plain", "ada_clip", "ada_dropout")
KINDS = {"RMSprop": RMSprop, "AdaBelief": AdaBelief}


@pytest.mark.parametrize("case", CASES)
def test_every_step_is_the_originals(shared: Callable[[str], Path], case: str) -> None:
    with np.load(shared("golden/dfl/optimizers.npz")) as golden:
        stored = {name: golden[name] for name in golden.files}
    facts = json.loads(str(stored["config"]))[case]
    asked = facts["params"]
    weights = [torch.nn.Parameter(torch.from_numpy(stored[f"{case}|w{n}_init"])) for n in (0, 1)]
    masks = (
        [torch.from_numpy(stored[f"{case}|lr_mask{n}"]) for n in (0, 1)]
        if ("lr_dropout" in asked)
        else None
    )
    optimizer: FaceOptimizer = KINDS[facts["kind"]](
        weights,
        lr=asked["lr"],
        clip=asked.get("clipnorm", 0.0),
        dropout=asked.get("lr_dropout", 1.0),
    )
    if masks is not None:
        optimizer.masks = lambda like: iter(masks)  # type: ignore[method-assign]
    for step in range(facts["steps"]):
        for n, weight in enumerate(weights):
            weight.grad = torch.from_numpy(stored[f"{case}|g{n}"][step])
        optimizer.step()
        for n, weight in enumerate(weights):
            np.testing.assert_allclose(
                weight.detach(), stored[f"{case}|w{n}"][step], atol=2e-6, rtol=0
            )
    assert optimizer.iters == stored[f"{case}|iters"]
    for n, weight in enumerate(weights):
        for name, slot in optimizer.state[weight].items():
            wanted = stored[f"{case}|slot|{name}_net/w{n}_0:0"]
            np.testing.assert_allclose(slot, wanted, atol=2e-6)


def one(**options: Any) -> tuple[Any, FaceOptimizer]:
    weight = torch.nn.Parameter(torch.zeros(10_000))
    optimizer = AdaBelief([weight], lr=0.1, **options)
    weight.grad = torch.ones(10_000)
    return weight, optimizer


def test_dropout_moves_a_share_of_the_weights_and_repeats_itself() -> None:
    runs = []
    for _ in range(2):
        weight, optimizer = one(dropout=0.3, seed=5)
        optimizer.step()
        runs.append(weight.detach().clone())
    assert torch.equal(*runs)
    assert (runs[0] != 0).float().mean().item() == pytest.approx(0.3, abs=0.03)
    weight, optimizer = one(dropout=0.3, seed=6)
    optimizer.step()
    assert not torch.equal(weight, runs[0])


def test_the_rate_goes_in_waves() -> None:
    _, optimizer = one(period=500)
    rates = []
    for iteration in (0, 125, 250, 500):
        optimizer.iters = iteration
        rates.append(optimizer.wave())
    assert rates == pytest.approx([1, 0.5, 0, 1])
    assert one()[1].wave() == 1


def test_one_norm_clips_all_gradients_together() -> None:
    weights = [torch.nn.Parameter(torch.zeros(2)) for _ in range(2)]
    optimizer = RMSprop(weights, lr=1.0, clip=1.0)
    for weight in weights:
        weight.grad = torch.tensor([3.0, 4.0])
    optimizer.step()
    share = 1 / math.sqrt(50)
    wanted = torch.tensor([3.0, 4.0]).mul(share).square().mul(0.1)
    torch.testing.assert_close(optimizer.state[weights[0]]["acc"], wanted)


def test_weights_without_gradient_stay() -> None:
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = AdaBelief([weight], lr=1.0)
    optimizer.step()
    assert torch.equal(weight.detach(), torch.ones(3))
    assert optimizer.iters == 0


@pytest.mark.parametrize("wrong", [{"lr": 0.0}, {"lr": 1.0, "dropout": 0.0}])
def test_impossible_settings_are_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        AdaBelief([torch.nn.Parameter(torch.ones(1))], **wrong)


@pytest.mark.parametrize("kind", [AdaBelief, RMSprop])
def test_layout_and_home_of_the_numbers_change_nothing(kind: type[FaceOptimizer]) -> None:
    def learn(dropout: float, *, last: bool = False, home: bool = False) -> torch.Tensor:
        generator = torch.Generator().manual_seed(3)
        value = torch.randn(8, 5, 3, 3, generator=generator)
        weight = torch.nn.Parameter(value)
        optimizer = kind([weight], lr=0.01, dropout=dropout, clip=1.0, seed=9)
        optimizer.home = torch.device("cpu") if home else None
        for step in range(4):
            if step == 2 and last:  # the slots were made before
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)
            weight.grad = torch.randn(8, 5, 3, 3, generator=generator)
            optimizer.step()
        return weight.detach()

    assert learn(0.5).equal(learn(0.5, home=True))
    assert torch.allclose(learn(1.0), learn(1.0, last=True), atol=1e-7)
