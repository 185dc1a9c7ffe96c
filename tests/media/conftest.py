"""Small clips with known contents, made on the spot."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from mien.media.base import ClipInfo, OutputOptions, OutputPlan
from mien.media.video import VideoSource
from mien.types import Frame

Times = list[Fraction]


def _bars(height: int, width: int) -> Any:
    colors = np.array(
        [[b, g, r] for b in (40, 200) for g in (40, 200) for r in (40, 200)], np.uint8
    )
    return np.repeat(np.tile(colors[None], (height, 1, 1)), width // len(colors), axis=1)


@pytest.fixture
def bars() -> Any:
    """(64, 128, 3) BGR uint8: eight colours side by side."""
    return _bars(64, 128)


def _add_tone(container: Any, codec: str, start: float, seconds: float) -> Any:
    stream = container.add_stream(codec, rate=44100)
    stream.codec_context.layout = "mono"
    stream.codec_context.time_base = Fraction(1, 44100)
    wave = np.sin(np.arange(int(44100 * seconds)) * (2 * np.pi * 440 / 44100)) * 8000
    sound = av.AudioFrame.from_ndarray(wave.astype(np.int16)[None], format="s16", layout="mono")
    sound.sample_rate, sound.pts, sound.time_base = 44100, int(start * 44100), Fraction(1, 44100)
    shape = av.AudioResampler(
        format=stream.codec_context.format.name, layout="mono", rate=44100, frame_size=1024
    )
    return stream, [*shape.resample(sound), *shape.resample(None)]


@pytest.fixture
def make_clip(tmp_path: Path) -> Callable[..., Path]:
    """Writes a clip with plain PyAV: frame n is grey of value 20 + 3n, or `picture`."""

    def make(
        name: str,
        count: int = 12,
        *,
        size: tuple[int, int] = (64, 48),
        picture: Any = None,
        pts: Sequence[int] | None = None,
        time_base: Fraction = Fraction(1, 12800),
        codec: str = "libx264",
        pixel_format: str = "yuv420p",
        options: dict[str, str] | None = None,
        matrix: int = 2,
        full: bool | None = None,
        aspect: Fraction = Fraction(1),
        rotation: int = 0,
        sound: str = "",
        sound_start: float = 0.0,
        sound_seconds: float = 1.0,
        tracks: int = 1,
    ) -> Path:
        path = tmp_path / name
        pts = pts or [512 * n for n in range(count)]
        with av.open(str(path), "w") as container:
            quick = {"preset": "ultrafast", "crf": "4"} if codec == "libx264" else {}
            video = container.add_stream(codec, rate=25, options=quick | (options or {}))
            video.width, video.height = size
            video.pix_fmt = pixel_format
            video.time_base = video.codec_context.time_base = time_base
            video.codec_context.sample_aspect_ratio = aspect
            video.codec_context.colorspace = matrix
            video.codec_context.color_range = {None: 0, False: 1, True: 2}[full]
            if rotation:
                video.set_display_rotation(rotation)
            tones = [
                _add_tone(container, sound, sound_start, sound_seconds)
                for _ in range(tracks if sound else 0)
            ]
            for n, stamp in enumerate(pts):
                image = picture
                if image is None:
                    image = np.full((size[1], size[0], 3), (20 + 3 * n) % 256, np.uint8)
                raw = av.VideoFrame.from_ndarray(image, "bgr24").reformat(
                    format=pixel_format,
                    dst_colorspace={1: "ITU709"}.get(matrix, "ITU601"),
                    dst_color_range="JPEG" if full else "MPEG",
                    interpolation="BILINEAR",
                )
                raw.pts, raw.time_base, raw.pict_type = stamp, time_base, 0
                container.mux(video.encode(raw))
            container.mux(video.encode(None))
            for stream, frames in tones:
                for frame in frames:
                    container.mux(stream.encode(frame))
                container.mux(stream.encode(None))
        return path

    return make


@pytest.fixture
def plan_for() -> Callable[..., OutputPlan]:
    """The plan of a result like `info`, with its sound; keywords are output options."""

    def make(info: ClipInfo, *, sound: bool = True, **options: Any) -> OutputPlan:
        return OutputPlan(
            target=info,
            options=OutputOptions(**({"preset": "ultrafast"} | options)),
            audio_from=info.uri if sound and info.audio else None,
        )

    return make


@pytest.fixture
def times() -> Callable[[Path], Times]:
    """When the frames of a clip are shown, counted from the first."""

    def read(path: Path) -> Times:
        stamps = [frame.seconds for frame in VideoSource(path).frames()]
        return [stamp - stamps[0] for stamp in stamps]

    return read


@pytest.fixture
def frame() -> Callable[..., Frame]:
    """Frame n of a clip at 25 frames a second."""

    def make(index: int, image: Any, **more: Any) -> Frame:
        settings: dict[str, Any] = {"pts": index, "duration": 1, **more}
        return Frame(index=index, image=image, **settings)

    return make


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with room for one megabyte; skips where none can be made."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("mounting a tiny disk needs root on Linux")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)
