"""What the loop can be told besides: how gradients are clipped, what stays, what it begins with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mien.errors import ConfigError, InputError
from mien.training import checkpoint
from mien.training.engine import check_engine
from mien.training.learning.clipping import ByHistory, ByValue, ByWeight
from mien.training.learning.more_optimizers import Adamax, Lion, NAdam, Shrinking
from mien.training.options import TrainOptions
from mien.training.progress import TrainReport

from .conftest import TinyTrainer, make_tiny


def learn(kind: Callable[..., Any], steps: int = 6, **options: Any) -> torch.Tensor:
    """Weights after some steps by gradients that are always the same."""
    generator = torch.Generator().manual_seed(1)
    weight = torch.nn.Parameter(torch.randn(7, 5, generator=generator))
    optimizer = kind([weight], **options)
    for _ in range(steps):
        weight.grad = torch.randn(7, 5, generator=generator)
        optimizer.step()
    return weight.detach()


@pytest.mark.parametrize(
    ("ours", "theirs"), [(Adamax, torch.optim.Adamax), (NAdam, torch.optim.NAdam)]
)
@pytest.mark.parametrize("lr", [1e-3, 0.05])
def test_steps_are_those_of_torch(
    ours: type[Shrinking], theirs: type[torch.optim.Optimizer], lr: float
) -> None:
    made = learn(ours, lr=lr, betas=(0.8, 0.99), eps=1e-7)
    wanted = learn(theirs, lr=lr, betas=(0.8, 0.99), eps=1e-7)
    torch.testing.assert_close(made, wanted, atol=1e-6, rtol=1e-5)


def test_lion_steps_by_the_sign_of_its_mean_and_shrinks_weights() -> None:
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(7, 5, generator=generator)
    mean = torch.zeros(7, 5)
    for _ in range(6):
        gradient = torch.randn(7, 5, generator=generator)
        weight = weight * (1 - 0.01 * 0.1)
        weight = weight - 0.01 * (0.9 * mean + 0.1 * gradient).sign()
        mean = 0.99 * mean + 0.01 * gradient
    made = learn(Lion, lr=0.01, betas=(0.9, 0.99), decay=0.1)
    torch.testing.assert_close(made, weight, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("kind", [Adamax, NAdam, Lion])
def test_a_training_that_goes_on_steps_as_if_it_had_not_stopped(kind: type[Shrinking]) -> None:
    weight = torch.nn.Parameter(torch.ones(4))
    one = kind([weight], lr=0.01)
    for _ in range(5):
        weight.grad = torch.full((4,), 0.3)
        one.step()
    again = torch.nn.Parameter(weight.detach().clone())
    other = kind([again], lr=0.01)
    other.state[again] = {name: value.clone() for name, value in one.state[weight].items()}
    other.iters = one.iters
    for each, optimizer in ((weight, one), (again, other)):
        each.grad = torch.full((4,), -0.2)
        optimizer.step()
    assert weight.equal(again)


def test_clipping_by_weight_and_by_value() -> None:
    gradients = [torch.tensor([3.0, 4.0]), torch.tensor([0.1, -0.2])]
    large, small = ByWeight(1.0)(gradients)
    torch.testing.assert_close(large, torch.tensor([0.6, 0.8]))
    assert small.equal(gradients[1])
    large, small = ByValue(0.15)(gradients)
    torch.testing.assert_close(large, torch.tensor([0.15, 0.15]))
    torch.testing.assert_close(small, torch.tensor([0.1, -0.15]))


def test_clipping_by_what_was_usual() -> None:
    clipping = ByHistory(50, history=3)
    for size in (1.0, 2.0, 3.0, 4.0):
        (clipped,) = clipping([torch.tensor([size])])
    assert clipping.norms.tolist() == [2.0, 3.0, 4.0]
    torch.testing.assert_close(clipped, torch.tensor([3.0]))
    (kept,) = clipping([torch.tensor([float("inf")])])
    assert torch.isinf(kept).all()
    assert clipping.norms.tolist() == [2.0, 3.0, 4.0]


def test_what_was_usual_is_saved_with_the_model() -> None:
    first, second = TinyTrainer(), TinyTrainer()
    for trainer in (first, second):
        trainer.learners.optimizer.clipping = ByHistory(10, history=5)
    assert isinstance(first.learners.optimizer.clipping, ByHistory)
    first.learners.optimizer.clipping.norms = torch.tensor([1.0, 5.0])
    second.load(first.state())
    assert isinstance(second.learners.optimizer.clipping, ByHistory)
    assert second.learners.optimizer.clipping.norms.tolist() == [1.0, 5.0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"compile": "graphs"}, "graphs are CUDA's, and this training runs on the CPU"),
        ({"clip_by": "auto"}, "auto needs train.clip; set it to 10, the percentile"),
        ({"clip_by": "value"}, "value needs train.clip; set it to 1"),
        ({"clip_by": "auto", "clip": 200}, "so at most 100, is 200"),
        ({"precision": "fp16"}, "fp16 is for GPUs"),
        (
            {"schedule": "cosine", "warm_up": 50, "iterations": 50},
            "leave nothing of the 50 for the cosine",
        ),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        check_engine(torch.device("cpu"), TrainOptions(**options))


def test_every_problem_is_told_at_once() -> None:
    options = TrainOptions(compile="graphs", precision="fp16", clip_by="auto", checkpointing=True)
    with pytest.raises(ConfigError) as error:
        check_engine(torch.device("cpu"), options)
    assert len(error.value.problems) == 4


Run = Callable[..., TrainReport]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    generation = checkpoint.latest(folder)
    assert generation is not None
    return generation.weights()


def test_a_frozen_part_stays_as_it_is(run: Run, tmp_path: Path) -> None:
    run(freeze=("s",))
    begun, learned = TinyTrainer().net.state_dict(), weights(tmp_path / "model")
    same = {name: learned[name].equal(value) for name, value in begun.items()}
    assert same == {"s.weight": True, "s.bias": True, "t.weight": False, "t.bias": False}


def test_a_part_that_is_not_there_cannot_be_frozen(run: Run) -> None:
    with pytest.raises(ConfigError, match="the net has no part 'x'; its parts are s, t"):
        run(freeze=("x",))
    with pytest.raises(ConfigError, match="freezes the whole net"):
        run(freeze=("s", "t"))


def test_a_new_model_begins_with_the_weights_of_another(run: Run, tmp_path: Path) -> None:
    run("lender")
    report = run("borrower", begin_with=tmp_path / "lender", iterations=1, rate=1e-6)
    ours, theirs = weights(tmp_path / "borrower"), weights(tmp_path / "lender")
    assert all(torch.allclose(ours[name], value, atol=1e-4) for name, value in theirs.items())
    assert any("begins with the weights of" in note for note in report.notes)
    again = run("borrower", begin_with=tmp_path / "lender", iterations=2)
    assert not any("begins with" in note for note in again.notes)


def test_only_models_of_the_same_plugin_lend_weights(run: Run, tmp_path: Path) -> None:
    run("lender")
    with pytest.raises(InputError, match="is a model of 'tiny'; only weights of 'other' fit"):
        run("borrower", provider=make_tiny("other"), begin_with=tmp_path / "lender")
    with pytest.raises(InputError, match="holds no model"):
        run("borrower", begin_with=tmp_path)


def test_no_two_batches_draw_alike() -> None:
    trainer = TinyTrainer()
    optimizer = trainer.learners.optimizer
    turns = []
    for rank in (0, 1):
        optimizer.iters, optimizer.gather, optimizer.place = 0, 2, (rank, 2)
        for _ in range(6):
            turns.append(optimizer.turn)
            for weight in trainer.net.parameters():
                weight.grad = torch.zeros_like(weight)
            optimizer.step()
    assert sorted(turns) == list(range(12))
