"""Anchors, decoding and each program's habits against the originals' numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mien_s3fd.decode import decode_boxes, make_priors
from mien_s3fd.flavours import FLAVOURS, Fed, drop_touching

Shared = Callable[[str], Path]


def flat(classes: list[Any], offsets: list[Any]) -> tuple[Any, Any, Any]:
    """Priors, offsets and probabilities of levels (2, h, w) and (4, h, w)."""
    priors = make_priors(tuple(each.shape[1:] for each in classes))
    scores = np.concatenate(
        [1 / (1 + np.exp(each[0].ravel() - each[1].ravel())) for each in classes]
    )
    moves = np.concatenate([each.reshape(4, -1).T for each in offsets])
    return priors, moves, scores


def boxes_above(threshold: float, flattened: tuple[Any, Any, Any]) -> tuple[Any, Any]:
    priors, moves, scores = flattened
    which = np.flatnonzero(scores > threshold)
    return decode_boxes(moves[which], priors[which]), scores[which]


@pytest.fixture
def golden(shared: Shared) -> dict[str, Any]:
    with np.load(shared("golden/nets/s3fd_decode_160x192.npz")) as stored:
        return {key: stored[key] for key in stored.files if key != "meta"}


@pytest.fixture
def levels(golden: dict[str, Any]) -> tuple[Any, Any, Any]:
    return flat([golden[f"cls{i}"] for i in range(1, 7)], [golden[f"reg{i}"] for i in range(1, 7)])


def test_all_candidates_come_in_the_order_of_the_maps(
    golden: dict[str, Any], levels: tuple[Any, Any, Any]
) -> None:
    boxes, scores = boxes_above(0.05, levels)
    rows = np.column_stack([boxes, scores])
    np.testing.assert_allclose(rows, golden["candidates_gt_0_05"], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("flavour", "name"),
    [("face-alignment", "face_alignment_dets"), ("faceswap", "faceswap_dets")],
)
def test_each_programs_suppression_leaves_its_boxes(
    golden: dict[str, Any], levels: tuple[Any, Any, Any], flavour: str, name: str
) -> None:
    habits = FLAVOURS[flavour]
    boxes, scores = habits.thin(*boxes_above(habits.threshold, levels), habits.nms)
    np.testing.assert_allclose(np.column_stack([boxes, scores]), golden[name], rtol=1e-5, atol=1e-3)


def test_deepfacelab_truncates_before_it_scales(
    golden: dict[str, Any], levels: tuple[Any, Any, Any]
) -> None:
    habits = FLAVOURS["dfl"]
    boxes, _ = habits.thin(*boxes_above(habits.threshold, levels), habits.nms)
    np.testing.assert_array_equal(np.trunc(boxes).astype(int), golden["dfl_ltrb_int"])


@pytest.mark.parametrize("case", range(4))
def test_deepfacelabs_boxes_in_the_frame(shared: Shared, case: int) -> None:
    habits = FLAVOURS["dfl"]
    with np.load(shared("golden/dfl-image/detect.npz")) as stored:
        found = {key[7:]: stored[key] for key in stored.files if key.startswith(f"s3fd_{case}_")}
    frame = np.zeros((*found["hw"].tolist(), 3), np.uint8)
    fed = habits.feed(frame, 0)
    assert list(fed.image.shape[:2]) == found["net_hw"].tolist()
    outputs = [found[f"out{i}"][0] for i in range(12)]
    shapes = tuple(each.shape[:2] for each in outputs[::2])
    scores = np.concatenate([each[..., 1].ravel() for each in outputs[::2]])
    moves = np.concatenate([each.reshape(-1, 4) for each in outputs[1::2]])
    boxes, _ = habits.thin(
        *boxes_above(habits.threshold, (make_priors(shapes), moves, scores)), habits.nms
    )
    np.testing.assert_array_equal(np.trunc(boxes).astype(int), found["refined"])
    placed, _ = habits.finish(boxes, fed)
    order = np.argsort(-np.prod(placed[:, 2:] - placed[:, :2], axis=1), kind="stable")
    np.testing.assert_array_equal(placed[order], found["rects"])
    apart = placed[order][drop_touching(placed[order])]
    np.testing.assert_array_equal(apart, found["rects_nointersect"])


def test_a_letter_box_is_undone() -> None:
    habits = FLAVOURS["faceswap"]
    fed = habits.feed(np.zeros((180, 321, 3), np.uint8), 0)
    assert fed.image.shape == (640, 640, 3)
    corners = np.float32([[0, 0, 321, 180]]) * np.float32(fed.scale)
    corners += np.float32([*fed.offset, *fed.offset])
    placed, _ = habits.finish(corners, fed)
    np.testing.assert_array_equal(placed, [[0, 0, 321, 180]])


def test_small_faces_go_and_chins_grow_in_deepfacelabs_way() -> None:
    boxes = np.float32([[10.9, 10.9, 40.2, 60.9], [10, 10, 29.5, 90]])
    placed, which = FLAVOURS["dfl"].finish(boxes, Fed(np.zeros((1, 1, 3), np.uint8), 0.5))
    assert which.tolist() == [0]  # the other is 38 pixels wide in the frame
    np.testing.assert_array_equal(placed, [[20, 20, 80, 130]])


def test_nothing_gives_nothing() -> None:
    none = np.zeros((0, 4), np.float32)
    for habits in FLAVOURS.values():
        boxes, scores = habits.thin(none, np.zeros(0, np.float32), habits.nms)
        placed, which = habits.finish(boxes, Fed(np.zeros((1, 1, 3), np.uint8), 1.0))
        assert placed.shape == (0, 4)
        assert len(which) == len(scores) == 0
    assert len(drop_touching(none)) == 0


def test_touching_neighbours_in_size_go_and_others_stay() -> None:
    boxes = np.float32([[0, 0, 10, 10], [10, 0, 19, 9], [0, 5, 5, 10], [100, 0, 150, 50]])
    # 3 is the largest; 0 touches only 1, which is smaller and goes; 2 lies in 0, but is compared
    # with 1 alone.
    assert drop_touching(boxes).tolist() == [0, 2, 3]
