"""Renders that go on: segments, what they are joined to, and what is thrown away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from mien.errors import InputError, OutputError
from mien.media.base import OutputPlan
from mien.media.join import JoinWriter, Part, Shown
from mien.media.plugin import open_writer
from mien.media.segments import SegmentWriter
from mien.media.video import VideoSource
from mien.media.write import VideoWriter
from mien.media.write_pictures import PictureWriter
from mien.types import replace

MakeClip = Callable[..., Path]
PlanFor = Callable[..., OutputPlan]


def frames_of(path: Path) -> list[Any]:
    return list(VideoSource(path).frames())


def sound_of(path: Path) -> list[tuple[Any, bytes]]:
    with av.open(str(path)) as clip:
        packets = [packet for packet in clip.demux(audio=0) if packet.size]
        return [(packet.pts * packet.time_base, bytes(packet)) for packet in packets]


def written(source: VideoSource, path: Path, plan: OutputPlan, stop: int | None = None) -> Any:
    writer = SegmentWriter(path, plan, length=8)
    for frame in source.frames(writer.resumes_at, stop):
        writer.write(frame)
    return writer


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".mp4", {"preset": "medium"}), (".mov", {"preset": "medium"}),
        (".mkv", {"preset": "medium"}), (".avi", {"preset": "medium"}),
        (".mp4", {"codec": "ffv1"}), (".mkv", {"codec": "ffv1"}), (".avi", {"codec": "ffv1"}),
        (".mov", {"codec": "prores"}), (".mp4", {"codec": "h265"}), (".mkv", {"codec": "h265"}),
    ],
)  # fmt: skip
def test_a_render_gone_on_with_is_the_render_that_was_never_stopped(
    make_clip: MakeClip, plan_for: PlanFor, tmp_path: Path, suffix: str, options: dict[str, str]
) -> None:
    source = VideoSource(make_clip("in.mkv", 29, sound="aac", sound_seconds=1.2))
    plan = replace(plan_for(source.info, **options), resume="a")
    whole = written(source, tmp_path / f"whole{suffix}", plan).finish()
    out = tmp_path / f"out{suffix}"
    stopped = written(source, out, plan, 21)
    assert stopped.keep_partial() == tmp_path / f"out{suffix}.segments"
    again = SegmentWriter(out, plan, length=8)
    assert again.resumes_at == 16
    again = written(source, out, plan)
    assert again.finish() == out
    assert not again.partial.exists()
    one, other = frames_of(whole), frames_of(out)
    assert len(one) == len(other) == 29
    assert [frame.seconds for frame in one] == [frame.seconds for frame in other]
    for before, after in zip(one, other, strict=True):
        np.testing.assert_array_equal(before.image, after.image)
    assert sound_of(whole) == sound_of(out)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_segments_keep_the_times_and_the_sound_that_one_file_has(
    make_clip: MakeClip, plan_for: PlanFor, times: Any, tmp_path: Path, suffix: str
) -> None:
    stamps = [0, 512, 1024, 1536, 9000, 9100, 9612, 20000, 20512, 21024, 30000, 30512, 31024, 40000]
    source = VideoSource(make_clip("in.mp4", pts=stamps, sound="aac", sound_seconds=3.0))
    plan = plan_for(source.info, preset="medium")
    single = VideoWriter(tmp_path / f"single{suffix}", plan)
    for frame in source.frames():
        single.write(frame)
    joined = written(source, tmp_path / f"out{suffix}", replace(plan, resume="a")).finish()
    assert times(joined) == times(single.finish())
    assert sound_of(joined) == sound_of(tmp_path / f"single{suffix}")


def test_other_settings_begin_anew_and_say_so(
    make_clip: MakeClip, plan_for: PlanFor, tmp_path: Path
) -> None:
    source = VideoSource(make_clip("in.mp4", 20))
    plan = replace(plan_for(source.info), resume="a")
    written(source, tmp_path / "out.mp4", plan, 17).keep_partial()
    writer = SegmentWriter(tmp_path / "out.mp4", replace(plan, resume="b"), length=8)
    assert writer.resumes_at == 0
    assert writer.notes == ["input, settings or versions have changed: the render begins anew"]


@pytest.mark.parametrize("harm", ["cut", "card", "gone"])
def test_a_damaged_segment_is_rendered_again(
    make_clip: MakeClip, plan_for: PlanFor, tmp_path: Path, harm: str
) -> None:
    source = VideoSource(make_clip("in.mp4", 28))
    plan = replace(plan_for(source.info), resume="a")
    folder = written(source, tmp_path / "out.mp4", plan, 25).keep_partial()
    segment = folder / "000001.mp4"
    if harm == "cut":
        segment.write_bytes(segment.read_bytes()[:-9])
    elif harm == "card":
        segment.with_suffix(".json").write_bytes(b"{")
    else:
        segment.unlink()
    assert SegmentWriter(tmp_path / "out.mp4", plan, length=8).resumes_at == 8


def test_a_strange_folder_is_not_touched(
    make_clip: MakeClip, plan_for: PlanFor, tmp_path: Path
) -> None:
    source = VideoSource(make_clip("in.mp4", 3))
    (tmp_path / "out.mp4.segments").mkdir()
    (tmp_path / "out.mp4.segments" / "diary.txt").touch()
    with pytest.raises(OutputError, match="holds other files; move them away"):
        SegmentWriter(tmp_path / "out.mp4", replace(plan_for(source.info), resume="a"))


def test_pictures_are_gone_on_with_by_a_writer_of_their_own(
    make_clip: MakeClip, plan_for: PlanFor, tmp_path: Path
) -> None:
    plan = replace(plan_for(VideoSource(make_clip("in.mp4", 3)).info), resume="a")
    assert isinstance(open_writer(tmp_path / "out.mkv", plan), SegmentWriter)
    assert isinstance(open_writer(tmp_path / "out", plan), PictureWriter)


def test_parts_that_do_not_fit_are_refused_and_nothing_is_left(
    make_clip: MakeClip, plan_for: PlanFor, tmp_path: Path
) -> None:
    one, other = make_clip("one.mp4", 4), make_clip("other.mp4", 4, size=(32, 32))
    info = VideoSource(one).info
    shown = [Shown(seconds=n * 1 / info.rate, duration=1 / info.rate) for n in range(8)]
    fitting = Part(path=one, frames=shown[:4])
    for second, error, words in (
        (Part(path=other, frames=shown[4:]), OutputError, "is encoded otherwise than"),
        (Part(path=one, frames=shown[4:7]), InputError, "holds 4 packets for 3 frames"),
    ):
        writer = JoinWriter(tmp_path / "out.mp4", plan_for(info))
        with pytest.raises(error, match=words):
            writer.join([fitting, second], info.time_base, 7)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.mp4", "other.mp4"]


KILLED = """
import os, signal, sys
from dataclasses import replace
from mien.media.base import OutputOptions, OutputPlan
from mien.media.segments import SegmentWriter
from mien.media.video import VideoSource
from mien.media.write_pictures import PictureWriter
source = VideoSource(sys.argv[1])
plan = OutputPlan(target=source.info, options=OutputOptions(), resume="a")
writer = SegmentWriter(sys.argv[2], plan, length=8)
for frame in source.frames():
    writer.write(frame)
    if frame.index == 20:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_killed_render_goes_on_behind_its_last_segment(
    make_clip: MakeClip, tmp_path: Path, plan_for: PlanFor
) -> None:
    clip, out = make_clip("in.mp4", 30), tmp_path / "out.mp4"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", KILLED, clip, out], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    source = VideoSource(clip)
    plan = replace(plan_for(source.info, preset="veryfast"), resume="a")
    whole = written(source, tmp_path / "whole.mp4", plan).finish()
    writer = SegmentWriter(out, plan, length=8)
    assert writer.resumes_at == 16
    again = written(source, out, plan).finish()
    for before, after in zip(frames_of(whole), frames_of(again), strict=True):
        np.testing.assert_array_equal(before.image, after.image)


