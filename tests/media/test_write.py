"""Writing video files: times, sizes, tags, containers, and what happens when it goes wrong."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mien.errors import OutputError
from mien.media import write
from mien.media.base import ClipInfo, OutputPlan
from mien.media.video import VideoSource
from mien.media.write import VideoWriter
from mien.types import ColorTags, Frame

MakeClip = Callable[..., Path]
PlanFor = Callable[..., OutputPlan]
MakeFrame = Callable[..., Frame]


def copy(source: VideoSource, path: Path, plan: OutputPlan, *part: int) -> VideoWriter:
    writer = VideoWriter(path, plan)
    for frame in source.frames(*part):
        writer.write(frame)
    return writer


def info(**more: Any) -> ClipInfo:
    settings: dict[str, Any] = {"width": 64, "height": 48, "pixel_format": "yuv420p", **more}
    return ClipInfo(uri="a clip", **settings)


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_uneven_timestamps_are_written_exactly(
    make_clip: MakeClip, plan_for: PlanFor, times: Any, tmp_path: Path, suffix: str
) -> None:
    path = make_clip(
        "in.mp4", pts=[0, 3000, 9000, 10500, 21000, 22501], time_base=Fraction(1, 90000)
    )
    source = VideoSource(path)
    out = copy(source, tmp_path / f"out{suffix}", plan_for(source.info, preset="fast")).finish()
    assert times(out) == times(path)
    assert times(out)[-1] == Fraction(22501, 90000)
    assert VideoSource(out).info.start == 0


def test_mkv_rounds_timestamps_to_its_milliseconds(
    make_clip: MakeClip, plan_for: PlanFor, times: Any, tmp_path: Path
) -> None:
    path = make_clip("in.mp4", pts=[0, 3000, 9000, 10501], time_base=Fraction(1, 90000))
    source = VideoSource(path)
    out = copy(source, tmp_path / "out.mkv", plan_for(source.info)).finish()
    gaps = [abs(a - b) for a, b in zip(times(out), times(path), strict=True)]
    assert max(gaps) <= Fraction(1, 2000)


def test_avi_says_that_it_cannot_keep_a_variable_rate(
    make_clip: MakeClip, plan_for: PlanFor, tmp_path: Path
) -> None:
    source = VideoSource(make_clip("in.mp4", pts=[0, 512, 4096, 4608, 9000]))
    writer = copy(source, tmp_path / "out.avi", plan_for(source.info))
    assert len(list(VideoSource(writer.finish()).frames())) == 5
    assert ".avi holds only a constant frame rate" in writer.notes[0]


@pytest.mark.parametrize(
    ("codec", "size"),
    [
        (codec, size)
        for codec in ("h264", "h265", "ffv1")
        for size in ((1, 1), (33, 17), (64, 47), (65, 48))
        if codec != "h265" or size[0] >= 64
    ],
)
def test_odd_sizes_are_written(
    plan_for: PlanFor, frame: MakeFrame, tmp_path: Path, codec: str, size: tuple[int, int]
) -> None:
    width, height = size
    plan = plan_for(info(width=width, height=height), codec=codec)
    writer = VideoWriter(tmp_path / "out.mkv", plan)
    for n in range(3):
        writer.write(frame(n, np.full((height, width, 3), 90, np.uint8)))
    (first, *_) = frames = list(VideoSource(writer.finish()).frames())
    assert len(frames) == 3
    assert first.image.shape == (height, width, 3)
    assert np.abs(first.image.astype(int) - 90).max() < 6
    assert [f"{width}x{height} is odd" in note for note in writer.notes] == (
        [] if codec == "ffv1" else [True]
    )


@pytest.mark.parametrize(
    ("width", "sentence"),
    [(48, "cannot write 48 pixels wide pictures, only from 64 on; use h264 or ffv1"),
     (64, r"out\.mp4: cannot go on after 0 frames \(")],
)  # fmt: skip
def test_an_encoder_that_refuses_is_an_output_error(
    plan_for: PlanFor, frame: MakeFrame, tmp_path: Path, width: int, sentence: str
) -> None:
    writer = VideoWriter(tmp_path / "out.mp4", plan_for(info(), codec="h265"))
    with pytest.raises(OutputError, match=sentence):
        writer.write(frame(0, np.zeros((2, width, 3), np.uint8)))
    assert writer.keep_partial() is None
    assert list(tmp_path.iterdir()) == []


def test_depth_chroma_tags_and_pixel_shape_follow_the_target(
    plan_for: PlanFor, frame: MakeFrame, tmp_path: Path
) -> None:
    color = ColorTags(primaries=9, transfer=16, matrix=9, full_range=False)
    target = info(pixel_format="yuv422p10le", bits=10, color=color, aspect=Fraction(4, 3))
    writer = VideoWriter(tmp_path / "out.mp4", plan_for(target))
    for n in range(3):
        writer.write(frame(n, np.full((48, 64, 3), 30000, np.uint16), bits=10))
    written = VideoSource(writer.finish()).info
    assert written.pixel_format == "yuv422p10le"
    assert written.color == color
    assert written.aspect == Fraction(4, 3)
    assert writer.notes == []


@pytest.mark.parametrize(
    ("options", "target", "suffix", "expected"),
    [
        ({}, {}, ".mp4", ("h264", "yuv420p")),
        ({"chroma": "444", "bits": "10"}, {}, ".mov", ("h264", "yuv444p10le")),
        ({"codec": "h265"}, {"pixel_format": "yuv420p12le", "bits": 12}, ".mp4",
         ("hevc", "yuv420p12le")),
        ({}, {"pixel_format": "yuv420p12le", "bits": 12}, ".mp4", ("h264", "yuv420p10le")),
        ({"codec": "prores"}, {}, ".mov", ("prores", "yuv422p10le")),
        ({"codec": "prores"}, {"pixel_format": "bgr24"}, ".mov", ("prores", "yuv444p12le")),
        ({"codec": "ffv1"}, {"pixel_format": "bgr24"}, ".mkv", ("ffv1", "bgr0")),
        ({"codec": "ffv1"}, {"pixel_format": "bgr48le", "bits": 16}, ".mkv",
         ("ffv1", "gbrp16le")),
        ({}, {"pixel_format": "bgr48le", "bits": 16, "still": True}, ".mp4",
         ("h264", "yuv420p10le")),
    ],
)  # fmt: skip
def test_the_encoding_is_chosen_from_options_and_target(
    plan_for: PlanFor,
    frame: MakeFrame,
    tmp_path: Path,
    options: dict[str, str],
    target: dict[str, Any],
    suffix: str,
    expected: tuple[str, str],
) -> None:
    writer = VideoWriter(tmp_path / f"out{suffix}", plan_for(info(**target), **options))
    for n in range(2):
        writer.write(frame(n, np.full((48, 64, 3), 77, np.uint8)))
    source = VideoSource(writer.finish())
    assert (source.info.codec, source.info.pixel_format) == expected
    image = next(source.frames()).image
    assert np.abs(image * (255 / np.iinfo(image.dtype).max) - 77).max() < 1.5


def test_ffv1_keeps_16_bit_pictures_to_the_bit(
    plan_for: PlanFor, frame: MakeFrame, tmp_path: Path
) -> None:
    image = np.random.default_rng(5).integers(0, 65536, (48, 64, 3)).astype(np.uint16)
    target = info(pixel_format="bgr48le", bits=16, color=ColorTags(matrix=0, full_range=True))
    writer = VideoWriter(tmp_path / "out.mkv", plan_for(target, codec="ffv1"))
    writer.write(frame(0, image, bits=16))
    assert np.array_equal(next(VideoSource(writer.finish()).frames()).image, image)


def test_the_result_appears_only_when_it_is_finished(
    plan_for: PlanFor, frame: MakeFrame, tmp_path: Path
) -> None:
    writer = VideoWriter(tmp_path / "out.mp4", plan_for(info()))
    writer.write(frame(0, np.zeros((48, 64, 3), np.uint8)))
    assert writer.partial == tmp_path / "out.partial.mp4"
    assert [path.name for path in tmp_path.iterdir()] == ["out.partial.mp4"]
    assert writer.finish() == tmp_path / "out.mp4"
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_a_stopped_clip_is_kept_and_plays(
    plan_for: PlanFor, frame: MakeFrame, tmp_path: Path
) -> None:
    writer = VideoWriter(tmp_path / "out.mp4", plan_for(info()))
    for n in range(7):
        writer.write(frame(n, np.zeros((48, 64, 3), np.uint8)))
    assert writer.keep_partial() == tmp_path / "out.partial.mp4"
    assert len(list(VideoSource(writer.partial).frames())) == 7
    assert not (tmp_path / "out.mp4").exists()


def test_no_frame_leaves_no_file(plan_for: PlanFor, tmp_path: Path) -> None:
    assert VideoWriter(tmp_path / "a.mp4", plan_for(info())).keep_partial() is None
    with pytest.raises(OutputError, match="because there was no frame to write"):
        VideoWriter(tmp_path / "b.mp4", plan_for(info())).finish()
    assert list(tmp_path.iterdir()) == []


def test_a_frame_of_another_size_is_refused(
    plan_for: PlanFor, frame: MakeFrame, tmp_path: Path
) -> None:
    writer = VideoWriter(tmp_path / "out.mp4", plan_for(info()))
    writer.write(frame(0, np.zeros((48, 64, 3), np.uint8)))
    with pytest.raises(OutputError, match="frame 1 is 32x48, but the clip began with 64x48"):
        writer.write(frame(1, np.zeros((48, 32, 3), np.uint8)))
    assert writer.keep_partial() is not None


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("no/out.mp4", {}, "there is no folder '{}/no'; make it first"),
        (
            "out.mp4",
            {"codec": "prores"},
            "encode.codec = 'prores': a .mp4 file cannot hold it; name the output .mov, .mkv, "
            "or choose another codec",
        ),
        ("folder.mp4", {}, "is a folder; name a file"),
        (
            "out.avi",
            {"codec": "h265"},
            "encode.codec = 'h265': a .avi file cannot hold it; name the output .mp4, .mov, .mkv, "
            "or choose another codec",
        ),
    ],
)
def test_what_cannot_be_written_is_said_at_once(
    plan_for: PlanFor, tmp_path: Path, name: str, options: dict[str, str], sentence: str
) -> None:
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(OutputError) as error:
        VideoWriter(tmp_path / name, plan_for(info(), **options))
    assert str(error.value).endswith(sentence.format(tmp_path))


def test_a_missing_encoder_names_those_that_are_there(
    plan_for: PlanFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("av.codecs_available", {"ffv1", "prores_ks"})
    with pytest.raises(OutputError) as error:
        VideoWriter(tmp_path / "out.mp4", plan_for(info()))
    assert str(error.value) == (
        "encode.codec = 'h264': this build of PyAV has no encoder 'libx264'; "
        "there are: ffv1, prores"
    )


def test_the_target_itself_is_never_the_output(
    make_clip: MakeClip, plan_for: PlanFor, tmp_path: Path
) -> None:
    path = make_clip("in.mp4")
    with pytest.raises(OutputError, match="is the target itself; name another output"):
        VideoWriter(path, plan_for(VideoSource(path).info))


KILLED = """
import os, signal, sys
import numpy as np
from mien.media.base import ClipInfo, OutputOptions, OutputPlan
from mien.media.write import VideoWriter
from mien.types import Frame
info = ClipInfo(uri="x", width=64, height=48, pixel_format="yuv420p")
writer = VideoWriter(sys.argv[1], OutputPlan(target=info, options=OutputOptions()))
for n in range(200):
    image = np.random.default_rng(n).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    writer.write(Frame(index=n, image=image, pts=n, duration=1))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_killed_run_leaves_a_clip_that_plays(tmp_path: Path, suffix: str) -> None:
    script = tmp_path / "run.py"
    script.write_text(KILLED)
    path = tmp_path / f"out{suffix}"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, script, path], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    frames = list(VideoSource(tmp_path / f"out.partial{suffix}").frames())
    assert len(frames) > 100  # the encoder looks ahead, the file is flushed once a second
    assert [f.seconds for f in frames] == [Fraction(n, 25) for n in range(len(frames))]


