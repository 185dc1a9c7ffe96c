"""Anchors, decoding and suppression against the published code's numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mien.geometry.boxes import suppress
from mien_retinaface.decode import decode_boxes, decode_points, drop_inner, make_priors

PUBLISHED = ((16, 32), (64, 128), (256, 512))


@pytest.mark.parametrize(("threshold", "name"), [(0.02, "dets_t0_02"), (0.5, "dets_t0_5")])
def test_decoding_gives_the_published_boxes_and_points(
    shared: Callable[[str], Path], threshold: float, name: str
) -> None:
    with np.load(shared("golden/nets/retinaface_decode_152x200.npz")) as golden:
        loc, scores, landms = golden["loc"], golden["conf"][:, 1], golden["landms"]
        priors, wanted = golden["priors"], golden[name]
    np.testing.assert_array_equal(make_priors(152, 200, PUBLISHED), priors)
    sure = np.flatnonzero(scores > threshold)
    boxes = decode_boxes(loc[sure], priors[sure]) * np.float32([200, 152, 200, 152])
    points = decode_points(landms[sure], priors[sure]) * np.float32([200, 152])
    kept = suppress(boxes, scores[sure], 0.4, plus_one=True)
    rows = np.column_stack([boxes, scores[sure], points.reshape(-1, 10)])[kept]
    np.testing.assert_allclose(rows, wanted, atol=1e-4)  # pixels: float32 of another order


def test_anchors_cover_a_picture_that_no_step_divides() -> None:
    priors = make_priors(33, 17, ((10, 20), (32, 64), (128, 256)))
    cells = 5 * 3 + 3 * 2 + 2 * 1
    assert priors.shape == (2 * cells, 4)
    np.testing.assert_allclose(priors[0], [4 / 17, 4 / 33, 10 / 17, 10 / 33], rtol=1e-6)
    np.testing.assert_allclose(priors[-1], [16 / 17, 48 / 33, 256 / 17, 256 / 33], rtol=1e-6)


def test_parts_of_a_better_box_go_and_neighbours_stay() -> None:
    boxes = np.float32([[0, 0, 100, 100], [10, 10, 40, 50], [80, 0, 120, 40], [15, 12, 38, 45]])
    assert drop_inner(boxes, 0.8).tolist() == [0, 2]
    assert drop_inner(boxes, 1.0).tolist() == [0, 1, 2, 3]
    assert drop_inner(boxes[[1, 0]], 0.8).tolist() == [0, 1]  # the part is the better one
    assert drop_inner(boxes[:0], 0.8).tolist() == []


def test_decoding_turns_back_what_training_encodes() -> None:
    priors = make_priors(96, 160, PUBLISHED)
    box = np.float32([0.2, 0.3, 0.5, 0.9])
    centre, size = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
    offsets = np.concatenate(
        [
            (centre - priors[:, :2]) / priors[:, 2:] / np.float32(0.1),
            np.log(size / priors[:, 2:]) / np.float32(0.2),
        ],
        axis=1,
    )
    np.testing.assert_allclose(
        decode_boxes(offsets, priors), np.tile(box, (len(priors), 1)), atol=1e-5
    )
