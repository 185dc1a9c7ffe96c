"""The preview sheet shows what it is given."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from mien.training.show.preview import contact_sheet, split_blocks, write_png

TITLES = 20


def flat(size: int, *colour: float) -> np.ndarray:
    return np.full((size, size, 3), colour, np.float32)


def test_pictures_stand_in_columns_enlarged_by_whole_numbers() -> None:
    red, blue = flat(48, 0, 0, 1), flat(48, 1, 0, 0)
    sheet = contact_sheet([{"source": [red, red], "swap": [blue, red]}])
    tile = 48 * 3  # the smallest multiple that is at least 128
    assert sheet.shape == (TITLES + 2 * (tile + 4), 2 * tile + 4, 3)
    assert sheet[TITLES + 5, 5].tolist() == [0, 0, 255]
    assert sheet[TITLES + 5, tile + 4 + 5].tolist() == [255, 0, 0]
    assert sheet[TITLES + tile + 4 + 5, tile + 4 + 5].tolist() == [0, 0, 255]
    assert sheet[:TITLES].max() > 200, "titles are written"


def test_the_head_stands_above_the_titles() -> None:
    block = {"source": [flat(128, 1, 1, 1)]}
    plain, headed = contact_sheet([block]), contact_sheet([block], "iteration 7")
    assert headed.shape[0] == plain.shape[0] + 24
    assert headed[:20].max() > 200
    assert (headed[24:] == plain).all()


def test_blocks_stand_apart() -> None:
    block = {"a": [flat(128, 0, 1, 0)]}
    sheet = contact_sheet([block, block])
    assert sheet.shape[1] == 2 * 128 + 12
    assert (sheet[TITLES + 5, 128 : 128 + 12] == 32).all()


@pytest.mark.parametrize("columns", [1, 5, 11])
@pytest.mark.parametrize("size", [16, 128, 200, 512])
def test_a_sheet_is_never_wider_than_asked_for(size: int, columns: int) -> None:
    block = {str(number): [flat(size, 1, 1, 1)] for number in range(columns)}
    sheet = contact_sheet([block], width=1000)
    assert sheet.shape[1] <= 1000
    tile = (sheet.shape[1] + 4) // columns - 4
    assert tile == size or tile % size == 0 or size > (1000 + 4) // columns - 4


def test_large_faces_are_averaged_not_sampled() -> None:
    checks = np.indices((512, 512)).sum(0)[..., None] % 2 * np.ones(3)
    sheet = contact_sheet([{"a": [checks.astype(np.float32)]}], width=256)
    assert np.ptp(sheet[TITLES + 4 : -4]) <= 2
    assert abs(int(sheet[TITLES + 50, 50, 0]) - 128) <= 1


def test_letters_that_the_font_lacks_do_no_harm() -> None:
    assert contact_sheet([{"größe 顔": [flat(128, 1, 1, 1)]}], "modèle").size


def test_columns_of_different_length_leave_room() -> None:
    sheet = contact_sheet([{"a": [flat(128, 1, 1, 1)], "b": [flat(128, 1, 1, 1)] * 3}])
    assert (sheet[TITLES + 140 :, :128] == 32).all()


# --- blocks -------------------------------------------------------------------------------------

WHOLE = {
    title: [flat(4, 0.5, 0.5, 0.5)]
    for title in ("source", "source again", "target", "target again", "swap")
}
HALF = np.zeros((4, 4, 1), np.float32)
HALF[:2] = 1


def test_a_model_without_masks_has_one_block() -> None:
    (block,) = split_blocks(WHOLE, [HALF], [HALF])
    assert list(block) == list(WHOLE)


def test_the_masked_block_is_that_of_deepfacelab() -> None:
    masked = {"masked": [flat(4, 0.25, 0.25, 0.25)]}
    whole, inside = split_blocks({**WHOLE, **masked}, [HALF], [HALF])
    assert list(whole) == list(WHOLE)
    titles = ["source, masked", "source again", "target, masked", "again, masked", "swap, masked"]
    assert list(inside) == titles
    for title in ("source, masked", "target, masked", "again, masked"):
        (image,) = inside[title]
        assert image[:2].min() == 0.5, title
        assert image[2:].max() == 0, title
    assert (inside["source again"][0] == 0.5).all()
    assert (inside["swap, masked"][0] == 0.25).all()


def test_masks_that_the_model_made_are_used_and_shown() -> None:
    lower = np.repeat(1 - HALF, 3, 2)
    columns = {**WHOLE, "swap mask": [lower], "target mask": [lower]}
    _, inside, masks = split_blocks(columns, [HALF], [HALF])
    assert list(masks) == ["swap mask", "target mask"]
    for title in ("swap, masked", "again, masked"):
        assert inside[title][0][:2].max() == 0
        assert inside[title][0][2:].min() == 0.5


def test_a_model_that_morphs_shows_its_own_columns() -> None:
    columns = {**{t: i for t, i in WHOLE.items() if t != "swap"}, "morph 0.5": WHOLE["swap"]}
    (block,) = split_blocks(columns, [HALF], [HALF])
    assert list(block)[-1] == "morph 0.5"


def test_a_sheet_is_written_whole(tmp_path: Path) -> None:
    write_png(tmp_path / "sub" / "sheet.png", contact_sheet([WHOLE]))
    assert cv2.imread(str(tmp_path / "sub" / "sheet.png")) is not None
    assert [path.name for path in (tmp_path / "sub").iterdir()] == ["sheet.png"]
