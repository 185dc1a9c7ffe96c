"""Whole trainings: plans, recoveries, averages, memory, several processes, one at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from mien.errors import ConfigError, InputError, StageError
from mien.lock import one_at_a_time
from mien.options import option
from mien.stages import ModelProvider, NoOptions
from mien.testing.fakes import FakeContext
from mien.training import checkpoint
from mien.training.base import TrainBatch
from mien.training.course import train
from mien.training.options import TrainOptions
from mien.training.progress import TrainReport

from .conftest import TinyTrainer, make_tiny

Run = Callable[..., TrainReport]


def newest(folder: Path) -> checkpoint.Generation:
    generation = checkpoint.latest(folder)
    assert generation is not None
    return generation


def same(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(one[name].equal(other[name]) for name in one)


# --- recoveries ---------------------------------------------------------------------------------


def poisoned(*steps: int) -> ModelProvider:
    """A model whose loss is no number at these steps, counted over all of its lives."""
    done = [0]

    class Poisoned(TinyTrainer):
        def step(self, batch: TrainBatch) -> Mapping[str, float]:
            done[0] += 1
            self._poison = self.steps if done[0] in steps else -1
            return super().step(batch)

    return ModelProvider(
        name="tiny",
        summary="One convolution",
        create=make_tiny().create,
        train=lambda options, context: Poisoned(),
    )


def test_a_lost_model_goes_on_from_the_last_generation_with_half_the_rate(
    run: Run, tmp_path: Path
) -> None:
    report = run(provider=poisoned(14), save_every=10)
    assert (report.iteration, report.ended) == (20, "iterations")
    (note,) = (note for note in report.notes if "lost its way" in note)
    assert note == (
        "lost its way at iteration 14: loss 't' is nan; goes on from iteration 10 with 0.5 times "
        "the rate"
    )
    assert newest(tmp_path / "model").facts["standing"]["factor"] == 0.5
    assert all(value.isfinite().all() for value in newest(tmp_path / "model").weights().values())


def test_before_anything_was_saved_it_begins_anew(run: Run) -> None:
    report = run(provider=poisoned(5))
    assert (report.iteration, report.ended) == (20, "iterations")
    assert any("goes on from iteration 0" in note for note in report.notes)


def test_a_model_that_stays_lost_is_given_up(run: Run, tmp_path: Path) -> None:
    with pytest.raises(StageError) as error:
        run(provider=make_tiny(poison=2), save_every=2, recover=2)
    assert "lost its way at iteration 7" in str(error.value)
    assert "iteration 6, the last one saved" in str(error.value)
    assert all(value.isfinite().all() for value in newest(tmp_path / "model").weights().values())


def test_restore_goes_back_and_sets_aside_what_came_later(run: Run, tmp_path: Path) -> None:
    run("straight")
    run("model", iterations=30, save_every=5, keep=9)
    later = newest(tmp_path / "model").iteration
    run("model", iterations=20, restore=10)
    assert later == 30
    assert sorted(path.name for path in (tmp_path / "model" / "set-aside").iterdir()) == [
        f"{number:09d}" for number in (15, 20, 25, 30)
    ]
    assert same(newest(tmp_path / "model").weights(), newest(tmp_path / "straight").weights())
    with pytest.raises(InputError, match=r"no generation of iteration 7 \(it holds: 10, 20\)"):
        run("model", restore=7)


# --- how it computes ----------------------------------------------------------------------------


def test_two_trainings_do_not_share_a_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with (
        one_at_a_time(tmp_path / "model" / "training.lock"),
        pytest.raises(InputError, match="another training is at it"),
    ):
        run()
    assert run().iteration == 20


def test_gathered_batches_make_a_step_together(run: Run, tmp_path: Path) -> None:
    run("gathered", accumulate=4, iterations=8, save_every=4)
    assert newest(tmp_path / "gathered").facts["steps"]["net"] == 2


def test_a_mean_of_the_weights_is_saved_and_goes_on_to_the_bit(run: Run, tmp_path: Path) -> None:
    run("plain")
    run("straight", average=0.9)
    run("broken", average=0.9, iterations=10)
    run("broken", average=0.9)
    straight, broken = (newest(tmp_path / name).state() for name in ("straight", "broken"))
    assert same(straight.weights, broken.weights)
    assert same(straight.optimizer, broken.optimizer)
    raw = {k.removeprefix("raw:"): v for k, v in straight.optimizer.items() if k.startswith("raw:")}
    assert same(raw, newest(tmp_path / "plain").weights())
    assert not same(raw, straight.weights)
    run("broken", iterations=22)  # without averages it goes on with the raw weights
    assert "raw:s.weight" not in newest(tmp_path / "broken").state().optimizer


def test_the_rate_rises_and_falls_as_it_is_told(run: Run, tmp_path: Path) -> None:
    rates = list[float]()

    class Told(TinyTrainer):
        def step(self, batch: TrainBatch) -> Mapping[str, float]:
            rates.append(self.learners.optimizer.factor)
            return super().step(batch)

    provider = ModelProvider(
        name="tiny",
        summary="One convolution",
        create=make_tiny().create,
        train=lambda options, context: Told(),
    )
    run(provider=provider, warm_up=4, schedule="cosine", rate=2.0)
    assert rates[:2] == pytest.approx([0.5, 1.0], rel=0.02)
    assert max(rates) == pytest.approx(2.0, rel=0.1)
    assert rates[-1] < 0.1


@pytest.mark.parametrize("changes", [{"checkpointing": True}, {"offload": True}])
def test_savers_of_memory_change_no_bit(run: Run, tmp_path: Path, changes: dict[str, Any]) -> None:
    run("plain")
    run("spared", **changes)
    plain, spared = (newest(tmp_path / name).weights() for name in ("plain", "spared"))
    assert all(torch.allclose(plain[name], spared[name], atol=1e-6) for name in plain)


def test_half_precision_on_a_cpu_is_refused(run: Run) -> None:
    with pytest.raises(ConfigError, match="fp16 is for GPUs"):
        run(precision="fp16")


def test_full_memory_is_answered_with_smaller_batches(run: Run, tmp_path: Path) -> None:
    class Large(TinyTrainer):
        def step(self, batch: TrainBatch) -> Mapping[str, float]:
            if len(batch.source.face) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().step(batch)

    provider = ModelProvider(
        name="tiny",
        summary="One convolution",
        create=make_tiny().create,
        train=lambda options, context: Large(),
    )
    report = run(provider=provider, batch_size=8)
    assert "memory is full: goes on with batches of 2" in report.notes
    assert report.iteration == 20
    assert newest(tmp_path / "model").facts["standing"]["batch"] == 2


def test_the_rate_is_found_by_trying(run: Run, tmp_path: Path) -> None:
    report = run(find_rate=60, iterations=40)
    (note,) = (note for note in report.notes if note.startswith("found after"))
    factor = newest(tmp_path / "model").facts["standing"]["factor"]
    assert f"{factor:.3g} times the rate" in note
    assert report.iteration == 40


# --- plans and pretraining ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyOptions:
    """One option that may change while it learns."""

    strength: float = option(1.0, "Strength of something", ge=0)


def strong(seen: list[float]) -> ModelProvider:
    """A model that tells with which strength every step was made."""

    class Strong(TinyTrainer):
        def __init__(self, strength: float) -> None:
            super().__init__()
            self._strength = strength

        def step(self, batch: TrainBatch) -> Mapping[str, float]:
            seen.append(self._strength)
            return super().step(batch)

    return ModelProvider(
        name="tiny",
        summary="One convolution",
        options=TinyOptions,
        create=make_tiny().create,
        train=lambda options, context: Strong(options.strength),
        pretraining={"strength": 0.0},
    )


PLAN = """
[[stage]]
name = "first"
until = { iterations = 6 }
[[stage]]
name = "second"
until = { iterations = 5 }
model = { strength = 3.0 }
[[stage]]
name = "third"
train = { rate = 0.5 }
"""


def test_a_plan_runs_by_itself_and_goes_on_where_it_was(run: Run, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN)
    seen, whole = list[float](), list[float]()
    run("straight", provider=strong(whole), own=TinyOptions(), plan=str(plan))
    assert whole == [1.0] * 6 + [3.0] * 5 + [1.0] * 9
    for until in (4, 8, 20):
        run("broken", provider=strong(seen), own=TinyOptions(), plan=str(plan), iterations=until)
    assert seen == whole
    straight, broken = (newest(tmp_path / name) for name in ("straight", "broken"))
    assert same(straight.weights(), broken.weights())
    assert straight.facts["standing"]["stage"] == 2
    assert straight.facts["standing"]["begun"] == 11


def test_a_plan_that_asks_for_what_is_not_is_refused(run: Run, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text('[[stage]]\nname = "x"\nmodel = { strenght = 3.0 }')
    with pytest.raises(ConfigError, match=r"plan: x: model: .*strenght"):
        run(provider=strong([]), own=TinyOptions(), plan=str(plan))


def test_after_faces_in_general_the_two_people_begin_at_zero(
    run: Run, tmp_path: Path, make_faceset: Callable[..., Path]
) -> None:
    many = make_faceset("many", (90, 90, 90), 9)
    seen = list[float]()
    run(provider=strong(seen), own=TinyOptions(), pretrain=str(many), iterations=12)
    general = newest(tmp_path / "model")
    assert general.facts["standing"]["general"]
    report = run(provider=strong(seen), own=TinyOptions(), iterations=8)
    assert report.steps == 8
    assert seen == [0.0] * 12 + [1.0] * 8
    assert newest(tmp_path / "model").iteration == 8
    assert not newest(tmp_path / "model").facts["standing"]["general"]
    assert (tmp_path / "model" / "set-aside" / "000000012").is_dir()


# --- several processes --------------------------------------------------------------------------

WORKER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.training.conftest import make_tiny
from mien.stages import NoOptions
from mien.testing.fakes import FakeContext
from mien.training.course import train
from mien.training.options import TrainOptions
source, target, folder = map(Path, sys.argv[2:])
train(make_tiny(), NoOptions(), FakeContext(threads=1, seed=11), source=source, target=target,
      folder=folder, train_options=TrainOptions(batch_size=2, preview_every=0, iterations=6))
"""


