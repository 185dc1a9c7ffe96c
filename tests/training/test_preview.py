"""The preview sheet and the loss curve show what they are given."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from mien.training.preview import contact_sheet, loss_curve, write_png


def test_pictures_stand_in_columns_enlarged_by_whole_numbers() -> None:
    red, blue = np.zeros((48, 48, 3), np.float32), np.zeros((48, 48, 3), np.float32)
    red[..., 2] = 1
    blue[..., 0] = 1
    sheet = contact_sheet({"source": [red, red], "swap": [blue, red]})
    tile = 48 * 3  # the smallest multiple that is at least 128
    assert sheet.shape == (22 + 2 * (tile + 4), 2 * tile + 4, 3)
    assert sheet[22 + 5, 5].tolist() == [0, 0, 255]
    assert sheet[22 + 5, tile + 4 + 5].tolist() == [255, 0, 0]
    assert sheet[22 + tile + 4 + 5, tile + 4 + 5].tolist() == [0, 0, 255]
    assert sheet[:20].max() > 200, "titles are written"


def test_a_loss_that_falls_is_drawn_falling() -> None:
    lines = [{"iteration": i, "losses": {"source": 1 / i}, "ms": 1} for i in range(1, 2000)]
    curve = loss_curve(lines)
    drawn = (curve[30:] != curve[-1, -1]).any(-1)
    left = np.nonzero(drawn[:, 10:60].any(1))[0].mean()
    right = np.nonzero(drawn[:, -60:-10].any(1))[0].mean()
    assert left < right


def test_a_curve_of_nothing_is_an_empty_sheet(tmp_path: Path) -> None:
    write_png(tmp_path / "loss.png", loss_curve([]))
    assert cv2.imread(str(tmp_path / "loss.png")) is not None
