"""The smallest models of the real plugins, begun in model folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mien.cli import run_program
from mien.config import Config, Setting
from mien.jobs.run import Run, make_run
from mien.options import parse, plain
from mien.registry import Registry
from mien.stages import ModelProvider
from mien.testing import FakeContext
from mien.training import checkpoint
from mien.training.base import Side, TrainBatch

SMALL = {"resolution": 64, "ae_dims": 32, "e_dims": 16, "d_dims": 16, "d_mask_dims": 16}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "df": ("saehd", {**SMALL, "archi": "df-ud", "gan_power": 0.1, "true_face_power": 0.01}),
    "liae": ("saehd", {**SMALL, "archi": "liae-udtc", "face_type": "head"}),
    "amp": ("amp", {**SMALL, "inter_dims": 32, "gan_power": 0.1}),
    "original": ("original", {"width": 0.0625}),
}


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration or cache of this machine takes part; tiny tensors want one thread."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def installed() -> Registry:
    return Registry.installed()


@pytest.fixture
def make_trainer(installed: Registry) -> Callable[..., Any]:
    """A trainer of one of the models, with options changed."""

    def make(name: str, **changes: Any) -> tuple[Any, Any]:
        plugin, options = MODELS[name]
        provider = installed.get(ModelProvider, plugin)
        chosen = parse(provider.options, {**options, **changes})
        return provider.train(chosen, FakeContext()), chosen

    return make


def batch_for(trainer: Any, seed: int = 0) -> TrainBatch:
    generator = torch.Generator().manual_seed(seed)

    def side() -> Side:
        into, out = trainer.input_size, trainer.output_size
        return Side(
            warped=torch.rand(2, 3, into, into, generator=generator),
            face=torch.rand(2, 3, out, out, generator=generator),
            mask=torch.ones(2, 1, out, out),
            focus=torch.zeros(2, 1, out, out),
        )

    return TrainBatch(source=side(), target=side())


@pytest.fixture
def make_model(make_trainer: Callable[..., Any], tmp_path: Path) -> Callable[..., Path]:
    """The folder of a model that learned one step and says that it is at iteration 7."""

    def make(name: str, **changes: Any) -> Path:
        trainer, options = make_trainer(name, **changes)
        trainer.step(batch_for(trainer))
        folder = tmp_path / f"model-{name}"
        folder.mkdir()
        card = checkpoint.ModelCard(
            plugin=MODELS[name][0],
            dist_version="1",
            options=plain(options),
            face_type=trainer.spec.face_type.value,
            size=trainer.spec.size,
        )
        checkpoint.write_card(folder, card)
        checkpoint.save(folder, trainer.state(), 7)
        return folder

    return make


@pytest.fixture
def make_job(installed: Registry) -> Callable[..., Run]:
    """A run with settings, whose events keep their notes."""

    def make(**settings: Any) -> Run:
        given = [
            Setting(key=key.replace("__", "."), value=value, origin="the test")
            for key, value in settings.items()
        ]
        return make_run("test", installed, Config(installed, given))

    return make


@pytest.fixture
def mien(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs the program; exit code, stdout, stderr."""

    def run(*words: Any) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run_program([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return run