@pytest.mark.slow
def test_two_processes_teach_one_model(
    tmp_path: Path, make_faceset: Callable[..., Path], run: Run
) -> None:
    root = Path(__file__).parents[2]
    (tmp_path / "worker.py").write_text(WORKER)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"),
            *(str(tmp_path / "worker.py"), str(root)),
            *(str(tmp_path / name) for name in ("source", "target", "both")),
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    run("alone", iterations=6)
    assert newest(tmp_path / "both").iteration == 6
    assert not same(newest(tmp_path / "both").weights(), newest(tmp_path / "alone").weights())


def test_source_and_target_do_not_change_places(
    run: Run, tmp_path: Path, make_faceset: Callable[..., Path]
) -> None:
    run(iterations=4)
    with pytest.raises(InputError, match="have changed places"):
        train(
            make_tiny(),
            NoOptions(),
            FakeContext(threads=1, seed=11),
            source=tmp_path / "target",
            target=tmp_path / "source",
            folder=tmp_path / "model",
            train_options=TrainOptions(batch_size=2, preview_every=0, iterations=8),
        )
    assert newest(tmp_path / "model").iteration == 4
    make_faceset("source", (30, 60, 200), 8)
    notes = run(iterations=8).notes
    assert any("is not the one of the last run: 5 pictures then, 8 now" in note for note in notes)
