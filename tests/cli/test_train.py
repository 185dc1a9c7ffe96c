"""`mien train` from the command line: what it tells, what it leaves, what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from mien.arrays import Image
from mien.cli import progress
from mien.faceset import FaceRecord, write_face
from mien.geometry import crop_matrix, transform
from mien.hooks import hookimpl
from mien.registry import Registry
from mien.stages import ModelProvider
from mien.testing.fakes import face_at, picture
from mien.training.base import TrainBatch, TrainerState
from mien.training.learning.learners import Learners
from mien.training.learning.optimizers import Adam
from mien.types import CropSpec, FaceType

TITLES = ("source", "source again", "target", "target again", "swap")


class Brightness:
    """A model that learns how bright both people are."""

    input_size = output_size = 16
    spec = CropSpec(size=16)

    def __init__(self) -> None:
        net = torch.nn.Module()
        net.gain = torch.nn.Parameter(torch.full((2, 3, 1, 1), 0.5))
        self.learners = Learners(
            model="brightness",
            config=SimpleNamespace(),
            net=net,
            optimizer=Adam(net.parameters(), lr=0.01),
            judges={},
        )
        self._gain = net.gain

    def step(self, batch: TrainBatch) -> Mapping[str, float]:
        sides = {"source": batch.source, "target": batch.target}
        losses = {
            name: (side.warped * gain - side.face).square().mean()
            for (name, side), gain in zip(sides.items(), self._gain, strict=True)
        }
        optimizer = self.learners.optimizer
        optimizer.zero_grad()
        optimizer.backward(losses["source"] + losses["target"])
        optimizer.step()
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def preview(self, batch: TrainBatch) -> Mapping[str, list[Image]]:
        pairs = ((batch.source, 0), (batch.target, 1))
        with torch.no_grad():
            made = [part for side, i in pairs for part in (side.face, side.warped * self._gain[i])]
            made.append(batch.target.warped * self._gain[0])
        return {
            title: [face.permute(1, 2, 0).clamp(0, 1).numpy() for face in faces]
            for title, faces in zip(TITLES, made, strict=True)
        }

    def state(self) -> TrainerState:
        return TrainerState(weights={"gain": self._gain.detach()})

    def load(self, state: TrainerState) -> None:
        with torch.no_grad():
            self._gain.copy_(state.weights["gain"])


@hookimpl
def mien_models() -> list[ModelProvider]:
    return [
        ModelProvider(
            name="brightness",
            summary="Learns how bright people are",
            create=lambda options, context, generation: None,  # type: ignore[arg-type,return-value]
            train=lambda options, context: Brightness(),
        )
    ]


@pytest.fixture
def train(
    registry: Registry, mien: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """Trains the brightness of two people into `tmp_path/out`."""
    registry.add("bright", "1", SimpleNamespace(__name__="bright", mien_models=mien_models))
    for side in ("one", "other"):
        for index in range(8):
            points = face_at(60, 50, 40).landmarks
            matrix = crop_matrix(points, FaceType.FULL, 32)
            record = FaceRecord(
                face_type=FaceType.FULL,
                size=32,
                matrix=matrix,
                landmarks=transform(matrix, points),
                frame_landmarks=points,
                box=(30.0, 20.0, 90.0, 80.0),
                frame_index=index,
            )
            image = picture(32, 32, seed=index + 100 * len(side)).astype(np.uint8)
            write_face(tmp_path / side, f"{index:03d}", image, record, format="png")

    def run(*words: Any) -> tuple[int, str, str]:
        fixed = ("--source", "one", "--target", "other", "-o", "out", "--device", "cpu")
        small = ("--batch-size", 2, "--iterations", 20, "--tensorboard", "off")
        return mien("train", "brightness", *fixed, *small, *words)

    return run


def test_the_answer_for_programs_has_figures_pace_and_verdict(
    train: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    code, out, _ = train("--json", "--held-out", 2, "--held-out-every", 5, "--progress", "none")
    assert code == 0
    answer = json.loads(out)
    assert (answer["iteration"], answer["ended"]) == (20, "iterations")
    assert set(answer["losses"]) == {"source", "target"}
    assert {"source dssim", "target mae", "error", "landmarks", "identity"} <= set(
        answer["figures"]
    )
    assert answer["faces_per_second"] > 0
    assert answer["verdict"].startswith("too early to say")
    assert (tmp_path / "out" / "preview" / "latest.png").is_file()


def test_progress_for_programs_has_the_figures_of_the_panel(
    train: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "JSON_SECONDS", 0.0)
    _, _, err = train("--progress", "json")
    facts = [line["facts"] for line in map(json.loads, err.splitlines()) if "facts" in line]
    names = {"source", "target", "ms an iteration", "faces a second", "seconds since the save"}
    assert names <= set(facts[-1])


def test_people_read_the_verdict(train: Callable[..., tuple[int, str, str]]) -> None:
    _, out, _ = train("--progress", "none")
    assert "too early to say" in out
    assert out.splitlines()[-1] == "look at it: out/preview/latest.png"


def test_a_measuring_plugin_that_is_not_installed_is_an_error(
    train: Callable[..., tuple[int, str, str]],
) -> None:
    code, _, err = train("--held-out-embedder", "absent")
    assert code == 3
    assert "'absent'" in err


def test_too_many_held_out_faces_are_refused(train: Callable[..., tuple[int, str, str]]) -> None:
    code, _, err = train("--held-out", 5)
    assert code == 2
    assert "train.held_out: 5 faces are to be held out, but faceset 'one' holds 8" in err


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (("--no-warp",), "--no-warp is another program's; say --warp 0"),
        (("--input-A", "a"), "say --target FACES: A is the person of the clip"),
        (("--input-A=a",), "say --target FACES: A is the person of the clip"),
        (("--training-data-src-dir", "a"), "say --source FACES"),
        (("--cpu-only",), "say --device cpu"),
    ],
)
def test_flags_of_other_programs_are_answered_with_ours(
    registry: Registry,
    mien: Callable[..., tuple[int, str, str]],
    words: tuple[str, ...],
    advice: str,
) -> None:
    code, _, err = mien("train", *words)
    assert code == 2
    assert advice in err


def test_no_help_shows_them(mien: Callable[..., tuple[int, str, str]]) -> None:
    _, out, _ = mien("train", "--help")
    assert "--no-warp" not in out
    assert "--batch N|auto" in out


def test_a_batch_of_what_fits(
    train: Callable[..., tuple[int, str, str]], mien: Callable[..., tuple[int, str, str]]
) -> None:
    fixed = ("--source", "one", "--target", "other", "-o", "out", "--device", "cpu")
    code, _, err = mien("train", "brightness", *fixed, "--batch", "auto", "--iterations", 2)
    assert code == 0
    assert "learns from 16 faces of each person at once" in err
    code, _, err = train("--batch", "many")
    assert (code, "--batch many: must be a number of faces, or auto" in err) == (2, True)
    code, _, err = train("--batch", 4)
    assert code == 2
    assert "--batch 4 and --batch-size 2 are the same setting; give one of them" in err


def test_a_process_that_only_helps_shows_nothing(
    train: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    code, out, err = train("--iterations", 2)
    assert (code, out) == (0, "")
    assert all(line.startswith("note: ") for line in err.splitlines())


def test_nothing_more_to_learn_is_said(train: Callable[..., tuple[int, str, str]]) -> None:
    train("--iterations", 2)
    code, out, err = train("--iterations", 2, "--progress", "none")
    assert code == 0
    assert out.splitlines()[0] == "out: iteration 2 (0 in this run)"
    assert "is at iteration 2 already, and 2 are asked for" in err


def test_options_that_a_damaged_model_names_are_said(
    train: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    train("--iterations", 2)
    path = tmp_path / "out" / "model.json"
    card = json.loads(path.read_text())
    path.write_text(json.dumps(card | {"options": {"colour": 3}}))
    code, _, err = train("--iterations", 4)
    assert code == 2
    assert "out/model.json: colour: no such option" in err
    assert "put back a copy of out/model.json, or correct these options in it" in err
