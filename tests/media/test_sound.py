"""The target's sound: copied to the byte, in sync, no longer than it should be."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from mien.media.base import OutputPlan
from mien.media.video import VideoSource
from mien.media.write import VideoWriter
from mien.types import replace

MakeClip = Callable[..., Path]
PlanFor = Callable[..., OutputPlan]
TICK = Fraction(1, 500)


def sound(path: Path, track: int = 0) -> tuple[list[bytes], list[Fraction]]:
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(audio=track) if p.dts is not None]
        return [bytes(p) for p in packets], [p.pts * p.time_base for p in packets]


def offset(path: Path) -> Fraction:
    """How long after the first frame the sound begins."""
    first = next(VideoSource(path).frames())
    return sound(path)[1][0] - first.seconds


def passed(source: VideoSource, path: Path, plan: OutputPlan, *part: int) -> VideoWriter:
    writer = VideoWriter(path, plan)
    for frame in source.frames(*part):
        writer.write(frame)
    writer.finish()
    return writer


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".mp4", "aac"), (".mov", "aac"), (".mkv", "aac"), (".mov", "pcm_s16le")],
)
def test_every_packet_is_copied_and_in_sync(
    make_clip: MakeClip, plan_for: PlanFor, tmp_path: Path, suffix: str, codec: str
) -> None:
    path = make_clip("in.mov", 25, sound=codec)
    source = VideoSource(path)
    out = tmp_path / f"out{suffix}"
    writer = passed(source, out, plan_for(source.info))
    assert sound(out)[0] == sound(path)[0]
    assert abs(offset(out) - offset(path)) <= TICK
    assert writer.notes == []


def test_all_tracks_are_copied(make_clip: MakeClip, plan_for: PlanFor, tmp_path: Path) -> None:
    path = make_clip("in.mp4", 25, sound="aac", tracks=3)
    source = VideoSource(path)
    out = tmp_path / "out.mp4"
    passed(source, out, plan_for(source.info))
    assert len(VideoSource(out).info.audio) == 3
    assert sound(out, 2)[0] == sound(path, 2)[0]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize(
    ("picture_start", "sound_start"), [(0, 0.5), (6400, 0.0), (12800, 0.75), (128000, 10.2)]
)
def test_sound_and_picture_begin_as_far_apart_as_in_the_target(
    make_clip: MakeClip,
    plan_for: PlanFor,
    tmp_path: Path,
    suffix: str,
    picture_start: int,
    sound_start: float,
) -> None:
    path = make_clip(
        "in.mkv", sound="aac", sound_start=sound_start,
        pts=[picture_start + 512 * n for n in range(25)],
    )  # fmt: skip
    source = VideoSource(path)
    out = tmp_path / f"out{suffix}"
    passed(source, out, plan_for(source.info))
    assert sound(out)[0] == sound(path)[0]
    assert abs(offset(out) - offset(path)) <= TICK
    first = next(VideoSource(out).frames()).seconds
    assert min(first, first + offset(out)) < Fraction(1, 20)


def test_a_clip_that_is_stopped_carries_no_more_sound_than_picture(
    make_clip: MakeClip, plan_for: PlanFor, tmp_path: Path
) -> None:
    source = VideoSource(make_clip("in.mp4", 50, sound="aac", sound_seconds=20))
    out = tmp_path / "out.mp4"
    passed(source, out, plan_for(source.info), 0, 25)
    assert Fraction(9, 10) < sound(out)[1][-1] < 1
    whole = tmp_path / "whole.mp4"
    passed(source, whole, plan_for(source.info))
    assert sound(whole)[1][-1] > 19


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_clip_that_begins_in_the_middle_has_the_sound_of_the_middle(
    make_clip: MakeClip, plan_for: PlanFor, tmp_path: Path, suffix: str
) -> None:
    path = make_clip("in.mp4", 50, sound="aac", sound_seconds=2)
    source = VideoSource(path)
    out = tmp_path / f"out{suffix}"
    passed(source, out, plan_for(source.info), 25, 40)
    packets, stamps = sound(out)
    all_packets, all_stamps = sound(path)
    first = next(VideoSource(out).frames()).seconds
    for packet, stamp in zip(packets, stamps, strict=True):
        original = all_stamps[all_packets.index(packet)]
        assert abs((stamp - first) - (original - 1)) <= TICK
    assert Fraction(-1, 20) < stamps[0] - first < Fraction(1, 20)


def test_a_codec_that_the_container_cannot_hold_is_encoded_anew_and_said_so(
    make_clip: MakeClip, plan_for: PlanFor, tmp_path: Path
) -> None:
    path = make_clip("in.mkv", 25, sound="flac", sound_start=0.2)
    source = VideoSource(path)
    out = tmp_path / "out.mov"
    writer = passed(source, out, plan_for(source.info))
    assert writer.notes == [
        "the sound (flac) cannot be kept as it is in this kind of file and is encoded anew "
        "as aac; write a .mkv to keep it"
    ]
    assert VideoSource(out).info.audio[0].codec == "aac"
    assert abs(offset(out) - offset(path)) < Fraction(1, 30)  # the encoder's lead-in is hidden
    assert abs(sound(out)[1][-1] - sound(path)[1][-1]) < Fraction(1, 10)


def test_sound_from_another_clip_meets_the_first_frame(
    make_clip: MakeClip, plan_for: PlanFor, tmp_path: Path
) -> None:
    silent = make_clip("in.mp4", pts=[12800 + 512 * n for n in range(25)])
    other = make_clip("other.mkv", 25, sound="aac")
    source = VideoSource(silent)
    plan = replace(plan_for(source.info), audio_from=str(other))
    out = tmp_path / "out.mp4"
    passed(source, out, plan)
    assert sound(out)[0] == sound(other)[0]
    assert abs(offset(out) - offset(other)) <= TICK


@pytest.mark.parametrize("more", [{"audio": False}, {}])
def test_sound_can_be_left_out(
    make_clip: MakeClip, plan_for: PlanFor, tmp_path: Path, more: dict[str, Any]
) -> None:
    source = VideoSource(make_clip("in.mp4", sound="aac"))
    plan = plan_for(source.info, sound=bool(more), **more)
    passed(source, tmp_path / "out.mp4", plan)
    assert VideoSource(tmp_path / "out.mp4").info.audio == ()


def test_broadcast_sound_is_copied_into_mp4(
    make_clip: MakeClip, plan_for: PlanFor, tmp_path: Path
) -> None:
    path = make_clip("in.ts", 50, sound="aac", sound_seconds=2)
    source = VideoSource(path)
    out = tmp_path / "out.mp4"
    writer = passed(source, out, plan_for(source.info))
    assert writer.notes == []
    bare = [packet[7:] for packet in sound(path)[0]]  # without the header of each packet
    assert sound(out)[0] == bare
    assert abs(offset(out) - offset(path)) <= TICK
