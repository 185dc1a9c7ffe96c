"""The squares: the published crops pixel by pixel, and the exact one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mien.geometry import transform
from mien.types import Detection
from mien_fan.crops import (
    Square,
    box_square,
    exact,
    prepare,
    whole_pixels,
    whole_pixels_faceswap,
)
from mien_fan.decode import quarter

LEVEL = np.array([1.0, 0.0])


def gradient(width: int, height: int) -> np.ndarray:
    """A float picture whose channels say where each pixel lies: x, y, 0, in thousandths."""
    ys, xs = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([xs, ys, xs * 0], axis=-1) / 1000


def test_face_alignments_crops_are_repeated(shared: Callable[[str], Path]) -> None:
    with np.load(shared("golden/nets/fan_decode.npz"), allow_pickle=False) as golden:
        image = golden["crop_image"]
        cases = zip(golden["crop_params"], golden["crops_fa"], strict=True)
        for (cx, cy, scale), wanted in cases:
            square = Square(centre=np.array([cx, cy]), side=200 * scale, across=LEVEL)
            np.testing.assert_array_equal(whole_pixels(image, square).image[1::4, 1::4], wanted)


def test_deepfacelabs_crops_and_points_are_repeated(shared: Callable[[str], Path]) -> None:
    with np.load(shared("golden/dfl-image/detect.npz"), allow_pickle=False) as golden:
        image, maps = golden["fan_image"], golden["fan_heatmaps"].astype(np.float32)
        for number, (x0, y0, x1, y1) in enumerate(golden["fan_rects"].tolist()):
            side = 200 * (x1 - x0 + y1 - y0) / 195
            found = Detection(box=(x0, y0, x1, y1), score=1)
            view = whole_pixels(image, box_square(found, side=side, lift=0, upright=False))
            np.testing.assert_array_equal(view.image[..., ::-1], golden["fan_crops_rgb"][number])
            points = transform(view.matrix, quarter(maps[number]).astype(np.float64))
            np.testing.assert_allclose(points, golden["fan_points"][number], atol=1e-9)


@pytest.mark.parametrize("degrees", [0, 25, -140])
@pytest.mark.parametrize("side", [100.0, 256.0, 300.5])
def test_the_exact_crop_shows_what_its_matrix_says(degrees: float, side: float) -> None:
    angle = np.deg2rad(degrees)
    square = Square(
        centre=np.array([300.3, 280.7]),
        side=side,
        across=np.array([np.cos(angle), np.sin(angle)]),
    )
    view = exact(gradient(600, 560), square)
    for row, column in ((20, 30), (128, 127), (240, 199)):
        unit = np.array([[(column + 0.5) / 256, (row + 0.5) / 256]])
        wanted = transform(view.matrix, unit)[0]
        np.testing.assert_allclose(view.image[row, column, :2] * 1000, wanted, atol=0.05)


def test_the_square_lies_above_the_middle_of_the_box_and_turns_with_the_face() -> None:
    plain = box_square(Detection(box=(0, 0, 80, 100), score=1), side=150, lift=0.12, upright=True)
    np.testing.assert_allclose(plain.centre, [40, 38])
    upright = np.array([(30, 40), (50, 40), (40, 50), (33, 60), (47, 60)], np.float32)
    hanging = (80, 100) - upright  # the head upside down
    found = Detection(box=(0, 0, 80, 100), score=1, points5=hanging)
    turned = box_square(found, side=150, lift=0.12, upright=True)
    np.testing.assert_allclose(turned.centre, [40, 62], atol=1e-5)
    np.testing.assert_allclose(turned.across, [-1, 0], atol=1e-6)


def test_faceswaps_crop_begins_late_by_a_pixel_of_256_and_knows_it() -> None:
    image = gradient(900, 900)
    square = Square(centre=np.array([400.4, 350.6]), side=512.0, across=LEVEL)
    view = whole_pixels_faceswap(image, square)
    # centre (400, 351), half a side 256, two pixels left out on the left and above
    np.testing.assert_allclose(view.matrix, [[510, 0, 146], [0, 510, 97]])
    middle = view.image[128, 128, :2] * 1000
    np.testing.assert_allclose(middle, [400.5, 351.5], atol=1.0)


@pytest.mark.parametrize("crop", [exact, whole_pixels, whole_pixels_faceswap])
@pytest.mark.parametrize("centre", [(-500.0, 20.0), (5.0, 5.0), (1e6, 1e6)])
def test_what_lies_outside_the_frame_is_black(
    crop: Callable[..., object], centre: tuple[float, float]
) -> None:
    image = np.full((60, 80, 3), 200, np.uint8)
    view = crop(image, Square(centre=np.array(centre), side=120.0, across=LEVEL))
    assert view.image.shape == (256, 256, 3)
    assert view.image[0, 0].max() == 0


@pytest.mark.parametrize("crop", [exact, whole_pixels, whole_pixels_faceswap])
def test_a_box_without_size_still_gives_a_crop(crop: Callable[..., object]) -> None:
    square = box_square(Detection(box=(5, 5, 5, 5), score=1), side=0, lift=0, upright=True)
    assert crop(np.zeros((9, 9, 3), np.uint8), square).image.shape == (256, 256, 3)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_the_net_is_fed_rgb_0_to_1(dtype: str) -> None:
    image = np.zeros((256, 256, 3), dtype)
    image[..., 0] = {"uint8": 255, "uint16": 65535, "float32": 7}[dtype]
    fed = prepare(image)
    assert fed.dtype == np.float32
    assert fed[:, 3, 3].tolist() == [0, 0, 1]
