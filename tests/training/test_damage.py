"""What a training finds in its folder when somebody, or something, was there in between."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from mien.errors import ConfigError, InputError, OutputError, PluginError, StageError
from mien.stages import ModelProvider
from mien.training import checkpoint, saving
from mien.training.base import TrainBatch
from mien.training.data import kept
from mien.training.options import TrainOptions
from mien.training.processes import Processes
from mien.training.progress import TrainReport
from mien.training.standing import Standing
from mien.types import FaceType

from .conftest import TinyTrainer, make_tiny
from .test_course import poisoned

Run = Callable[..., TrainReport]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def cut(folder: Path, iteration: int, name: str = checkpoint.WEIGHTS) -> Path:
    """Cut a file of a generation short."""
    path = folder / "generations" / f"{iteration:09d}" / name
    path.write_bytes(path.read_bytes()[:100])
    return path


@pytest.mark.parametrize("name", [checkpoint.WEIGHTS, checkpoint.OPTIMIZER, checkpoint.STATE])
def test_a_damaged_newest_generation_is_passed_over_said_and_set_aside(
    run: Run, tmp_path: Path, name: str
) -> None:
    run(iterations=20, save_every=10)
    cut(tmp_path / "model", 20, name)
    report = run(iterations=24, save_every=10)
    assert (report.steps, report.iteration) == (14, 24)
    (note,) = (note for note in report.notes if "passed over" in note)
    assert "000000020" in note
    assert name in note
    assert names(tmp_path / "model" / "set-aside") == ["000000020"]
    assert names(tmp_path / "model" / "generations") == ["000000020", "000000024"]


def test_where_nothing_is_whole_a_training_does_not_begin_anew_over_it(
    run: Run, tmp_path: Path
) -> None:
    run(iterations=20, save_every=10)
    for iteration in (10, 20):
        cut(tmp_path / "model", iteration)
    before = names(tmp_path / "model" / "generations")
    with pytest.raises(InputError) as error:
        run()
    assert "nothing that is saved there is whole; the newest: generation" in str(error.value)
    assert str(error.value).endswith("Put back a copy, or train into another folder")
    assert names(tmp_path / "model" / "generations") == before


def test_a_generation_of_a_later_version_is_not_passed_over(run: Run, tmp_path: Path) -> None:
    run(iterations=20, save_every=10)
    path = tmp_path / "model" / "generations" / "000000020" / checkpoint.STATE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    with pytest.raises(InputError, match="written by a later mien; update mien to read it"):
        run()


def test_a_lost_model_json_is_written_anew_and_said(run: Run, tmp_path: Path) -> None:
    run(iterations=2)
    (tmp_path / "model" / "model.json").unlink()
    report = run(iterations=3)
    assert report.steps == 1
    assert any("has no model.json; it is written anew" in note for note in report.notes)
    assert checkpoint.read_card(tmp_path / "model") is not None


def test_a_file_is_no_folder_of_a_model(run: Run, tmp_path: Path) -> None:
    (tmp_path / "model").touch()
    with pytest.raises((InputError, OutputError), match="is a file; name a folder"):
        run()


def test_whoever_keeps_less_has_room_before_the_next_save(run: Run, tmp_path: Path) -> None:
    run(iterations=4, save_every=1, keep=4)
    run(iterations=4, keep=1)
    assert names(tmp_path / "model" / "generations") == ["000000004"]


def test_a_training_that_saved_nothing_may_begin_in_another_way(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    provider, kind = _with_a_face_type()
    run(provider=provider, own=kind(), iterations=2)
    shutil.rmtree(folder / "generations")
    run(provider=provider, own=kind(face_type=FaceType.WHOLE), iterations=2)
    card = checkpoint.read_card(folder)
    assert card is not None
    assert card.options == {"face_type": "whole"}
    run(provider=provider, own=kind(face_type=FaceType.WHOLE), iterations=4)
    assert checkpoint.read_card(folder) == card


def test_few_faces_are_said(run: Run) -> None:
    notes = [note for note in run(iterations=1).notes if "few" in note]
    assert [note.split(": ")[1] for note in notes] == ["has few faces (5)", "has few faces (7)"]


def test_a_training_that_has_all_its_iterations_says_how_it_goes_on(run: Run) -> None:
    run(iterations=4)
    (note,) = (note for note in run(iterations=4).notes if "already" in note)
    assert note == "is at iteration 4 already, and 4 are asked for; raise train.iterations to go on"


def test_nothing_is_saved_twice_where_a_lost_model_went_back(run: Run, tmp_path: Path) -> None:
    saved = []

    def hear(event: Any) -> None:
        if event.event == "saved":
            saved.append(event.iteration)

    run(provider=poisoned(14), save_every=10, progress=hear)
    assert saved == [10, 20]
    saved.clear()
    run("other", provider=poisoned(5), save_every=10, progress=hear)
    assert saved == [10, 20]


# --- stages of a plan ---------------------------------------------------------------------------

TWO = '[[stage]]\nname = "one"\nuntil = { iterations = 4 }\n[[stage]]\nname = "two"\n'


def plan(folder: Path, second: str = "") -> str:
    path = folder / "plan.toml"
    path.write_text(TWO + second)
    return str(path)


def test_faces_are_decoded_once_for_all_stages(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded, load = [], kept.load_both

    def counted(*words: Any, **options: Any) -> Any:
        decoded.append(words)
        return load(*words, **options)

    monkeypatch.setattr(kept, "load_both", counted)
    report = run(plan=plan(tmp_path, "train = { warp = 0.0 }"), iterations=8)
    assert report.iteration == 8
    assert len(decoded) == 1
    run("larger", plan=plan(tmp_path, "train = { memory = 2 }"), iterations=8)
    assert len(decoded) == 3


@pytest.mark.parametrize(
    ("second", "kind", "said"),
    [
        ("train = { color_transfer = 'none-such' }", PluginError, "none-such"),
        ("train = { warpp = 1 }", ConfigError, "plan: two: train: warpp"),
        ("train = { compile = 'graphs' }", ConfigError, "graphs are CUDA's"),
        ("train = { pretrain = 'nowhere' }", InputError, "there is no such folder"),
    ],
)
def test_a_stage_that_cannot_be_is_refused_before_the_first_begins(
    run: Run, tmp_path: Path, second: str, kind: type[Exception], said: str
) -> None:
    def transfer(name: str) -> Any:
        raise PluginError(f"no color named '{name}' is installed")

    with pytest.raises(kind, match=said):
        run(plan=plan(tmp_path, second), iterations=8, transfer=transfer)
    assert not (tmp_path / "model" / "generations").exists()


def test_a_model_that_a_later_stage_asks_for_must_be_possible(run: Run, tmp_path: Path) -> None:
    def make(options: Any, context: Any) -> Any:
        if options.wrong:
            raise ConfigError("wrong: cannot be")
        return make_tiny().train(options, context)

    provider, options = _with_an_option(make)
    with pytest.raises(ConfigError, match="plan: two: model: wrong: cannot be"):
        run(provider=provider, own=options, plan=plan(tmp_path, "model = { wrong = true }"))


def _with_an_option(make: Callable[..., Any]) -> tuple[ModelProvider, Any]:
    from dataclasses import dataclass

    from mien.options import option

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Options:
        wrong: bool = option(False, "Whether it cannot be made")

    tiny = make_tiny()
    return ModelProvider(
        name="tiny", summary=tiny.summary, options=Options, create=tiny.create, train=make
    ), Options()


# --- what a model cannot change on its way ------------------------------------------------------


def test_the_face_type_stays(run: Run, tmp_path: Path) -> None:
    provider, kind = _with_a_face_type()
    run(provider=provider, own=kind(), iterations=2)
    wanted = "model.tiny.face_type: stays full, as the model was begun, and whole is asked for"
    with pytest.raises(ConfigError, match=wanted):
        run(provider=provider, own=kind(face_type=FaceType.WHOLE), iterations=4)
    second = "model = { face_type = 'whole' }"
    with pytest.raises(ConfigError, match=wanted):
        run(provider=provider, own=kind(), plan=plan(tmp_path, second), iterations=8)


def _with_a_face_type() -> tuple[ModelProvider, type]:
    from dataclasses import dataclass

    from mien.options import option

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Options:
        face_type: FaceType = option(FaceType.FULL, "How much of the head")

    tiny = make_tiny()
    return ModelProvider(
        name="tiny", summary=tiny.summary, options=Options, create=tiny.create, train=tiny.train
    ), Options


def test_a_lost_device_is_said_in_one_sentence(run: Run) -> None:
    class Lost(TinyTrainer):
        def step(self, batch: TrainBatch) -> Mapping[str, float]:
            if self.steps == 12:
                raise RuntimeError("CUDA error: unspecified launch failure\nmore of it")
            return super().step(batch)

    tiny = make_tiny()
    provider = ModelProvider(
        name="tiny", summary=tiny.summary, create=tiny.create, train=lambda o, c: Lost()
    )
    with pytest.raises(StageError) as error:
        run(provider=provider, save_every=10)
    assert str(error.value) == (
        "the GPU was lost in iteration 13 (CUDA error: unspecified launch failure); the model "
        "stands at iteration 10, the last one saved.  The same command goes on"
    )


# --- time that counts ---------------------------------------------------------------------------


def test_time_that_led_nowhere_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(saving.time, "monotonic", lambda: now[0])
    saver = saving.Saver(tmp_path, TrainOptions(), Processes())
    standing = Standing(stage=1, seconds=50.0)
    now[0] += 10
    path = saver.save(TinyTrainer().state(), 5, standing)
    assert path is not None
    generation = checkpoint.open_generation(path)
    assert (generation.seconds, generation.facts["standing"]["seconds"]) == (10.0, 60.0)

    now[0] += 1000  # and then it lost its way
    saver.forget()
    saver.loaded(generation)
    standing.go_back(generation.facts)
    now[0] += 3
    assert (standing.seconds, saver.spent) == (60.0, 3.0)
    path = saver.save(TinyTrainer().state(), 8, standing)
    assert path is not None
    again = checkpoint.open_generation(path)
    assert (again.seconds, again.facts["standing"]["seconds"]) == (13.0, 63.0)

    standing.stage = 2
    standing.go_back(again.facts)  # it was saved in the stage before
    assert standing.seconds == 0.0
    saver.forget()
    now[0] += 2
    assert saver.spent == 2.0
