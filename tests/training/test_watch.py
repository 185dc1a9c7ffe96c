"""What a training shows of itself while it runs, seen from its folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mien.arrays import Image
from mien.errors import ConfigError, InputError
from mien.stages import FaceQuery, ModelProvider, NoOptions, StageBase
from mien.testing.fakes import FakeContext
from mien.training import checkpoint
from mien.training.base import TrainBatch
from mien.training.course import train
from mien.training.options import TrainOptions
from mien.training.progress import TrainProgress, TrainReport
from mien.training.show import watch
from mien.training.show.heldout import Probes
from mien.training.show.history import read_history
from mien.training.show.sessions import read_sessions
from mien.types import Landmarks

from .conftest import TinyTrainer, head_points

STILL = {"warp": 0.0, "color": 0.0, "rotation": 0.0, "zoom": 0.0, "shift": 0.0}


class Shown(TinyTrainer):
    """A tiny model with the columns that all models of two people have; keeps what it learns."""

    def __init__(self) -> None:
        super().__init__()
        self.learned: list[TrainBatch] = []

    def step(self, batch: TrainBatch) -> Mapping[str, float]:
        self.learned.append(batch)
        return super().step(batch)

    def preview(self, batch: TrainBatch) -> Mapping[str, list[Image]]:
        with torch.no_grad():
            columns = {
                "source": batch.source.face,
                "source again": self.net["s"](batch.source.warped),
                "target": batch.target.face,
                "target again": self.net["t"](batch.target.warped),
                "swap": self.net["s"](batch.target.warped),
            }
        return {
            title: [face.permute(1, 2, 0).clamp(0, 1).numpy() for face in faces]
            for title, faces in columns.items()
        }


@pytest.fixture
def trainer() -> Shown:
    return Shown()


@pytest.fixture
def run(
    tmp_path: Path, make_faceset: Callable[..., Path], trainer: Shown
) -> Callable[..., TrainReport]:
    """Trains the shown model into `tmp_path/model`."""
    source = make_faceset("source", (30, 60, 200), 8)
    target = make_faceset("target", (200, 90, 20), 8)
    provider = ModelProvider(
        name="shown",
        summary="Tiny",
        create=lambda options, context, generation: None,  # type: ignore[arg-type,return-value]
        train=lambda options, context: trainer,
    )

    def go(
        progress: Callable[[TrainProgress], None] = lambda event: None,
        folder: str = "model",
        probes: Probes | None = None,
        **options: Any,
    ) -> TrainReport:
        values = {"batch_size": 2, "preview_every": 0, "iterations": 10, "tensorboard": "off"}
        return train(
            provider,
            NoOptions(),
            FakeContext(threads=1, seed=11),
            source=source,
            target=target,
            folder=tmp_path / folder,
            train_options=TrainOptions(**(values | STILL | options)),
            progress=progress,
            probes=probes,
        )

    return go


def sheet(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path))
    assert picture is not None
    return picture


# --- sheets -------------------------------------------------------------------------------------


def test_sheets_come_at_the_first_iteration_at_an_interval_and_at_every_save(
    run: Callable[..., TrainReport],
) -> None:
    seen = list[int]()

    def hear(event: TrainProgress) -> None:
        if event.event == "preview":
            seen.append(event.iteration)

    run(hear, preview_every=4, save_every=3)
    assert seen == [1, 3, 4, 6, 8, 9, 10]


def test_a_request_is_answered_while_it_runs(
    run: Callable[..., TrainReport], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_LOOK_SECONDS", 0.0)
    request, seen = tmp_path / "model" / "preview.now", list[int]()

    def hear(event: TrainProgress) -> None:
        if event.event == "step" and event.iteration == 4:
            request.touch()
        if event.event == "preview":
            seen.append(event.iteration)

    run(hear)
    assert seen == [4]
    assert not request.exists()
    assert (tmp_path / "model" / "preview" / "latest.png").is_file()


def test_a_request_is_looked_for_at_most_once_a_second(
    run: Callable[..., TrainReport], tmp_path: Path
) -> None:
    seen = list[int]()

    def hear(event: TrainProgress) -> None:
        if event.iteration == 1:
            (tmp_path / "model" / "preview.now").touch()
        if event.event == "preview":
            seen.append(event.iteration)

    run(hear)
    assert not seen


def test_the_faces_of_the_sheets_stay_or_change_as_asked(
    run: Callable[..., TrainReport], tmp_path: Path, trainer: Shown
) -> None:
    for name, wanted in (("same", 1), ("random", 2)):
        looked = list[bytes]()
        show = trainer.preview

        def preview(batch: TrainBatch, show: Any = show, looked: Any = looked) -> Any:
            looked.append(batch.source.face.numpy().tobytes())
            return show(batch)

        trainer.preview = preview  # type: ignore[method-assign]
        run(folder=name, preview_every=5, preview_rows=2, preview_faces=name, iterations=10)
        trainer.preview = show  # type: ignore[method-assign]
        assert len(looked) == 3
        assert len(set(looked)) >= wanted
        assert (len(set(looked)) == 1) == (name == "same")


def test_more_rows_than_a_batch_are_shown_in_parts(
    run: Callable[..., TrainReport], tmp_path: Path
) -> None:
    run(preview_every=10, preview_rows=7, batch_size=2)
    assert len(sheet(tmp_path / "model" / "preview" / "latest.png")) == 24 + 20 + 7 * (128 + 4)


def test_the_timelapse_shows_other_faces_at_every_save(
    run: Callable[..., TrainReport], make_faceset: Callable[..., Path], tmp_path: Path
) -> None:
    one, other = make_faceset("one", (9, 9, 9), 1), make_faceset("other", (99, 9, 9), 3)
    run(timelapse_source=one, timelapse_target=other, save_every=5)
    place = tmp_path / "model" / "preview" / "timelapse"
    assert sorted(path.name for path in place.iterdir()) == ["000000005.png", "000000010.png"]
    assert len(sheet(place / "000000010.png")) == 24 + 20 + 3 * (128 + 4)


def test_half_a_timelapse_is_refused(run: Callable[..., TrainReport], tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        run(timelapse_source=tmp_path / "source")
    assert str(error.value) == (
        "train.timelapse_source: a timelapse needs faces of both people; "
        "say train.timelapse_target too"
    )
    with pytest.raises(InputError, match="there is no such folder"):
        run(timelapse_source=tmp_path / "source", timelapse_target=tmp_path / "none")


def test_sheets_that_cannot_be_written_do_not_end_the_training(
    run: Callable[..., TrainReport], tmp_path: Path
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "preview").write_text("in the way")
    report = run(preview_every=5)
    assert report.ended == "iterations"
    assert any("preview" in note and "cannot be written" in note for note in report.notes)


def test_a_sheet_that_does_not_fit_into_memory_does_not_end_the_training(
    run: Callable[..., TrainReport], trainer: Shown
) -> None:
    def full(batch: TrainBatch) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    trainer.preview = full  # type: ignore[method-assign]
    report = run(preview_every=10, held_out=2, held_out_every=10)
    assert report.ended == "iterations"
    said = [note for note in report.notes if "few" not in note]
    assert said == ["memory is full: nothing is shown this time"] * 3


def test_other_errors_of_a_preview_are_not_hidden(
    run: Callable[..., TrainReport], trainer: Shown
) -> None:
    def broken(batch: TrainBatch) -> Any:
        raise RuntimeError("a bug")

    trainer.preview = broken  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="a bug"):
        run(preview_every=10)


def test_showing_changes_nothing_of_what_is_learned(
    run: Callable[..., TrainReport], tmp_path: Path, trainer: Shown
) -> None:
    blank = {name: value.clone() for name, value in trainer.net.state_dict().items()}
    run(folder="quiet", held_out_every=0, held_out=2)
    quiet = checkpoint.latest(tmp_path / "quiet")
    trainer.__init__()  # type: ignore[misc]
    assert all(value.equal(blank[name]) for name, value in trainer.net.state_dict().items())
    run(folder="shown", held_out_every=1, held_out=2, preview_every=1, preview_faces="random")
    shown = checkpoint.latest(tmp_path / "shown")
    assert quiet is not None
    assert shown is not None
    assert quiet.weights_sha256 == shown.weights_sha256


# --- figures ------------------------------------------------------------------------------------


def test_held_out_faces_are_never_learned_from(
    run: Callable[..., TrainReport], tmp_path: Path, trainer: Shown
) -> None:
    run(held_out=3, iterations=20, flip_source=0.0, flip_target=0.0)
    known = json.loads((tmp_path / "model" / "faces.json").read_text())
    held = next(entry["held_out"] for folder, entry in known.items() if "source" in folder)
    assert len(held) == 3
    learned = {
        round(float(face.mean()), 3) for batch in trainer.learned for face in batch.source.face
    }
    assert len(learned) == 8 - 3


def test_figures_stand_in_the_history_and_in_the_report(
    run: Callable[..., TrainReport], tmp_path: Path
) -> None:
    report = run(held_out=2, held_out_every=5)
    figures = {
        line["iteration"]: line["figures"]
        for line in read_history(tmp_path / "model" / "history.jsonl")
        if "figures" in line
    }
    names = ["source dssim", "source mae", "target dssim", "target mae", "error"]
    assert {number: list(values) for number, values in figures.items()} == {5: names, 10: names}
    assert report.session["figures"] == pytest.approx(figures[10], abs=1e-6)
    assert report.session["verdict"].startswith("too early to say")


def test_probes_see_the_swaps(run: Callable[..., TrainReport], tmp_path: Path) -> None:
    class Points(StageBase):
        def __call__(self, batch: Sequence[FaceQuery], /) -> list[Landmarks]:
            return [Landmarks(points=head_points()) for _ in batch]

    report = run(held_out=2, held_out_every=5, probes=Probes(aligner=Points()))
    assert report.session["figures"]["landmarks"] == 0


def test_a_plateau_ends_a_stage_of_a_plan(
    run: Callable[..., TrainReport], tmp_path: Path, trainer: Shown
) -> None:
    still = torch.full((16, 16, 3), 0.5).numpy()
    titles = ("source", "source again", "target", "target again", "swap")
    trainer.preview = lambda batch: {  # type: ignore[method-assign]
        title: [still] * len(batch.source.face) for title in titles
    }
    plan = tmp_path / "plan.toml"
    plan.write_text(
        '[[stage]]\nname = "shapes"\nuntil = { plateau = 8 }\n'
        '[[stage]]\nname = "details"\nuntil = { iterations = 3 }\n'
    )
    report = run(plan=str(plan), held_out=2, held_out_every=1, iterations=40)
    assert "stage 'details' begins" in report.notes
    marks = {
        note: line["iteration"]
        for line in read_history(tmp_path / "model" / "history.jsonl")
        for note in line.get("notes", ())
    }
    assert 9 <= marks["stage 'details' begins"] <= 14


def test_a_plateau_is_still_one_after_an_interruption(
    run: Callable[..., TrainReport], trainer: Shown
) -> None:
    still = torch.full((16, 16, 3), 0.5).numpy()
    trainer.preview = lambda batch: {  # type: ignore[method-assign]
        title: [still] * len(batch.source.face) for title in ("source again", "target again")
    }
    options = {"held_out": 2, "held_out_every": 1}
    run(iterations=30, **options)
    words = run(iterations=31, **options).session["verdict"]
    assert words.startswith("plateau since iteration ")


# --- statistics ---------------------------------------------------------------------------------


def test_every_run_is_a_session(run: Callable[..., TrainReport], tmp_path: Path) -> None:
    run(iterations=4)
    report = run(iterations=10, keep=3)
    first, second = read_sessions(tmp_path / "model" / "sessions.jsonl")
    assert (first["first"], first["last"], second["first"], second["last"]) == (1, 4, 5, 10)
    assert second == report.session
    assert second["faces"] == 6 * 2 * 2
    assert second["settings"]["train"]["keep"] == 3
    assert second["ended"] == "iterations"


def test_curves_go_on_where_they_were(run: Callable[..., TrainReport], tmp_path: Path) -> None:
    run(iterations=5, preview_every=5)
    short = sheet(tmp_path / "model" / "preview" / "loss.png")
    run(iterations=10, preview_every=5)
    assert (sheet(tmp_path / "model" / "preview" / "loss.png") != short).any()


def test_tensorboard_gets_a_file_for_every_run(
    run: Callable[..., TrainReport], tmp_path: Path
) -> None:
    for iterations in (4, 8):
        run(
            iterations=iterations,
            tensorboard="on",
            tensorboard_every=2,
            preview_every=4,
            held_out=2,
        )
    first, second = sorted((tmp_path / "model" / "tensorboard").iterdir())
    for part in (
        b"brain.Event:2",
        b"loss/s",
        b"learning rate",
        b"speed/faces a second",
        b"preview",
    ):
        assert part in first.read_bytes()
        assert part in second.read_bytes()
    assert b"goes on" not in first.read_bytes()


def test_the_learning_rate_stands_where_it_changed(
    run: Callable[..., TrainReport], tmp_path: Path
) -> None:
    run(iterations=10, warm_up=4)
    rates = [line.get("rate") for line in read_history(tmp_path / "model" / "history.jsonl")]
    assert rates == [0.0025, 0.005, 0.0075, 0.01, *[None] * 6]


@pytest.mark.slow
def test_nothing_is_compiled_anew_for_a_sheet(
    run: Callable[..., TrainReport], trainer: Shown
) -> None:
    class Part(torch.nn.Module):
        def forward(self, faces: torch.Tensor) -> torch.Tensor:
            return faces * 0.5

    compiled, part = list[Any](), Part()

    def backend(graph: Any, inputs: Any) -> Any:
        compiled.append(graph)
        return graph.forward

    part.compile(backend=backend, dynamic=False)
    step, preview = trainer.step, trainer.preview

    def stepped(batch: TrainBatch) -> Mapping[str, float]:
        part(batch.source.warped)
        return step(batch)

    def shown(batch: TrainBatch) -> Mapping[str, list[Image]]:
        part(batch.source.warped)
        return preview(batch)

    trainer.step, trainer.preview = stepped, shown  # type: ignore[method-assign]
    run(preview_every=2, preview_rows=5, batch_size=3, iterations=4)
    assert len(compiled) == 1
