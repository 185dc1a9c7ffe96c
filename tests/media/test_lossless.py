"""Lossless means: decoding gives the arrays that were written, every bit of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mien.errors import InputError, OutputError
from mien.media.base import ClipInfo, OutputPlan
from mien.media.contact import load_picture, save_picture
from mien.media.plugin import open_source, open_writer
from mien.types import ColorTags, Frame

PlanFor = Callable[..., OutputPlan]
MakeFrame = Callable[..., Frame]


def noise(dtype: Any, *, seed: int = 0, size: tuple[int, int] = (48, 65)) -> Any:
    top = np.iinfo(dtype).max
    return np.random.default_rng(seed).integers(0, top, (*size, 3), dtype, endpoint=True)


def info(**more: Any) -> ClipInfo:
    return ClipInfo(uri="a clip", width=65, height=48, **more)


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [
        ("ffv1", ".mkv"), ("ffv1", ".avi"), ("ffv1", ".mp4"),
        ("h264", ".mp4"), ("h264", ".mkv"), ("h264", ".avi"), ("h265", ".mov"), ("h265", ".mkv"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["yuv420p", "bgr24"])
def test_8_bit_frames_come_back_to_the_bit(
    plan_for: PlanFor, frame: MakeFrame, tmp_path: Path, codec: str, suffix: str, name: str
) -> None:
    color = ColorTags(primaries=1, transfer=1, matrix=1, full_range=False)
    plan = plan_for(info(pixel_format=name, color=color), codec=codec, lossless=True)
    images = [noise(np.uint8, seed=seed) for seed in range(5)]
    writer = open_writer(tmp_path / f"out{suffix}", plan)
    for n, image in enumerate(images):
        writer.write(frame(n, image))
    decoded = [each.image for each in open_source(writer.finish()).frames()]
    assert len(decoded) == 5
    for image, back in zip(images, decoded, strict=True):
        np.testing.assert_array_equal(image, back)


@pytest.mark.parametrize("name", ["yuv420p10le", "gbrp12le", "bgr48le"])
def test_deep_frames_come_back_to_the_bit_in_ffv1(
    plan_for: PlanFor, frame: MakeFrame, tmp_path: Path, name: str
) -> None:
    bits = {"yuv420p10le": 10, "gbrp12le": 12}.get(name, 16)
    plan = plan_for(info(pixel_format=name, bits=bits), codec="ffv1", lossless=True)
    image = noise(np.uint16)
    writer = open_writer(tmp_path / "out.mkv", plan)
    writer.write(frame(0, image, bits=bits))
    (back,) = open_source(writer.finish()).frames()
    np.testing.assert_array_equal(image, back.image)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_grey_is_kept_to_the_bit_in_one_plane(
    plan_for: PlanFor, frame: MakeFrame, tmp_path: Path, suffix: str
) -> None:
    codec = "ffv1" if suffix == ".mkv" else "h264"
    plan = plan_for(info(pixel_format="gray"), codec=codec, lossless=True)
    image = np.repeat(noise(np.uint8, size=(48, 64))[..., :1], 3, axis=2)
    writer = open_writer(tmp_path / f"out{suffix}", plan)
    writer.write(frame(0, image))
    source = open_source(writer.finish())
    assert source.info.pixel_format in ("gray", "yuvj420p")  # the decoder of h264 adds chroma
    np.testing.assert_array_equal(next(source.frames()).image, image)


@pytest.mark.parametrize(
    ("target", "options", "words"),
    [
        ({}, {"codec": "prores"}, "prores always loses something; choose --codec ffv1"),
        ({}, {"chroma": "444"}, "nothing to choose for encode.chroma and encode.bits"),
        ({"bits": 10}, {}, "has 10 bits, so results have 16, and h264 holds only 8 to the bit"),
        ({"bits": 32}, {"codec": "ffv1"}, "no video codec holds float pictures; name a folder"),
    ],
)
def test_what_would_lose_is_refused_at_once(
    plan_for: PlanFor, tmp_path: Path, target: dict[str, Any], options: dict[str, str], words: str
) -> None:
    suffix = ".mkv" if options.get("codec") == "ffv1" else ".mov"
    with pytest.raises(OutputError, match=words):
        open_writer(tmp_path / f"out{suffix}", plan_for(info(**target), lossless=True, **options))
    assert list(tmp_path.iterdir()) == []


def test_exr_keeps_floats_below_black_and_above_white(tmp_path: Path) -> None:
    image = np.random.default_rng(1).normal(0.5, 2, (17, 33, 3)).astype(np.float32)
    save_picture(tmp_path / "a.exr", image)
    np.testing.assert_array_equal(load_picture(tmp_path / "a.exr"), image)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_exr_keeps_every_step_of_whole_numbers(tmp_path: Path, dtype: Any) -> None:
    image = noise(dtype)
    save_picture(tmp_path / "a.exr", image)
    back = load_picture(tmp_path / "a.exr")
    assert back.dtype == np.float32
    np.testing.assert_array_equal(np.rint(back * np.iinfo(dtype).max), image)


@pytest.mark.parametrize("cut", [4, 60, 300])
def test_a_broken_exr_is_no_picture(tmp_path: Path, cut: int) -> None:
    save_picture(tmp_path / "a.exr", noise(np.uint8))
    data = (tmp_path / "a.exr").read_bytes()
    (tmp_path / "a.exr").write_bytes(data[:cut])
    with pytest.raises(InputError, match="not a picture that can be read"):
        load_picture(tmp_path / "a.exr")


def test_a_build_without_exr_says_what_to_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("av.codecs_available", {"ffv1"})
    with pytest.raises(OutputError, match=r"cannot write OpenEXR; use \.tif or \.png"):
        save_picture(tmp_path / "a.exr", noise(np.uint8))


@pytest.mark.parametrize(
    ("bits", "picture", "dtype"),
    [("16", "png", np.uint16), ("16", "tif", np.uint16), ("8", "tif", np.uint8),
     ("32", "tif", np.float32), ("auto", "exr", np.float32), ("auto", "png", np.uint8)],
)  # fmt: skip
def test_a_sequence_has_the_depth_that_was_asked(
    plan_for: PlanFor,
    frame: MakeFrame,
    tmp_path: Path,
    bits: str,
    picture: str,
    dtype: Any,
) -> None:
    writer = open_writer(tmp_path / "out", plan_for(info(), bits=bits, picture=picture))
    image = noise(np.uint8)
    writer.write(frame(0, image))
    (back,) = open_source(writer.finish()).frames()
    assert back.image.dtype == dtype
    top = 1 if dtype == np.float32 else np.iinfo(dtype).max
    np.testing.assert_array_equal(np.rint(back.image / top * 255), image)
