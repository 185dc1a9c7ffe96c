"""Generations: whole or not there, verified, thinned out; a crash loses only what was not saved."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from mien.errors import InputError, OutputError
from mien.training import checkpoint
from mien.training.base import TrainerState


def state(value: float = 1.0) -> TrainerState:
    return TrainerState(
        weights={"a.weight": torch.full((3, 2), value), "a.bias": torch.tensor(value)},
        optimizer={"a.weight/exp_avg": torch.full((3, 2), -value)},
        facts={"net": {"size": 64}},
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "generations").iterdir())


def test_a_saved_generation_is_read_back(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, state(2.5), 120, seconds=3.25)
    seen = checkpoint.latest(tmp_path)
    assert seen is not None
    assert (seen.iteration, seen.seconds, seen.facts) == (120, 3.25, {"net": {"size": 64}})
    loaded, wanted = seen.state(), state(2.5)
    for name, value in wanted.weights.items():
        assert loaded.weights[name].equal(value)
    assert loaded.optimizer["a.weight/exp_avg"].equal(wanted.optimizer["a.weight/exp_avg"])


def test_tensors_in_any_memory_layout_can_be_saved(tmp_path: Path) -> None:
    value = torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last)
    checkpoint.save(tmp_path, TrainerState(weights={"w": value, "t": value.mT}), 1)
    seen = checkpoint.latest(tmp_path)
    assert seen is not None
    assert seen.weights()["w"].equal(value)
    assert seen.weights()["t"].equal(value.mT)


def test_the_newest_and_all_snapshots_are_kept(tmp_path: Path) -> None:
    for iteration in range(1, 6):
        checkpoint.save(tmp_path, state(iteration), iteration, keep=2, snapshot=iteration == 2)
    assert names(tmp_path) == ["000000002", "000000004", "000000005"]


def test_an_empty_folder_has_no_generation(tmp_path: Path) -> None:
    assert checkpoint.latest(tmp_path) is None
    assert checkpoint.read_card(tmp_path) is None


@pytest.mark.parametrize("name", ["weights.safetensors", "optimizer.safetensors", "state.json"])
@pytest.mark.parametrize("harm", ["cut", "flip", "remove"])
def test_a_damaged_generation_is_passed_over(tmp_path: Path, name: str, harm: str) -> None:
    checkpoint.save(tmp_path, state(1), 1)
    newest = checkpoint.save(tmp_path, state(2), 2).folder
    path = newest / name
    content = bytearray(path.read_bytes())
    if harm == "cut":
        path.write_bytes(content[:-10])
    elif harm == "flip":
        content[len(content) // 2] ^= 0x80
        path.write_bytes(content)
    else:
        path.unlink()
    with pytest.raises(InputError, match=r"generation '.*000000002'"):
        checkpoint.open_generation(newest)
    seen = checkpoint.latest(tmp_path)
    assert seen is not None
    assert seen.iteration == 1


def test_a_full_disk_is_a_sentence_and_leaves_the_old_generation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.save(tmp_path, state(1), 1)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError) as error:
        checkpoint.save(tmp_path, state(2), 2)
    assert "iteration 2 cannot be saved (no space left on the disk)" in str(error.value)
    assert names(tmp_path) == ["000000001"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_disk_that_is_really_full_is_the_same_sentence(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, state(1), 1)
    code = (
        "import resource, signal, sys, torch\n"
        "from pathlib import Path\n"
        "from mien.errors import OutputError\n"
        "from mien.training import checkpoint\n"
        "from mien.training.base import TrainerState\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try:\n"
        "    large = TrainerState(weights={'a': torch.ones(99999)})\n"
        "    checkpoint.save(Path(sys.argv[1]), large, 2)\n"
        "except OutputError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert "iteration 2 cannot be saved (" in done.stdout, done.stderr
    assert names(tmp_path) == ["000000001"]


@pytest.mark.slow
def test_killing_the_program_while_it_saves_loses_only_what_was_not_saved(tmp_path: Path) -> None:
    code = (
        "import sys, torch\n"
        "from pathlib import Path\n"
        "from mien.training import checkpoint\n"
        "from mien.training.base import TrainerState\n"
        "for iteration in range(1, 100_000):\n"
        "    value = torch.full((200_000,), float(iteration))\n"
        "    checkpoint.save(Path(sys.argv[1]), TrainerState(weights={'a': value}), iteration)\n"
        "    print(iteration, flush=True)\n"
    )
    for pause in (0.0, 0.011, 0.023):
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / f"{pause}")],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        reported = [int(child.stdout.readline()) for _ in range(3)][-1]
        time.sleep(pause)  # lands in the midst of a save, at another place each time
        child.kill()
        reported = max([reported, *(int(line) for line in child.stdout.read().split())])
        child.wait()
        child.stdout.close()
        seen = checkpoint.latest(tmp_path / f"{pause}")
        assert seen is not None
        assert seen.iteration >= reported
        assert seen.weights()["a"].eq(seen.iteration).all()
        checkpoint.save(tmp_path / f"{pause}", state(), seen.iteration + 1)
        assert len(names(tmp_path / f"{pause}")) == 2


def card() -> checkpoint.ModelCard:
    return checkpoint.ModelCard(
        plugin="tiny", dist_version="1.2", options={"size": 64}, face_type="full", size=64
    )


def test_a_card_is_read_back(tmp_path: Path) -> None:
    checkpoint.write_card(tmp_path / "m", card())
    assert checkpoint.read_card(tmp_path / "m") == card()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2}, "written by a later mien (format 2, this one knows 1)"),
        ({"options": 3}, "its model.json is damaged"),
        ({"size": None}, "its model.json is damaged"),
    ],
)
def test_a_wrong_card_is_named(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    checkpoint.write_card(tmp_path, card())
    path = tmp_path / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError) as error:
        checkpoint.read_card(tmp_path)
    assert words in str(error.value)
    path.write_text("[1]")
    with pytest.raises(InputError, match=r"model\.json is damaged"):
        checkpoint.read_card(tmp_path)
