"""No frame is lost to the muxer: whatever the length of the clip, every frame can be decoded."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from mien.demo.clips import make_sound
from mien.media.base import ClipInfo, OutputOptions, OutputPlan
from mien.media.durations import mend_durations
from mien.media.plugin import open_writer
from mien.types import Frame


def write(path, count, rate, sound=None, first=0):
    base = np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    base = np.repeat(np.repeat(base, 4, 0), 4, 1)
    info = ClipInfo(uri="x", width=64, height=64, frames=count, rate=Fraction(rate))
    plan = OutputPlan(
        target=info, options=OutputOptions(), audio_from=str(sound) if sound else None
    )
    writer = open_writer(path, plan)
    for number in range(count):
        image = np.ascontiguousarray(np.roll(base, number * 2, axis=1))
        writer.write(
            Frame(
                index=number,
                pts=first + number,
                time_base=Fraction(1, rate),
                duration=1,
                image=image,
            )
        )
    writer.finish()


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("rate", [8, 25])
def test_every_frame_of_a_clip_of_any_length_can_be_decoded(tmp_path, rate, suffix):
    path = tmp_path / f"clip{suffix}"
    for count in [*range(1, 2 * rate + 4), 3 * rate + 1]:
        write(path, count, rate, first=5)
        with av.open(str(path)) as clip:
            stamps = [frame.pts * frame.time_base for frame in clip.decode(video=0)]
        assert stamps == [Fraction(number, rate) for number in range(count)]


def test_sound_and_picture_both_reach_their_end(tmp_path):
    sound = make_sound(tmp_path / "s.wav")
    path = tmp_path / "clip.mp4"
    for count in (50, 51, 52, 76):
        write(path, count, 25, sound)
        with av.open(str(path)) as clip:
            assert sum(1 for _ in clip.decode(video=0)) == count
        with av.open(str(path)) as clip:
            heard = sum(frame.samples for frame in clip.decode(audio=0))
        wanted = min(count, 75) * 44_100 // 25
        assert -1024 <= heard - wanted <= 4 * 1024  # whole packets, and the encoder's lead-in


def test_a_clip_that_is_right_is_left_alone(tmp_path):
    path = tmp_path / "clip.mp4"
    write(path, 30, 25)
    before = path.read_bytes()
    mend_durations(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"\0\0\0\x08free", b"\0\0\0\0mdat", b"no box at all"])
def test_a_file_without_tracks_is_left_alone(tmp_path, content):
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    mend_durations(path)
    assert path.read_bytes() == content
