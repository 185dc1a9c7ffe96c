"""`mien video`: pieces of clips, with the sound and the times that belong to them."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from mien.media.base import OutputOptions, OutputPlan
from mien.media.plugin import open_source, open_writer

RATE = 44100


@pytest.fixture
def clip(make_clip, tmp_path):
    """36 frames at 25 a second; its sound rises evenly, so a sample tells its moment.

    shift  by how many milliseconds each frame comes late, in turn
    """

    def make(
        name: str = "sound.mkv", sound: str = "pcm_s16le", shift: tuple[int, ...] = (0,)
    ) -> Path:
        plain = make_clip("plain.mp4", frames=36)
        path = tmp_path / name
        with av.open(str(plain)) as source, av.open(str(path), "w") as out:
            video = out.add_stream_from_template(source.streams.video[0])
            track = out.add_stream(sound, rate=RATE)
            track.codec_context.layout = "mono"
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    numbers = [round(at * packet.time_base * 25) for at in (packet.pts, packet.dts)]
                    late = [40 * number + shift[max(number, 0) % len(shift)] for number in numbers]
                    packet.time_base, packet.duration = Fraction(1, 1000), 40
                    packet.pts, packet.dts = late
                    packet.stream = video
                    out.mux(packet)
            ramp = np.arange(int(RATE * 1.44)) // 2
            for at in range(0, len(ramp), 1000):
                part = ramp[at : at + 1000].astype(np.int16)[None]
                frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = RATE, at, Fraction(1, RATE)
                out.mux(track.encode(frame))
            out.mux(track.encode(None))
        return path

    return make


def samples(path: Path) -> tuple[float, np.ndarray]:
    """When the sound begins, and its values."""
    with av.open(str(path)) as clip:
        frames = list(clip.decode(audio=0))
    values = np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])
    return float(frames[0].pts * frames[0].time_base), values


def test_frames_become_pictures_and_pictures_a_clip_again(mien, make_clip, read_clip):
    clip = make_clip(frames=9)
    words = ("--picture", "tif", "--bits", "16")
    code, out, err = mien("video", "frames", clip, "-o", "shot", "--every", "2", *words)
    assert code == 0, err
    assert "shot: 5 frames" in out
    names = sorted(path.name for path in Path("shot").iterdir())
    assert names == [f"{n:06d}.tif" for n in (0, 2, 4, 6, 8)]
    picture = cv2.imread("shot/000004.tif", cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(picture, read_clip(clip)[4].image.astype(np.uint16) * 257)
    words = ("--codec", "ffv1", "--lossless")
    code, _, err = mien("video", "frames", "shot", "-o", "back.mkv", *words)
    assert code == 0, err
    np.testing.assert_array_equal(read_clip(Path("back.mkv"))[2].image, picture)


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [("10", "20", range(10, 20)), ("0.4s", "0.8s", range(10, 20)), ("0:01", None, range(25, 36)),
     (None, "3", range(3)), ("0:00:01.2", "9:00", range(30, 36))],
)  # fmt: skip
def test_cut_takes_the_frames_and_the_sound_of_the_piece(
    mien, clip, read_clip, start, stop, expected
):
    source = clip()
    words = [word for pair in (("--start", start), ("--stop", stop)) if pair[1] for word in pair]
    lossless = ("--codec", "ffv1", "--lossless")
    code, _, err = mien("video", "cut", source, "-o", "piece.mkv", *words, *lossless)
    assert code == 0, err
    before, after = read_clip(source), read_clip(Path("piece.mkv"))
    assert len(after) == len(expected)
    for number, frame in zip(expected, after, strict=True):
        np.testing.assert_array_equal(before[number].image, frame.image)
    begins, values = samples(Path("piece.mkv"))
    zero = float(after[0].seconds)
    moment = (expected[0] / 25 + begins - zero) * RATE  # of the first sample, in the source
    assert abs(int(values[0]) * 2 - moment) <= RATE * 0.0011  # .mkv counts milliseconds
    assert np.array_equal(np.diff(values.astype(int)) >= 0, np.ones(len(values) - 1, bool))
    heard = begins - zero + len(values) / RATE
    assert -0.03 < heard - len(expected) / 25 < 0.03


def test_join_is_frame_exact_and_lossless(mien, clip, read_clip):
    one = clip("one.mkv")
    code, out, err = mien("video", "join", one, one, "-o", "both.mkv")
    assert code == 0, err
    assert "both.mkv: 72 frames" in out
    single, both = read_clip(one), read_clip(Path("both.mkv"))
    assert len(both) == 72
    for number, frame in enumerate(both):
        np.testing.assert_array_equal(frame.image, single[number % 36].image)
        assert abs(float(frame.seconds - both[0].seconds) - number / 25) < 0.0011
    _, values = samples(Path("both.mkv"))
    _, once = samples(one)
    assert abs(len(values) - 2 * len(once)) < 2000
    np.testing.assert_array_equal(values[-20000:], once[-20000:])


@pytest.mark.parametrize("suffix", [".mkv", ".mov"])
def test_a_variable_rate_and_its_sound_come_through_cut_and_join(mien, clip, read_clip, suffix):
    source = clip(f"source{suffix}", shift=(0, 17, 5, 26))
    codec = ("--codec", "ffv1", "--lossless") if suffix == ".mkv" else ()
    for name, start, stop in (("a", 7, 19), ("b", 19, 30)):
        words = ("-o", f"{name}{suffix}", "--start", start, "--stop", stop, *codec)
        assert mien("video", "cut", source, *words)[0] == 0
    code, _, err = mien("video", "join", f"a{suffix}", f"b{suffix}", "-o", f"ab{suffix}")
    assert code == 0, err
    before, joined = read_clip(source)[7:30], read_clip(Path(f"ab{suffix}"))
    tick = Fraction(1, 1000) if suffix == ".mkv" else Fraction(1, 12800)
    for one, other in zip(before, joined, strict=True):
        assert abs(one.seconds - before[0].seconds - other.seconds + joined[0].seconds) <= tick
        assert abs(one.duration * one.time_base - other.duration * other.time_base) <= 2 * tick
    begins, values = samples(Path(f"ab{suffix}"))
    heard = np.arange(len(values)) / RATE + begins - float(joined[0].seconds - before[0].seconds)
    # Packets are copied whole, so behind the seam the sound may lie up to one of them beside.
    assert np.abs(heard - 2.0 * values / RATE).max() < 1000 / RATE


def test_a_time_is_found_where_the_average_rate_leads_too_far(mien, clip, read_clip):
    source = clip("late.mkv", shift=(0, *[400] * 35))
    assert mien("video", "cut", source, "-o", "piece.mkv", "--start", "0.8s")[0] == 0
    before, piece = read_clip(source), read_clip(Path("piece.mkv"))
    wanted = [frame for frame in before if frame.seconds - before[0].seconds >= Fraction(4, 5)]
    assert len(piece) == len(wanted)


def test_join_refuses_what_does_not_fit(mien, make_clip):
    make_clip("one.mp4", frames=3)
    make_clip("other.mp4", frames=3, size=(96, 64))
    code, _, err = mien("video", "join", "one.mp4", "other.mp4", "-o", "both.mp4")
    assert code == 6
    assert "other.mp4: is encoded otherwise than one.mp4" in err
    assert not Path("both.mp4").exists()
    assert not Path("both.partial.mp4").exists()
    code, _, err = mien("video", "join", "one.mp4", "one.mp4", "-o", "one.mp4")
    assert code == 2


def test_denoise_calms_what_is_still_and_keeps_what_moves(mien, tmp_path):
    rng = np.random.default_rng(3)
    still = np.full((48, 64, 3), 120.0)
    writer = open_writer(
        tmp_path / "noisy", OutputPlan(target=open_info(), options=OutputOptions())
    )
    clean = []
    for number in range(7):
        picture = still.copy()
        picture[10:30, 8 * number : 8 * number + 8] = 220
        clean.append(picture)
        noisy = np.clip(np.rint(picture + rng.normal(0, 6, picture.shape)), 0, 255)
        writer.write(frame_of(number, noisy.astype(np.uint8)))
    writer.finish()
    code, _, err = mien("video", "denoise", "noisy", "-o", "calm", "--strength", "6")
    assert code == 0, err
    before = [each.image for each in open_source(tmp_path / "noisy").frames()]
    after = [each.image for each in open_source(tmp_path / "calm").frames()]
    assert len(after) == 7
    for picture, noisy, calm in zip(clean[2:5], before[2:5], after[2:5], strict=True):
        assert np.std(calm[32:] - picture[32:]) < 0.6 * np.std(noisy[32:] - picture[32:])
        assert np.abs(calm[10:30] - picture[10:30]).max() < 45  # no ghost of the bar
    code, _, _ = mien("video", "denoise", "noisy", "-o", "same", "--strength", "0")
    same = [each.image for each in open_source(tmp_path / "same").frames()]
    np.testing.assert_array_equal(same, before)


def open_info():
    from mien.media.base import ClipInfo

    return ClipInfo(uri="none", width=64, height=48)


def frame_of(number, image):
    from mien.types import Frame

    return Frame(index=number, image=image, pts=number, duration=1)


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("cut", "clip.mp4", "-o", "o.mp4", "--start", "soon"), 2, "'soon' is no place in a clip"),
        (("cut", "clip.mp4", "-o", "o.mp4", "--start", "99"), 5, "has no frame in this piece; its"),
        (("cut", "clip.mp4", "-o", "clip.mp4"), 2, "is the clip itself; name another file"),
        (("cut", "nothing.mp4", "-o", "o.mp4"), 5, "nothing.mp4: no such file or folder"),
        (("frames", "clip.mp4"), 6, "no output was named"),
        (("join", "clip.mp4", "nothing.mp4", "-o", "o.mp4"), 5, "nothing.mp4: no such file"),
    ],
)
def test_what_is_wrong_is_said(mien, make_clip, words, code, sentence):
    make_clip("clip.mp4", frames=3)
    seen, _, err = mien("video", *words)
    assert seen == code, err
    assert sentence in err
    assert sorted(path.name for path in Path().iterdir() if path.suffix == ".mp4") == ["clip.mp4"]


def test_a_clip_that_breaks_off_is_cut_up_to_there(mien, clip, read_clip):
    path = clip()
    broken = Path("broken.mkv")
    broken.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    code, _, err = mien("video", "cut", broken, "-o", "piece.mkv")
    assert code == 0, err
    assert 5 < len(read_clip(Path("piece.mkv"))) < 36


def test_real_clips_are_cut_and_joined(mien, shared, read_clip, tmp_path):
    source = shared("data/clips/grid_woman1.mpg")
    for name, words in (("a.mp4", ("--stop", "20")), ("b.mp4", ("--start", "20", "--stop", "35"))):
        code, _, err = mien("video", "cut", source, "-o", name, *words, "--preset", "medium")
        assert code == 0, err
    code, _, err = mien("video", "join", "a.mp4", "b.mp4", "-o", "ab.mp4")
    assert code == 0, err
    parts = [frame.image for name in ("a.mp4", "b.mp4") for frame in read_clip(Path(name))]
    joined = read_clip(Path("ab.mp4"))
    assert len(joined) == len(parts) == 35
    for one, other in zip(parts, joined, strict=True):
        np.testing.assert_array_equal(one, other.image)
    steps = {after.seconds - before.seconds for before, after in pairwise(joined)}
    assert steps == {Fraction(1, 25)}


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_long_last_frame_in_mkv_keeps_its_length(mien, make_clip, tmp_path, suffix):
    plain, source = make_clip("plain.mp4", frames=10), tmp_path / "long.mkv"
    with av.open(str(plain)) as clip, av.open(str(source), "w") as out:
        stream = out.add_stream_from_template(clip.streams.video[0])
        packets = [packet for packet in clip.demux(video=0) if packet.dts is not None]
        newest = max(packet.pts for packet in packets)
        for packet in packets:
            packet.duration = round(
                Fraction(1, 2 if packet.pts == newest else 25) / packet.time_base
            )
            packet.stream = stream
            out.mux(packet)
    assert mien("video", "cut", source, "-o", f"cut{suffix}")[0] == 0
    assert mien("video", "join", source, source, "-o", f"both{suffix}")[0] == 0
    for name, once in (("cut", 1), ("both", 2)):
        with av.open(f"{name}{suffix}") as clip:
            assert abs(clip.duration / av.time_base - once * (9 / 25 + 0.5)) < 0.04, name
