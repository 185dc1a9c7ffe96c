"""The demo: a finished swap from nothing but installed packages, with and without weights."""

from __future__ import annotations

import av
import numpy as np
import pytest
from mien.cli import run_program
from mien.demo.clips import FRAMES, SIDE, SOURCE, TARGET, KnownFaces, make_sound
from mien.media.plugin import open_source


@pytest.mark.slow
def test_the_demo_makes_a_swapped_clip_with_sound_and_without_weights(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("MIEN_WEIGHTS", raising=False)
    folder = tmp_path / "demo"
    assert run_program(["demo", "-o", str(folder), "--minutes", "0.2"]) == 0
    out, err = capsys.readouterr()
    assert "no weights on this machine" in err
    assert str(folder / "swapped.mp4") in out
    assert (folder / "sheet.png").stat().st_size > 100_000
    source = open_source(folder / "swapped.mp4")
    frames = list(source.frames())
    plates = list(open_source(folder / "astronaut.mp4").frames())
    assert len(frames) == FRAMES
    assert source.info.audio
    for frame, plate in list(zip(frames, plates, strict=True))[::20]:
        gap = np.abs(frame.image.astype(int) - plate.image).mean(-1)
        points = TARGET.points() @ TARGET.matrix(frame.index)[:, :2].T
        points += TARGET.matrix(frame.index)[:, 2]
        x, y = points[27:36].mean(0).round().astype(int)  # the nose
        assert gap[y - 15 : y + 15, x - 15 : x + 15].mean() > 5
        assert gap[:12].mean() < 3


@pytest.mark.parametrize("who", [SOURCE, TARGET], ids=lambda who: who.name)
def test_known_faces_follow_the_movement_of_the_picture(who):
    picture = who.load()
    made = [who.frame(picture, number) for number in (0, 20, 55)]
    for packet in KnownFaces(who)(made):
        (face,) = packet.faces
        assert face.landmarks.min() > 0
        assert face.landmarks.max() < SIDE
        width = face.box[2] - face.box[0]
        assert 80 < width < 300


def test_the_sound_is_as_long_as_the_clip(tmp_path):
    with av.open(str(make_sound(tmp_path / "s.wav"))) as clip:
        assert clip.duration == FRAMES * 1_000_000 // 25
