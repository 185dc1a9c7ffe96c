"""DeepFaceLab's warp from its seeds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mien.training.data.parity_warp import draw


@pytest.fixture
def golden(shared: Callable[[str], Path]) -> Any:
    with np.load(shared("golden/dfl/warp.npz")) as stored:
        return {name: stored[name] for name in stored.files}


@pytest.mark.parametrize("number", range(4))
def test_a_seed_gives_the_originals_numbers(golden: Any, number: int) -> None:
    case = json.loads(str(golden["config"]))["cases"][number]
    made = draw(case["seed"], case["w"], flip=case["flip_enabled"], zoom=case["scale_range"][1])
    assert made.flip == case["flip"]
    assert made.side == case["w_used"]
    np.testing.assert_allclose(made.matrix, golden[f"rmat{number}"], atol=1e-12)
    wanted = golden[f"mapx{number}"]
    rows = made.across if number == 0 else made.across[:: case["w_used"] // 6][: len(wanted)]
    np.testing.assert_allclose(rows, wanted, atol=1e-4)


def test_pictures_and_masks_come_out_as_the_originals(golden: Any) -> None:
    case = json.loads(str(golden["config"]))["cases"][0]
    made = draw(case["seed"], case["w"], flip=True, zoom=case["scale_range"][1])
    image = golden["img0"]
    # OpenCV 5 does not round sample positions to 1/32 pixel as OpenCV 4 did.
    np.testing.assert_allclose(made.apply(image, warp=True), golden["warped0"], atol=0.03)
    np.testing.assert_allclose(made.apply(image, warp=False), golden["target0"], atol=0.03)


def test_small_faces_are_warped_at_64_pixels_and_made_small_again() -> None:
    made = draw(4, 32, flip=False)
    assert made.side == 64
    assert made.apply(np.ones((32, 32, 1), np.float32), warp=True).shape == (32, 32, 1)
