"""Colours survive the way from planes to BGR and back, and through a whole file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mien.media.base import OutputPlan
from mien.media.convert import FromBgr, PixelFormat, ToBgr, matrix_of
from mien.media.video import VideoSource
from mien.media.write import VideoWriter
from mien.types import ColorTags

KINDS = [
    pytest.param("yuv420p", ColorTags(), id="untagged small, so BT.601"),
    pytest.param("yuv420p", ColorTags(matrix=1, full_range=False), id="BT.709"),
    pytest.param("yuvj420p", ColorTags(full_range=True), id="full range"),
    pytest.param("yuv422p", ColorTags(matrix=1, full_range=True), id="BT.709 full range"),
    pytest.param("yuv444p10le", ColorTags(matrix=9, full_range=False), id="BT.2020, 10 bit"),
    pytest.param("yuv420p10le", ColorTags(matrix=1, full_range=True), id="10 bit full range"),
]


def there_and_back(name: str, color: ColorTags, image: Any) -> Any:
    height, width = image.shape[:2]
    frame = FromBgr(name, color, width, height)(image)
    return ToBgr(name, color, width, height, 0)(frame)


@pytest.mark.parametrize(("name", "color"), KINDS)
def test_bars_come_back_with_their_colours(name: str, color: ColorTags, bars: Any) -> None:
    back = there_and_back(name, color, bars)
    scale = 255 / np.iinfo(back.dtype).max
    shift = (back * scale - bars).reshape(64, 8, 16, 3)[:, :, 4:-4]
    assert np.abs(shift).max() < 2
    assert np.abs(shift.mean((0, 1, 2))).max() < 0.5


@pytest.mark.parametrize(("name", "color"), KINDS)
@pytest.mark.parametrize("value", [0, 1, 128, 254, 255])
def test_greys_stay_grey_and_white_stays_white(name: str, color: ColorTags, value: int) -> None:
    back = there_and_back(name, color, np.full((16, 16, 3), value, np.uint8))
    assert np.abs(back * (255 / np.iinfo(back.dtype).max) - value).max() < 0.7


@pytest.mark.parametrize(
    ("matrix", "red"),
    [(1, 0.2126), (6, 0.299), (9, 0.2627)],
)
@pytest.mark.parametrize("full", [False, True])
def test_red_gets_the_luma_that_its_matrix_says(matrix: int, red: float, full: bool) -> None:
    image = np.zeros((16, 16, 3), np.uint8)
    image[..., 2] = 255
    frame = FromBgr("yuv444p", ColorTags(matrix=matrix, full_range=full), 16, 16)(image)
    luma = np.frombuffer(frame.planes[0], np.uint8)[0]
    assert abs(luma - (255 * red if full else 16 + 219 * red)) <= 0.6
    assert (int(frame.colorspace), int(frame.color_range)) == (matrix, 2 if full else 1)


@pytest.mark.parametrize("name", ["bgr0", "gbrp10le", "gbrp12le", "gbrp16le"])
def test_rgb_is_kept_to_the_bit(name: str) -> None:
    bits = PixelFormat(name).bits
    levels = np.random.default_rng(3).integers(0, 1 << bits, (9, 7, 3))
    image = np.rint(levels * (65535 / ((1 << bits) - 1))).astype(np.uint16)
    if bits == 8:
        image = levels.astype(np.uint8)
    assert np.array_equal(there_and_back(name, ColorTags(matrix=0), image), image)


@given(
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    name=st.sampled_from(["yuv420p", "yuvj422p", "yuv444p", "yuv420p10le"]),
)
def test_any_size_is_converted_whole(width: int, height: int, name: str) -> None:
    image = np.full((height, width, 3), (60, 120, 180), np.uint8)
    back = there_and_back(name, ColorTags(), image)
    scale = 255 / np.iinfo(back.dtype).max
    assert back.shape == image.shape
    assert np.abs(back * scale - image).max() < 2


def test_float_pictures_are_clipped_and_rounded_not_wrapped() -> None:
    image = np.full((16, 16, 3), 1.5, np.float32)
    image[:8] = -0.5
    back = there_and_back("yuv444p", ColorTags(), image)
    assert back[:4].max() == 0
    assert back[12:].min() == 255


def test_a_view_with_padded_rows_is_taken_as_it_is() -> None:
    wide = np.random.default_rng(0).integers(0, 256, (16, 40, 3)).astype(np.uint8)
    view = wide[:, 4:20]
    color = ColorTags(matrix=0)
    assert np.array_equal(there_and_back("bgr0", color, view), view)
    assert np.array_equal(there_and_back("bgr0", color, view[:, ::-1]), view[:, ::-1])


def test_untagged_pictures_are_read_by_their_size_whichever_way_up() -> None:
    untagged = ColorTags()
    assert [matrix_of(untagged, *size) for size in ((720, 576), (576, 720))] == [5, 5]
    assert [matrix_of(untagged, *size) for size in ((1280, 720), (1080, 1920))] == [1, 1]
    assert matrix_of(ColorTags(matrix=6), 1920, 1080) == 6


@pytest.mark.parametrize("codec", ["h264", "h265", "ffv1"])
@pytest.mark.parametrize(
    ("pixel_format", "matrix", "full"),
    [("yuv420p", 2, None), ("yuv420p", 1, False), ("yuvj420p", 2, True)],
)
def test_a_pass_through_a_file_shifts_no_colour(
    make_clip: Callable[..., Path],
    plan_for: Callable[..., OutputPlan],
    tmp_path: Path,
    bars: Any,
    codec: str,
    pixel_format: str,
    matrix: int,
    full: bool | None,
) -> None:
    path = make_clip(
        "in.mkv", 3, size=(128, 64), picture=bars, codec="ffv1" if full is None else "libx264",
        pixel_format=pixel_format, matrix=matrix, full=full,
    )  # fmt: skip
    source = VideoSource(path)
    before = next(source.frames()).image
    writer = VideoWriter(
        tmp_path / "out.mkv", plan_for(source.info, codec=codec, quality=4, preset="fast")
    )
    for frame in source.frames():
        writer.write(frame)
    result = VideoSource(writer.finish())
    after = next(result.frames()).image
    assert np.abs((after.astype(float) - before).mean((0, 1))).max() < 0.6
    assert result.info.color.matrix == source.info.color.matrix
    assert bool(result.info.color.full_range) == bool(source.info.color.full_range)


def test_ten_bit_frames_are_not_reduced_to_eight() -> None:
    ramp = np.linspace(0, 65535, 1024).astype(np.uint16)
    image = np.repeat(np.tile(ramp[None, :, None], (4, 1, 3)), 1, axis=0)
    frame = FromBgr("yuv444p10le", ColorTags(full_range=True), 1024, 4)(image)
    luma = np.frombuffer(frame.planes[0], np.uint16).reshape(4, -1)[0, :1024]
    assert np.array_equal(luma, np.arange(1024))
    assert isinstance(frame, av.VideoFrame)