FULL = """
import sys
import numpy as np
from mien.errors import OutputError
from mien.media.base import ClipInfo, OutputOptions, OutputPlan
from mien.media.segments import SegmentWriter
from mien.types import Frame
info = ClipInfo(uri="x", width=64, height=48, pixel_format="yuv420p")
plan = OutputPlan(target=info, options=OutputOptions(quality=1), resume="a")
writer = SegmentWriter(sys.argv[1], plan, length=8)
try:
    for n in range(2000):
        image = np.random.default_rng(n).integers(0, 256, (48, 64, 3)).astype(np.uint8)
        writer.write(Frame(index=n, image=image, pts=n, duration=1))
    writer.finish()
except OutputError as error:
    print(error)
    print(writer.keep_partial())
    print(SegmentWriter(sys.argv[1], plan, length=8).resumes_at)
"""


def test_a_full_disk_keeps_the_segments(tiny_disk: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", FULL, tiny_disk / "out.mkv"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    sentence, kept, goes_on_at = done.stdout.strip().splitlines()
    assert "no space left on the disk" in sentence
    assert kept == str(tiny_disk / "out.mkv.segments")
    assert int(goes_on_at) >= 16
    assert int(goes_on_at) % 8 == 0


def test_segments_that_could_not_be_joined_are_joined_by_the_next_run(
    make_clip: MakeClip, plan_for: PlanFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = VideoSource(make_clip("in.mkv", 20))
    plan = replace(plan_for(source.info), resume="a")

    def full(*_: Any) -> Path:
        raise OutputError("out.mkv: the parts cannot be joined (no space left on the disk)")

    with monkeypatch.context() as patched:
        patched.setattr(JoinWriter, "join", full)
        with pytest.raises(OutputError) as caught:
            written(source, tmp_path / "out.mkv", plan).finish()
    assert str(caught.value) == (
        "out.mkv: the parts cannot be joined (no space left on the disk); its segments are kept in "
        "'out.mkv.segments', and the same command joins them"
    )
    assert written(source, tmp_path / "out.mkv", plan).finish() == tmp_path / "out.mkv"
    assert len(frames_of(tmp_path / "out.mkv")) == 20
