"""The loop: it ends when it should, saves, resumes to the bit, and says when it lost its way."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch
from mien.errors import InputError, OutputError, StageError
from mien.stages import ModelProvider, NoOptions
from mien.testing.fakes import FakeContext
from mien.training import checkpoint
from mien.training.course import train
from mien.training.options import TrainOptions
from mien.training.progress import TrainProgress, TrainReport
from mien.training.show.history import read_history

from .conftest import make_tiny


@pytest.fixture
def run(tmp_path: Path, make_faceset: Callable[..., Path]) -> Callable[..., TrainReport]:
    """Trains the tiny model into `folder` on two facesets, with the options that are given."""
    source = make_faceset("source", (30, 60, 200))
    target = make_faceset("target", (200, 90, 20), 7)

    def go(
        folder: str = "model",
        provider: ModelProvider | None = None,
        progress: Callable[[TrainProgress], None] = lambda event: None,
        cancel: threading.Event | None = None,
        **options: Any,
    ) -> TrainReport:
        values = {"batch_size": 2, "preview_every": 0, "deterministic": True, "iterations": 20}
        return train(
            provider or make_tiny(),
            NoOptions(),
            FakeContext(threads=1, seed=11),
            source=source,
            target=target,
            folder=tmp_path / folder,
            train_options=TrainOptions(**(values | options)),
            progress=progress,
            cancel=cancel,
        )

    return go


def weights(folder: Path) -> dict[str, torch.Tensor]:
    generation = checkpoint.latest(folder)
    assert generation is not None
    state = generation.state()
    return {**state.weights, **state.optimizer}


def test_an_interrupted_training_ends_with_the_same_bits(
    run: Callable[..., TrainReport], tmp_path: Path
) -> None:
    run("straight")
    run("broken", iterations=10)
    assert run("broken").steps == 10
    straight, broken = weights(tmp_path / "straight"), weights(tmp_path / "broken")
    assert straight.keys() == broken.keys()
    assert all(value.equal(broken[name]) for name, value in straight.items())
    lines = [
        list(read_history(tmp_path / name / "history.jsonl")) for name in ("straight", "broken")
    ]
    assert [line["losses"] for line in lines[0]] == [line["losses"] for line in lines[1]]


def test_it_learns(run: Callable[..., TrainReport], tmp_path: Path) -> None:
    report = run(iterations=120, color=0.0)
    first = next(read_history(tmp_path / "model" / "history.jsonl"))["losses"]
    assert report.ended == "iterations"
    assert report.losses["s"] < first["s"] / 2
    assert report.losses["t"] < first["t"] / 2


def test_the_folder_holds_what_the_documentation_says(
    run: Callable[..., TrainReport], tmp_path: Path
) -> None:
    report = run(save_every=8, preview_every=10, preview_history=10, keep=2)
    folder = tmp_path / "model"
    assert json.loads((folder / "model.json").read_text())["plugin"] == "tiny"
    assert sorted(p.name for p in (folder / "generations").iterdir()) == ["000000016", "000000020"]
    assert report.generation == folder / "generations" / "000000020"
    previews = sorted(p.name for p in (folder / "preview").iterdir())
    assert previews == ["history", "latest.png", "loss.png"]
    kept = sorted(p.name for p in (folder / "preview" / "history").iterdir())
    assert kept == ["000000010.png", "000000020.png"]
    assert cv2.imread(str(folder / "preview" / "latest.png")) is not None
    history = list(read_history(folder / "history.jsonl"))
    assert [line["iteration"] for line in history] == list(range(1, 21))


def test_a_training_that_is_complete_does_nothing_more(run: Callable[..., TrainReport]) -> None:
    first = run()
    again = run()
    assert (again.steps, again.iteration, again.ended) == (0, 20, "iterations")
    assert again.generation == first.generation


def test_cancelling_saves_what_was_learned(run: Callable[..., TrainReport], tmp_path: Path) -> None:
    cancel = threading.Event()

    def watch(event: TrainProgress) -> None:
        if event.iteration == 7:
            cancel.set()

    report = run(progress=watch, cancel=cancel)
    assert (report.ended, report.iteration) == ("cancelled", 7)
    generation = checkpoint.latest(tmp_path / "model")
    assert generation is not None
    assert generation.iteration == 7


def test_the_time_limit_ends_a_training_without_end(run: Callable[..., TrainReport]) -> None:
    report = run(iterations=0, minutes=0.002)
    assert report.ended == "minutes"
    assert report.steps > 0


def test_progress_tells_of_every_step_save_and_preview(run: Callable[..., TrainReport]) -> None:
    events: list[TrainProgress] = []
    run(progress=events.append, iterations=4, save_every=2, preview_every=4)
    told = [(event.event, event.iteration) for event in events if event.event != "note"]
    steps = [("step", i) for i in range(1, 5)]
    previews = [("preview", i) for i in (1, 2, 4)]
    assert told == [
        *(steps[0], previews[0], steps[1], ("saved", 2), previews[1]),
        *(steps[2], steps[3], previews[2], ("saved", 4)),
    ]
    assert all(event.goal == 4 for event in events)
    assert all(event.losses.keys() == {"s", "t"} for event in events if event.event == "step")
    events.clear()
    run(progress=events.append, iterations=5)
    said = [event.text for event in events if event.event == "note"]
    assert said[0] == "goes on from iteration 4"


def test_a_loss_that_is_no_number_stops_and_the_saved_state_stands(
    run: Callable[..., TrainReport], tmp_path: Path
) -> None:
    with pytest.raises(StageError) as error:
        run(provider=make_tiny(poison=12), save_every=10, recover=0)
    assert str(error.value) == (
        "model 'tiny' lost its way at iteration 13: loss 't' is nan; the model stands at "
        "iteration 10, the last one saved.  Lower train.rate, then start again"
    )
    generation = checkpoint.latest(tmp_path / "model")
    assert generation is not None
    assert generation.iteration == 10
    assert len(list(read_history(tmp_path / "model" / "history.jsonl"))) == 10
    assert run().steps == 10


def test_history_of_what_was_not_saved_is_dropped_on_resume(
    run: Callable[..., TrainReport], tmp_path: Path
) -> None:
    run(iterations=4)
    path = tmp_path / "model" / "history.jsonl"
    with path.open("a") as stream:
        stream.write('{"iteration": 5, "losses": {}, "ms": 1}\n{"iterat')
    run(iterations=6)
    assert [line["iteration"] for line in read_history(path)] == [1, 2, 3, 4, 5, 6]


def test_the_folder_of_another_plugin_is_refused(run: Callable[..., TrainReport]) -> None:
    run(iterations=1)
    with pytest.raises(InputError, match="was made by 'tiny', not by 'other'; train with that"):
        run(provider=make_tiny("other"))


def test_a_full_disk_ends_the_training_with_the_last_generation_intact(
    run: Callable[..., TrainReport], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(iterations=2)

    def full(path: Path, tensors: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "_write_tensors", full)
    with pytest.raises(OutputError, match="no space left on the disk"):
        run(iterations=4)
    generation = checkpoint.latest(tmp_path / "model")
    assert generation is not None
    assert generation.iteration == 2


def test_torch_is_left_as_it_was_found(run: Callable[..., TrainReport]) -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    state = torch.get_rng_state()
    run(iterations=2)
    assert before == (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())
    assert state.equal(torch.get_rng_state())
