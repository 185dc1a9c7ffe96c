"""Reading video files: times, sizes, colours, and what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from mien.errors import InputError
from mien.media import video
from mien.media.video import VideoSource

MakeClip = Callable[..., Path]
REAL = {
    "grid_man1.mpg": 75,
    "man_gesturing_1080x1920_hevc.mp4": 302,
    "sign_woman_hands.mkv": 109,
    "tech_hevc_10bit.mp4": 38,
    "tech_odd_427x241.webm": 50,
    "tech_rotated90_meta.mp4": 30,
    "tech_sar_4_3.mp4": 40,
    "tech_scene_cuts.mp4": 122,
    "tech_truncated.mkv": 25,
    "tech_vfr.mp4": 64,
    "three_people_walk_up.mp4": 41,
}


def facts(frames: Any) -> list[tuple[int, int, int, float]]:
    return [(f.index, f.pts, f.duration, float(f.image.mean())) for f in frames]


def test_uneven_timestamps_come_out_exactly(make_clip: MakeClip) -> None:
    stamps = [0, 3000, 9000, 10500, 21000, 22500]
    source = VideoSource(make_clip("vfr.mp4", pts=stamps, time_base=Fraction(1, 90000)))
    frames = list(source.frames())
    assert [f.pts * f.time_base for f in frames] == [Fraction(p, 90000) for p in stamps]
    assert [f.duration * f.time_base for f in frames[:-1]] == [
        Fraction(b - a, 90000) for a, b in pairwise(stamps)
    ]
    assert source.info.variable
    assert source.info.exact
    assert source.info.frames == 6


@pytest.mark.parametrize("name", ["vfr.mp4", "vfr.mkv"])
def test_a_frame_lasts_until_the_next_whatever_its_packet_says(
    make_clip: MakeClip, name: str
) -> None:
    """With frames that are decoded in another order, packets state each other's lengths."""
    stamps = [1000 * sum(20 if n % 3 else 35 for n in range(last)) for last in range(40)]
    base = Fraction(1, 600_000) if name.endswith("mp4") else Fraction(1, 1000)
    options = {"bf": "3", "b_strategy": "0", "b-adapt": "0", "preset": "medium"}
    scale = 1 if name.endswith("mp4") else 1000
    clip = make_clip(name, pts=[p // scale for p in stamps], time_base=base, options=options)
    source = VideoSource(clip)
    frames = list(source.frames())
    gaps = [later.pts - frame.pts for frame, later in pairwise(frames)]
    assert [frame.duration for frame in frames[:-1]] == gaps
    piece = list(source.frames(5, 20))
    assert [frame.duration for frame in piece] == gaps[5:20]
    assert [frame.index for frame in source.frames(5, 20, 4)] == [5, 9, 13, 17]


def test_a_constant_rate_is_not_called_variable(make_clip: MakeClip) -> None:
    info = VideoSource(make_clip("even.mp4")).info
    assert (info.variable, info.rate, info.seconds) == (False, 25, 12 / 25)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_turned_clip_is_shown_upright(make_clip: MakeClip, rotation: int) -> None:
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24, :32] = 200  # top left of the stored picture
    path = make_clip("t.mp4", 2, picture=picture, rotation=rotation, aspect=Fraction(4, 3))
    source = VideoSource(path)
    (image, _) = (f.image for f in source.frames())
    info = source.info
    assert image.shape[:2] == (info.height, info.width)
    upright = np.rot90(picture, info.rotation // 90)
    assert np.abs(image.astype(int) - upright).max() < 12
    assert info.rotation in (rotation, 360 - rotation)
    assert info.aspect == (Fraction(4, 3) if rotation == 180 else Fraction(3, 4))


@pytest.mark.parametrize("name", ["gop.mp4", "gop.mkv", "gop.avi", "gop.ts"])
def test_a_far_start_gives_what_a_linear_reading_gives(make_clip: MakeClip, name: str) -> None:
    path = make_clip(name, 130, options={"g": "20", "bf": "2", "preset": "veryfast"})
    everything = facts(VideoSource(path).frames())
    assert len(everything) == 130
    for start in (48, 60, 79, 80, 81, 129):
        assert facts(VideoSource(path).frames(start)) == everything[start:]
    assert facts(VideoSource(path).frames(50, 90, 7)) == everything[50:90:7]
    assert facts(VideoSource(path).frames(500)) == []


def test_a_far_start_decodes_only_from_the_keyframe_before(
    make_clip: MakeClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = VideoSource(make_clip("gop.mp4", 130, options={"g": "20"}))
    decoded: list[int] = []
    honest = VideoSource._decoded

    def counted(self: Any, *args: Any) -> Any:
        for raw in honest(self, *args):
            decoded.append(raw.pts)
            yield raw

    monkeypatch.setattr(VideoSource, "_decoded", counted)
    assert len(list(source.frames(105, 110))) == 5
    assert decoded == [512 * n for n in range(100, 111)]  # one more, for how long 109 is shown


def test_start_stop_and_step_choose_frames_by_index(make_clip: MakeClip) -> None:
    source = VideoSource(make_clip("even.mp4", 10))
    assert [f.index for f in source.frames(2, 9, 3)] == [2, 5, 8]
    assert [f.index for f in source.frames(4, 4)] == []
    with pytest.raises(ValueError, match="step from 1 up"):
        next(source.frames(0, 5, 0))


def test_two_readings_may_go_on_at_once(make_clip: MakeClip) -> None:
    source = VideoSource(make_clip("even.mp4", 6))
    pairs = list(zip(source.frames(), source.frames(), strict=True))
    assert len(pairs) == 6
    assert all(a.pts == b.pts and np.array_equal(a.image, b.image) for a, b in pairs)


def test_ten_bits_fill_the_16_bit_range(make_clip: MakeClip) -> None:
    white = np.full((48, 64, 3), 255, np.uint8)
    path = make_clip("deep.mkv", 2, picture=white, codec="ffv1", pixel_format="yuv420p10le")
    source = VideoSource(path)
    frame = next(source.frames())
    assert frame.image.dtype == np.uint16
    assert frame.bits == source.info.bits == 10
    assert frame.image.min() == 65535


def test_pixel_shape_and_colour_tags_are_carried(make_clip: MakeClip) -> None:
    info = VideoSource(make_clip("t.mp4", aspect=Fraction(4, 3), matrix=1, full=False)).info
    assert info.aspect == Fraction(4, 3)
    assert (info.color.matrix, info.color.full_range) == (1, False)
    assert (info.width, info.height) == (64, 48)


def test_sound_tracks_are_listed(make_clip: MakeClip) -> None:
    info = VideoSource(make_clip("t.mp4", sound="aac", tracks=2)).info
    assert [(a.codec, a.rate, a.channels) for a in info.audio] == [("aac", 44100, 1)] * 2


def test_a_clip_that_breaks_off_gives_what_it_has_and_a_note(make_clip: MakeClip) -> None:
    path = make_clip("cut.mkv", 75, codec="ffv1")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    source = VideoSource(path)
    count = len(list(source.frames()))
    assert 20 < count < 60
    assert source.notes == [
        f"{path}: the clip breaks off after frame {count - 1} of about 75; "
        "what comes before is used, copy the file again to have the rest"
    ]
    list(source.frames())
    assert len(source.notes) == 1


def test_reading_only_a_part_makes_no_note(make_clip: MakeClip) -> None:
    source = VideoSource(make_clip("even.mp4", 30))
    assert len(list(source.frames(0, 5))) == 5
    assert source.notes == []


def test_damage_in_the_middle_does_not_end_the_clip(make_clip: MakeClip) -> None:
    path = make_clip("hurt.mkv", 40, codec="mjpeg", pixel_format="yuvj420p", full=True)
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    data = path.read_bytes()
    hurt = bytes(len(packets[20]) - 8)
    path.write_bytes(data.replace(packets[20], packets[20][:8] + hurt))
    source = VideoSource(path)
    frames = list(source.frames())
    assert [frame.pts for frame in frames] == [40 * n for n in range(40) if n != 20]
    assert [frame.index for frame in frames] == [n for n in range(40) if n != 20]
    assert source.notes == [
        f"{path}: 1 packet could not be decoded and was left out; 39 frames could"
    ]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("none.mp4", None, "no such file or folder; check the spelling of the path"),
        ("empty.mp4", b"", "the file is empty (0 bytes); copy or record it again"),
        ("text.mp4", b"no clip " * 200, "not a clip that can be read (invalid data found when "),
        (
            "list.mp4",
            b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://x.invalid/a.ts\n",
            "not a clip",
        ),
    ],
)
def test_what_is_no_clip_is_said_in_one_sentence(
    tmp_path: Path, name: str, content: bytes | None, sentence: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as error:
        VideoSource(path)
    assert str(error.value).startswith(f"{path}: {sentence}")


def test_a_sound_file_holds_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), "s16", "stereo")
        silence.sample_rate = 8000
        container.mux(stream.encode(silence))
    with pytest.raises(InputError) as error:
        VideoSource(path)
    assert str(error.value) == f"{path}: holds no video, only audio"


