"""An XSeg of DeepFaceLab's comes in with its optimizer, goes on, and goes back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mien.cli import run_program
from mien.nets.dflfiles import ModelData, Slots, arrays_of, read_data, write_data, write_slots
from mien.testing import FakeContext
from mien.testing.dfl import fill
from mien.training import checkpoint
from mien.training.show.history import read_history
from mien.weights.pickles import load_path
from mien_mask_xseg import LearnOptions
from mien_mask_xseg.net import XSeg
from mien_mask_xseg.trainer import XSegTrainer
from torch import nn

from .test_training import batch


@pytest.fixture
def mien(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)

    def run(*words: Any) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run_program([str(word) for word in words])
        return code, *capsys.readouterr()

    return run


def write_theirs(folder: Path, **options: Any) -> Path:
    """A model as the program keeps it."""
    folder.mkdir()
    net = XSeg()
    fill("XSeg_256", net)
    weights = arrays_of(net.state_dict())
    from mien.nets.dflfiles import save_model

    save_model(nn.ModuleDict({"256": net}), folder / "XSeg")
    slots = {f"XSeg.{name}": np.abs(value) + 0.5 for name, value in weights.items()}
    write_slots(folder / "XSeg_256_opt.npy", Slots(iterations=77, values={"acc": slots}))
    data = ModelData(
        iterations=90,
        options={"face_type": "f", "batch_size": 8, **options},
        losses=np.array([[0.5], [0.25]]),
    )
    write_data(folder / "XSeg_data.dat", data)
    return folder


def test_it_comes_in_and_goes_back(mien: Callable[..., Any], tmp_path: Path) -> None:
    theirs, ours, back = write_theirs(tmp_path / "model"), tmp_path / "ours", tmp_path / "back"
    code, out, err = mien("import", "dfl-model", theirs, "-o", ours, "--json")
    assert code == 0, err
    assert json.loads(out) == {"model": str(ours), "plugin": "xseg", "iteration": 90}
    assert "mien train … --batch-size 4" in err
    card, generation = checkpoint.read_card(ours), checkpoint.latest(ours)
    assert card is not None
    assert generation is not None
    assert (card.face_type, card.size, generation.facts["steps"]) == ("full", 256, {"net": 77})
    losses = [(line["iteration"], line["losses"]) for line in read_history(ours / "history.jsonl")]
    assert losses == [(89, {"mask": 0.5}), (90, {"mask": 0.25})]

    trainer = XSegTrainer(LearnOptions(), FakeContext())
    trainer.load(generation.state())
    wanted = load_path(theirs / "XSeg_256.npy")["conv01/conv/weight:0"].transpose(3, 2, 0, 1)
    assert torch.equal(
        trainer.learners.net.state_dict()["conv01.conv.weight"], torch.tensor(wanted)
    )

    code, _, err = mien("export", "dfl-model", ours, "-o", back)
    assert code == 0, err
    assert sorted(path.name for path in back.iterdir()) == [
        "XSeg_256.npy",
        "XSeg_256_opt.npy",
        "XSeg_data.dat",
    ]
    for name in ("XSeg_256.npy", "XSeg_256_opt.npy"):
        before, after = load_path(theirs / name), load_path(back / name)
        assert before.keys() == after.keys()
        assert all(np.array_equal(value, after[key]) for key, value in before.items())
    data = read_data(back / "XSeg_data.dat")
    assert (data.iterations, data.losses.tolist()) == (90, [[0.5], [0.25]])
    assert data.options["face_type"] == "f"


def test_what_it_lacks_is_said(mien: Callable[..., Any], tmp_path: Path) -> None:
    theirs = write_theirs(tmp_path / "model", face_type="x", pretrain=True)
    code, _, err = mien("import", "dfl-model", theirs, "-o", tmp_path / "ours")
    assert (code, "face_type: must be one of h, mf, f, wf, head" in err) == (5, True)
    (theirs / "XSeg_256.npy").write_bytes(b"cut")
    write_data(
        theirs / "XSeg_data.dat",
        ModelData(iterations=90, options={"face_type": "f"}, losses=np.zeros((0, 1))),
    )
    code, _, err = mien("import", "dfl-model", theirs, "-o", tmp_path / "ours")
    assert code != 0
    assert "XSeg_256.npy" in err
    assert "nothing was imported" in err
    assert not (tmp_path / "ours").exists()


def test_a_net_of_another_size_cannot_go_there(mien: Callable[..., Any], tmp_path: Path) -> None:
    trainer = XSegTrainer(LearnOptions(size=64, base=4), FakeContext())
    trainer.step(batch())
    folder = tmp_path / "small"
    folder.mkdir()
    card = checkpoint.ModelCard(
        plugin="xseg",
        dist_version="1",
        options={"size": 64, "base": 4},
        face_type="whole",
        size=64,
    )
    checkpoint.write_card(folder, card)
    checkpoint.save(folder, trainer.state(), 1)
    code, _, err = mien("export", "dfl-model", folder, "-o", tmp_path / "back")
    assert code == 5
    assert "is no XSeg that DeepFaceLab could use: size is 64, must be 256; base is 4" in err


def test_it_learns_what_faces_are_before_it_learns_masks() -> None:
    options = LearnOptions(size=64, base=4, learning_rate=1e-3, general=True)
    trainer = XSegTrainer(options, FakeContext())
    losses = [trainer.step(batch(2))["grey"] for _ in range(6)]
    assert losses[-1] < losses[0]
    assert set(trainer.preview(batch(2))) == {"source", "source again", "target", "target again"}
    skips = [name for name, _ in trainer.learners.net.named_parameters() if "dense" in name]
    assert all(trainer.learners.net.get_parameter(name).grad is not None for name in skips)
    masks = XSegTrainer(LearnOptions(size=64, base=4), FakeContext())
    masks.load(trainer.state())
    assert "mask" in masks.step(batch(2))