FULL = """
import sys
import numpy as np
from mien.errors import OutputError
from mien.media.base import ClipInfo, OutputOptions, OutputPlan
from mien.media.write import VideoWriter
from mien.types import Frame
info = ClipInfo(uri="x", width=64, height=48, pixel_format="yuv420p")
writer = VideoWriter(sys.argv[1], OutputPlan(target=info, options=OutputOptions(quality=1)))
try:
    for n in range(2000):
        image = np.random.default_rng(n).integers(0, 256, (48, 64, 3)).astype(np.uint8)
        writer.write(Frame(index=n, image=image, pts=n, duration=1))
    writer.finish()
except OutputError as error:
    print(error)
    print(writer.keep_partial())
"""


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_full_disk_ends_with_a_sentence_and_a_clip_that_plays(
    tiny_disk: Path, suffix: str
) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", FULL, tiny_disk / f"out{suffix}"],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    sentence, kept = done.stdout.strip().splitlines()
    assert "(no space left on the disk)" in sentence
    assert sentence.endswith(f"the first frames are kept as 'out.partial{suffix}'")
    assert kept == str(tiny_disk / f"out.partial{suffix}")
    assert len(list(VideoSource(kept).frames())) > 25


@pytest.mark.slow
def test_every_real_clip_passes_through_with_its_times_and_its_picture(
    shared: Callable[[str], Path], plan_for: PlanFor, times: Any, tmp_path: Path
) -> None:
    for name in ("tech_vfr.mp4", "tech_rotated90_meta.mp4", "sign_man_skull_shirt.mkv",
                 "tech_hevc_10bit.mp4", "grid_woman1.mpg", "tech_odd_427x241.webm",
                 "tech_sar_4_3.mp4"):  # fmt: skip
        path = shared(f"data/clips/{name}")
        source = VideoSource(path)
        out = copy(source, tmp_path / "out.mp4", plan_for(source.info, preset="veryfast")).finish()
        result = VideoSource(out)
        assert times(out) == times(path), name
        for before, after in zip(source.frames(0, 5), result.frames(0, 5), strict=True):
            white = np.iinfo(before.image.dtype).max
            shift = (after.image.astype(float) - before.image).mean((0, 1)) / white
            assert np.abs(shift).max() < 1 / 255, name
        assert (result.info.width, result.info.height) == (source.info.width, source.info.height)
        assert result.info.aspect == source.info.aspect
        assert result.info.rotation == 0


def test_what_shows_no_frame_is_not_kept_when_the_disk_is_full(
    make_clip: MakeClip, plan_for: PlanFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = VideoSource(make_clip("in.mp4", 40, size=(320, 240)))
    honest = write._File.write

    def limited(self: Any, data: Any) -> int:
        if self.error or self.tell() + len(data) > 1000:
            self.error = OSError(errno.ENOSPC, "full")
            raise self.error
        return honest(self, data)

    monkeypatch.setattr(write._File, "write", limited)
    plan = plan_for(source.info, sound=False)
    writer = VideoWriter(tmp_path / "out.mp4", plan)

    def fill() -> None:
        for frame in source.frames():
            writer.write(frame)
        writer.finish()

    with pytest.raises(OutputError) as caught:
        fill()
    assert str(caught.value).endswith("(no space left on the disk)")
    assert writer.keep_partial() is None
    assert not list(tmp_path.glob("out*"))
