"""`mien preview`: the frames that the whole render would have, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mien.finding.smooth import SmoothStep


@pytest.mark.parametrize("where", [(), ("-w", "work")])
def test_a_preview_is_what_the_render_makes_of_these_frames(
    mien, make_clip, model, read_clip, where
):
    clip = make_clip("frames", frames=20)
    assert mien("extract", clip, "--workspace", "work")[0] == 0
    command = ("merge", clip, *where) if where else ("swap", clip)
    assert mien(*command, "-m", model, "-o", "whole", "--grain", "40")[0] == 0
    words = ("-m", model, *where, "--grain", "40", "-o", "shown", "--sheet", "sheet.png", "--json")
    code, out, err = mien("preview", clip, 17, 3, *words)
    assert code == 0, err
    facts = json.loads(out)
    assert facts["frames_swapped"] == 2
    assert facts["frames"] == ["shown/000003.png", "shown/000017.png"]
    whole = read_clip(Path("whole"))
    for index in (3, 17):
        shown = cv2.imread(f"shown/{index:06d}.png")
        np.testing.assert_array_equal(shown, whole[index].image)
    height, width = cv2.imread("sheet.png").shape[:2]
    assert width > 4 * 400
    assert height > 2 * 300


def test_a_frame_without_a_face_is_shown_as_it_is(mien, make_clip, model, tmp_path):
    clip = make_clip("frames", frames=4, black=(2,))
    code, out, err = mien("preview", clip, 2, "-m", model, "-o", "shown")
    assert code == 0, err
    assert "contact sheet: preview.png; 0 frames with the new face" in out
    assert cv2.imread("shown/000002.png").max() == 0


def test_a_frame_that_is_not_there_is_said(mien, make_clip, model):
    clip = make_clip("frames", frames=4)
    code, _, err = mien("preview", clip, 1, 9, "-m", model)
    assert code == 5
    assert "has no frame 9; its last is 3" in err
    assert not Path("preview.png").exists()
    code, _, err = mien("preview", clip, 1)
    assert code == 2
    assert "no model was named" in err


def test_without_a_workspace_three_frames_on_each_side_are_read(
    mien, make_clip, model, monkeypatch
):
    clip = make_clip("frames", frames=40)
    seen: list[tuple[int, list[int]]] = []
    smooth = SmoothStep._one

    def watch(step: SmoothStep, place: Any) -> Any:
        around = (*place.before, place.item, *place.after)
        same = [each.frame.index for each in around if each.shot == place.item.shot]
        seen.append((place.item.frame.index, same))
        return smooth(step, place)

    monkeypatch.setattr(SmoothStep, "_one", watch)
    code, _, err = mien("preview", clip, 10, 30, "-m", model, "--smooth", "5", "--cut", "1")
    assert code == 0, err
    read = dict(seen)
    assert sorted(read) == [*range(7, 14), *range(27, 34)]
    assert read[10] == list(range(7, 14))
    assert read[13] == list(range(8, 14)), "frames that were left out make no neighbours"
    assert read[27] == list(range(27, 33))
