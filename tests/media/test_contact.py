"""Contact sheets and single pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mien.errors import InputError, OutputError
from mien.media.contact import contact_sheet, load_picture, save_picture


def test_pictures_stand_in_rows_in_their_own_proportions() -> None:
    white = [np.full((40, 80, 3), 255, np.uint8)] * 3
    sheet = contact_sheet(white, columns=2, width=80)
    assert sheet.dtype == np.uint8
    assert sheet.shape == (40 * 2 + 4 * 3, 80 * 2 + 4 * 3, 3)
    assert (sheet == 255).all(axis=2).sum() == 3 * 40 * 80


def test_a_tall_picture_gets_its_height_and_a_very_tall_one_is_fitted() -> None:
    sheet = contact_sheet([np.full((100, 50, 3), 255, np.uint8)], width=50)
    assert sheet.shape[0] == 100 + 8
    sheet = contact_sheet([np.full((1000, 50, 3), 255, np.uint8)], width=50)
    assert sheet.shape[0] == 100 + 8
    assert 0 < (sheet == 255).all(axis=2).sum() < 1000


def test_titles_are_written_below_and_cut_to_the_cell() -> None:
    black = [np.zeros((20, 60, 3), np.uint8)] * 2
    sheet = contact_sheet(black, ["short", "a title far too long for its cell"], width=60)
    caption = sheet[24:44]
    assert caption[:, 4:64].max() > 200
    assert caption[:, 68:128].max() > 200
    assert caption[:, 128:].max() < 60


def test_all_depths_meet_on_one_sheet() -> None:
    images = [
        np.full((8, 8, 3), 255, np.uint8),
        np.full((8, 8, 3), 65535, np.uint16),
        np.full((8, 8, 3), 1.0, np.float32),
    ]
    sheet = contact_sheet(images, width=8)
    assert (sheet == 255).all(axis=2).sum() == 3 * 64


def test_an_empty_sheet_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one picture"):
        contact_sheet([])


@pytest.mark.parametrize("name", ["plain.png", "日本 ü %d.png"])
def test_a_picture_comes_back_as_it_was_saved(tmp_path: Path, name: str) -> None:
    image = np.random.default_rng(0).integers(0, 65536, (5, 7, 3)).astype(np.uint16)
    save_picture(tmp_path / name, image)
    assert np.array_equal(load_picture(tmp_path / name), image)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_picture_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    image = np.zeros((2, 2, 3), np.uint8)
    with pytest.raises(OutputError, match=r"cannot be written as '\.xyz'; use \.png"):
        save_picture(tmp_path / "a.xyz", image)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot be written \("):
        save_picture(tmp_path / "file" / "a.png", image)


def test_a_missing_picture_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be read \(no such file or directory\)"):
        load_picture(tmp_path / "a.png")
