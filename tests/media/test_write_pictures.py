"""Writing pictures: names, depths, and folders that appear whole."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mien.errors import OutputError
from mien.media import journal
from mien.media.base import ClipInfo, OutputPlan
from mien.media.contact import load_picture
from mien.media.write_pictures import PictureWriter, SinglePictureWriter
from mien.types import Frame, replace

PlanFor = Callable[..., OutputPlan]
MakeFrame = Callable[..., Frame]
INFO = ClipInfo(uri="a clip", width=8, height=6)


def grey(value: Any, dtype: Any = np.uint8) -> Any:
    return np.full((6, 8, 3), value, dtype)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_appears_only_when_all_pictures_are_in_it(
    plan_for: PlanFor, frame: MakeFrame, tmp_path: Path
) -> None:
    writer = PictureWriter(tmp_path / "out", plan_for(INFO))
    writer.write(frame(0, grey(3)))
    writer.write(frame(12, grey(4)))
    assert names(tmp_path) == ["out.partial"]
    assert writer.finish() == tmp_path / "out"
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["000000.png", "000012.png"]
    assert np.array_equal(load_picture(tmp_path / "out" / "000012.png"), grey(4))


def test_pictures_keep_the_names_of_their_frames_and_never_meet(
    plan_for: PlanFor, frame: MakeFrame, tmp_path: Path
) -> None:
    writer = PictureWriter(tmp_path / "out", plan_for(INFO, picture="jpg"))
    for index, name in enumerate(["anna", "ben", "anna"]):
        writer.write(frame(index, grey(index), name=name))
    assert names(writer.finish()) == ["anna.jpg", "anna_000002.jpg", "ben.jpg"]


def test_a_pattern_numbers_the_pictures(
    plan_for: PlanFor, frame: MakeFrame, tmp_path: Path
) -> None:
    writer = PictureWriter(tmp_path / "shot" / "f_%04d.tif", plan_for(INFO))
    writer.write(frame(7, grey(1), name="not used"))
    assert writer.finish() == tmp_path / "shot"
    assert names(tmp_path / "shot") == ["f_0007.tif"]


@pytest.mark.parametrize(
    ("picture", "bits", "image", "expected"),
    [
        ("png", 10, grey(40000, np.uint16), np.uint16),
        ("tif", 10, grey(40000, np.uint16), np.uint16),
        ("tif", 32, grey(1.5, np.float32), np.float32),
        ("png", 32, grey(0.5, np.float32), np.uint16),
        ("png", 8, grey(0.5, np.float32), np.uint8),
        ("jpg", 10, grey(40000, np.uint16), np.uint8),
    ],
)
def test_pictures_have_the_depth_of_their_frames(
    plan_for: PlanFor,
    frame: MakeFrame,
    tmp_path: Path,
    picture: str,
    bits: int,
    image: Any,
    expected: Any,
) -> None:
    writer = PictureWriter(tmp_path / "out", plan_for(INFO, picture=picture))
    writer.write(frame(0, image, bits=bits))
    (path,) = writer.finish().iterdir()
    written = load_picture(path)
    assert written.dtype == expected
    top = {"u": np.iinfo(expected).max if expected != np.float32 else 1, "f": 1}[
        np.dtype(expected).kind
    ]
    source_top = np.iinfo(image.dtype).max if image.dtype.kind == "u" else 1
    assert abs(written.max() / top - image.max() / source_top) < 0.01


def test_a_folder_with_other_files_is_left_alone(plan_for: PlanFor, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="exists and is not empty"):
        PictureWriter(tmp_path / "full", plan_for(INFO))
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds other files; move them away"):
        PictureWriter(tmp_path / "out", plan_for(INFO))
    assert (tmp_path / "out.partial" / "mine.txt").read_text() == "mine"


def test_a_partial_folder_of_ours_and_an_empty_folder_are_taken(
    plan_for: PlanFor, frame: MakeFrame, tmp_path: Path
) -> None:
    killed = PictureWriter(tmp_path / "out", plan_for(INFO))
    killed.write(frame(5, grey(5)))
    (tmp_path / "out").mkdir()
    writer = PictureWriter(tmp_path / "out", plan_for(INFO))
    writer.write(frame(0, grey(1)))
    assert names(writer.finish()) == ["000000.png"]


def test_stopped_pictures_are_kept_under_the_partial_name(
    plan_for: PlanFor, frame: MakeFrame, tmp_path: Path
) -> None:
    writer = PictureWriter(tmp_path / "out", plan_for(INFO))
    writer.write(frame(0, grey(1)))
    assert writer.keep_partial() == tmp_path / "out.partial"
    assert "000000.png" in names(tmp_path / "out.partial")
    assert PictureWriter(tmp_path / "none", plan_for(INFO)).keep_partial() is None
    assert names(tmp_path) == ["out.partial"]


def test_a_missing_parent_folder_is_said(plan_for: PlanFor, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="make it first"):
        PictureWriter(tmp_path / "no" / "out", plan_for(INFO))


def test_one_picture_is_written_whole(plan_for: PlanFor, frame: MakeFrame, tmp_path: Path) -> None:
    one = ClipInfo(uri="x.png", width=8, height=6, frames=1)
    writer = SinglePictureWriter(tmp_path / "out.png", plan_for(one))
    writer.write(frame(0, grey(9)))
    assert names(tmp_path) == ["out.partial.png"]
    with pytest.raises(OutputError, match="is one picture, but the clip has more frames"):
        writer.write(frame(1, grey(9)))
    assert writer.finish() == tmp_path / "out.png"
    assert names(tmp_path) == ["out.png"]


def test_a_clip_does_not_fit_into_one_picture(plan_for: PlanFor, tmp_path: Path) -> None:
    many = ClipInfo(uri="x.mp4", width=8, height=6, frames=30)
    with pytest.raises(OutputError, match=r"has 30 frames; name a folder, or .*'out_%05d\.png'"):
        SinglePictureWriter(tmp_path / "out.png", plan_for(many))


def picture_writer(plan_for: PlanFor, tmp_path: Path, work: str, **more: Any) -> PictureWriter:
    return PictureWriter(tmp_path / "out", replace(plan_for(INFO, **more), resume=work))


@pytest.mark.parametrize("picture", ["png", "exr", "tif"])
def test_pictures_are_gone_on_with_behind_the_last_whole_one(
    plan_for: PlanFor, frame: MakeFrame, tmp_path: Path, picture: str
) -> None:
    killed = picture_writer(plan_for, tmp_path, "a", picture=picture)
    assert killed.resumes_at == 0
    for index in range(4):
        killed.write(frame(index, grey(index), name=f"f{index}"))
    partial = tmp_path / "out.partial"
    (partial / f"f3.{picture}").write_bytes(b"half")  # the power went before it was on the disk
    (partial / f".f4.{picture}").write_bytes(b"half")  # killed while it was written
    with (partial / ".mien-partial").open("a") as journal:
        journal.write('{"frame": 4, "fi')
    writer = picture_writer(plan_for, tmp_path, "a", picture=picture)
    assert writer.resumes_at == 3
    for index in range(3, 6):
        writer.write(frame(index, grey(index), name=f"f{index}"))
    assert writer.notes == []
    folder = writer.finish()
    assert names(folder) == [f"f{index}.{picture}" for index in range(6)]
    whole = PictureWriter(tmp_path / "whole", plan_for(INFO, picture=picture))
    for index in range(6):
        whole.write(frame(index, grey(index), name=f"f{index}"))
    for path in whole.finish().iterdir():
        assert path.read_bytes() == (folder / path.name).read_bytes()


def test_pictures_of_another_work_are_begun_anew_and_names_still_never_meet(
    plan_for: PlanFor, frame: MakeFrame, tmp_path: Path
) -> None:
    picture_writer(plan_for, tmp_path, "a").write(frame(0, grey(1), name="one"))
    other = picture_writer(plan_for, tmp_path, "b")
    assert other.resumes_at == 0
    assert other.notes == ["input, settings or versions have changed: the render begins anew"]
    other.write(frame(0, grey(1), name="one"))
    again = picture_writer(plan_for, tmp_path, "b")
    assert again.resumes_at == 1
    again.write(frame(1, grey(2), name="one"))
    assert names(again.finish()) == ["one.png", "one_000001.png"]


def test_without_a_name_of_the_work_pictures_are_begun_anew(
    plan_for: PlanFor, frame: MakeFrame, tmp_path: Path
) -> None:
    picture_writer(plan_for, tmp_path, "a").write(frame(0, grey(1)))
    assert picture_writer(plan_for, tmp_path, "").resumes_at == 0


def test_a_full_disk_says_what_is_kept_and_only_that(
    plan_for: PlanFor, frame: MakeFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = picture_writer(plan_for, tmp_path, "a")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patched:
        patched.setattr(journal.Journal, "_store", full)
        with pytest.raises(OutputError, match=r"\(no space left on the disk\)$"):
            writer.write(frame(0, grey(0)))
    writer.write(frame(0, grey(0)))
    monkeypatch.setattr(journal.Journal, "_store", full)
    with pytest.raises(OutputError, match=r"disk\); the pictures before it are kept$"):
        writer.write(frame(1, grey(1)))
