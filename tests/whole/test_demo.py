"""The demo: a finished swap from nothing but installed packages, with no weights from outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from mien.cli import run_program
from mien.demo.clips import FRAMES, SOURCE, TARGET, Photograph, make_sound
from mien.faceset import Faceset
from mien.geometry import transform
from mien.media.plugin import open_source

POINTS = json.loads((Path(__file__).parent / "demo_points.json").read_text(encoding="utf-8"))
"""The 68 points of the two photographs, in their pixels."""


def points(who: Photograph, number: int) -> Any:
    return transform(who.matrix(number), np.array(POINTS[who.name]))


@pytest.mark.slow
def test_the_demo_makes_a_swapped_clip_with_sound_and_without_weights(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("MIEN_WEIGHTS", raising=False)
    folder = tmp_path / "demo"
    assert run_program(["demo", "-o", str(folder), "--minutes", "0.2"]) == 0
    out, _ = capsys.readouterr()
    assert str(folder / "swapped.mp4") in out
    assert (folder / "sheet.png").stat().st_size > 100_000
    source = open_source(folder / "swapped.mp4")
    frames = list(source.frames())
    plates = list(open_source(folder / "astronaut.mp4").frames())
    assert len(frames) == FRAMES
    assert source.info.audio
    for frame, plate in list(zip(frames, plates, strict=True))[::20]:
        gap = np.abs(frame.image.astype(int) - plate.image).mean(-1)
        x, y = points(TARGET, frame.index)[27:36].mean(0).round().astype(int)  # the nose
        assert gap[y - 15 : y + 15, x - 15 : x + 15].mean() > 5
        assert gap[:12].mean() < 3
    for who in (SOURCE, TARGET):
        found = {
            face.record.frame_index: face.record.frame_landmarks
            for face in Faceset(folder / "faces" / who.name)
        }
        assert len(found) == FRAMES
        errors = [
            np.linalg.norm(marks - points(who, number), axis=1).mean()
            / np.linalg.norm(np.subtract(*points(who, number)[[36, 45]]))
            for number, marks in found.items()
        ]
        assert np.mean(errors) < 0.05, who.name


def test_the_sound_is_as_long_as_the_clip(tmp_path):
    with av.open(str(make_sound(tmp_path / "s.wav"))) as clip:
        assert clip.duration == FRAMES * 1_000_000 // 25
