"""A model that was exported is put into a real clip by the command that users type."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.mark.slow
def test_a_clip_is_swapped_with_a_dfm_as_with_its_folder(
    make_model, mien, shared: Callable[[str], Path], tmp_path
):
    clip = shared("data/clips/grid_man1.mpg")
    folder, file = make_model("df"), tmp_path / "model.dfm"
    code, _, err = mien("export", "dfm", folder, "-o", file)
    assert code == 0, err
    swapped = {}
    for model in (folder, file):
        out = tmp_path / f"{model.name}.mp4"
        words = ("--set", "model.dfm.face_type=full", "--json")
        code, said, err = mien("swap", clip, "--model", model, "-o", out, *words)
        assert code == 0, err
        swapped[model] = json.loads(said)["frames_swapped"]
        assert out.stat().st_size > 0
    assert swapped[folder] == swapped[file] > 0
    run_file = (tmp_path / "model.dfm.mp4.mien.toml").read_text()
    assert f'model = "{file.name}, ' in run_file
    assert '[model.dfm]\nface_type = "full"' in run_file
    assert "[model" not in (tmp_path / f"{folder.name}.mp4.mien.toml").read_text()
    code, _, err = mien(
        "swap", "--config", tmp_path / "model.dfm.mp4.mien.toml", "-o", tmp_path / "again.mp4"
    )
    assert code == 0, err


def test_a_file_that_is_no_model_is_refused_before_anything_is_done(
    mien, shared: Callable[[str], Path], tmp_path
):
    (tmp_path / "a.dfm").write_bytes(b"no model")
    clip = shared("data/clips/grid_man1.mpg")
    code, _, err = mien("swap", clip, "--model", tmp_path / "a.dfm", "-o", tmp_path / "out.mp4")
    assert code == 5
    assert "is no ONNX file that can be run" in err
    assert not list(tmp_path.glob("*.mp4"))


def test_a_finished_model_is_not_trained(mien, tmp_path):
    code, _, err = mien("train", "dfm", "--source", "a", "--target", "b", "-o", tmp_path / "m")
    assert code == 2
    assert "is finished and cannot be trained" in err