def test_the_fingerprint_is_that_of_the_content(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip("a.mp4")
    before = VideoSource(path).info.fingerprint
    moved = path.rename(tmp_path / "b.mp4")
    other = make_clip("c.mp4", 13)
    assert VideoSource(moved).info.fingerprint == before
    assert VideoSource(other).info.fingerprint != before


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_real_clips_agree_with_their_truth(shared: Callable[[str], Path], name: str) -> None:
    path = shared(f"data/clips/{name}")
    truth = json.loads(path.with_suffix(".faces.json").read_text())
    source = VideoSource(path)
    frames = [(f.seconds, f.image.shape) for f in source.frames()]
    assert len(frames) == truth["frames_total"] == REAL[name]
    assert {shape for _, shape in frames} == {(truth["height"], truth["width"], 3)}
    assert all(
        abs(float(seconds) - known["t"]) < 0.001
        for (seconds, _), known in zip(frames, truth["frames"], strict=True)
    )
    assert bool(source.notes) == (name == "tech_truncated.mkv")


@pytest.mark.slow
def test_the_default_video_stream_is_chosen(shared: Callable[[str], Path]) -> None:
    info = VideoSource(shared("data/clips/noface_nasa_multistream.mp4")).info
    assert (info.width, info.height, info.frames) == (480, 270, 390)


@pytest.mark.parametrize("cores", [1, 2, 8])
def test_frames_are_the_same_on_any_number_of_cores(
    make_clip: MakeClip, monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    path = make_clip("even.mp4", 12)
    wanted = [frame.image for frame in VideoSource(path).frames()]
    monkeypatch.setattr("mien.media.video.usable_cores", lambda: cores)
    seen = [frame.image for frame in VideoSource(path).frames()]
    assert len(seen) == len(wanted) == 12
    assert all(np.array_equal(one, other) for one, other in zip(seen, wanted, strict=True))


def test_a_packet_that_is_refused_in_any_way_is_left_out(
    make_clip: MakeClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Damage may make a decoder speak of a lack of permission."""
    source = VideoSource(make_clip("one.mkv", 10))
    honest = video._packets

    class Refused:
        size, is_discard = 9, True

        def decode(self) -> list[Any]:
            raise av.error.PermissionError(1, "Operation not permitted")

    def packets(*args: Any) -> Any:
        yield Refused()
        yield from honest(*args)

    monkeypatch.setattr(video, "_packets", packets)
    assert len(list(source.frames())) == 10
    assert "1 packet could not be decoded and was left out; 10 frames could" in source.notes[0]
