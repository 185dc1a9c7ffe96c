import cv2
import numpy as np
import pytest
from mien.stages import BlendPair, NoOptions
from mien_blend_seamless import create
from mien_blend_seamless.solve import membrane


def blob(height, width, seed=0):
    """A smooth piece of irregular shape that keeps off the border."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    angle = np.arctan2(y - height / 2, x - width / 2)
    reach = 0.3 + 0.1 * np.sin(3 * angle + rng.uniform(0, 6))
    return np.hypot((y - height / 2) / height, (x - width / 2) / width) < reach


def exact(known, inside):
    """Laplace's equation by a dense solver."""
    number = np.full(inside.shape, -1)
    places = np.argwhere(inside)
    number[inside] = np.arange(len(places))
    matrix = np.zeros((len(places), len(places)))
    right = np.zeros((len(places), known.shape[2]))
    for row, (y, x) in enumerate(places):
        for near in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            matrix[row, row] += 1
            if inside[near]:
                matrix[row, number[near]] -= 1
            else:
                right[row] += known[near]
    field = known.astype(np.float64)
    field[inside] = np.linalg.solve(matrix, right)
    return field


@pytest.mark.parametrize(("height", "width"), [(40, 40), (37, 52), (14, 30), (64, 33)])
def test_the_field_is_that_of_a_dense_solver(height, width):
    rng = np.random.default_rng(3)
    known = cv2.GaussianBlur(rng.random((height, width, 3)).astype(np.float32), (0, 0), 3)
    known = (known - known.mean()) * 4 + rng.normal(0, 0.02, known.shape).astype(np.float32)
    inside = blob(height, width)
    off = np.abs(membrane(known, inside) - exact(known, inside))
    assert off.max() < 0.01  # for a field that runs from -1 to 1
    assert not off[~inside].any()


def test_a_ring_of_one_colour_fills_with_it():
    known = np.full((90, 81, 3), 0.25, np.float32)
    inside = blob(90, 81)
    known[inside] = -7
    np.testing.assert_allclose(membrane(known, inside), 0.25, atol=1e-4)


def test_a_plane_is_continued_as_a_plane():
    y, x = np.mgrid[:120, :150].astype(np.float32) / 150
    known = np.stack((x, y, x - y), -1)
    inside = blob(120, 150)
    given = np.where(inside[..., None], np.float32(0), known)
    np.testing.assert_allclose(membrane(given, inside), known, atol=0.004)


def pair(offset, size=80, alpha=None):
    y, x = np.mgrid[:size, :size].astype(np.float32)
    plate = np.stack([0.5 + 0.2 * np.sin(x / 9 + y / 13 + k) for k in range(3)], -1)
    seen = cv2.GaussianBlur(blob(size, size).astype(np.float32), (0, 0), 2)[..., None]
    return BlendPair(
        plate=plate.astype(np.float32),
        swap=(plate + np.float32(offset)).astype(np.float32),
        alpha=seen if alpha is None else alpha,
    )


def blended(given):
    (only,) = create(NoOptions(), None)([given])
    return only


@pytest.mark.parametrize("offset", [-0.2, 0.0, 0.15])
def test_a_swap_that_is_only_brighter_becomes_the_plate(offset):
    given = pair(offset)
    np.testing.assert_allclose(blended(given).image, given.plate, atol=1e-3)


def test_details_of_the_swap_are_kept():
    given = pair(0.1)
    swap = given.swap.copy()
    swap[38:42, 38:42] += 0.2
    image = blended(BlendPair(plate=given.plate, swap=swap, alpha=given.alpha)).image
    assert image[40, 40, 0] - given.plate[40, 40, 0] == pytest.approx(0.2, abs=0.01)


def test_where_less_than_a_tenth_is_seen_the_plate_stands():
    given = pair(0.15)
    outside = given.alpha[..., 0] <= 0.1
    assert np.array_equal(blended(given).image[outside], given.plate[outside])


def test_a_mask_without_an_edge_leaves_the_swap():
    full = np.ones((80, 80, 1), np.float32)
    given = pair(0.1, alpha=full)
    assert np.array_equal(blended(given).image, given.swap)


def test_a_face_at_the_edge_of_its_box_is_free_there():
    alpha = np.zeros((80, 80, 1), np.float32)
    alpha[20:60, :50] = 1
    given = pair(0.1, alpha=alpha)
    np.testing.assert_allclose(blended(given).image, given.plate, atol=2e-3)


def test_it_is_near_the_clone_of_opencv():
    rng = np.random.default_rng(5)
    given = pair(0.1, size=96)
    swap = np.clip(
        given.swap + cv2.GaussianBlur(rng.random((96, 96, 3)).astype(np.float32), (0, 0), 4) - 0.5,
        0,
        1,
    )
    hard = (given.alpha > 0.1).astype(np.float32)
    given = BlendPair(plate=given.plate, swap=swap, alpha=hard)
    inside = hard[..., 0] > 0
    x, y, w, h = cv2.boundingRect(inside.view(np.uint8))
    clone = cv2.seamlessClone(
        (255 * swap).astype(np.uint8),
        (255 * given.plate).astype(np.uint8),
        (255 * hard[..., 0]).astype(np.uint8),
        (int(x + w / 2), int(y + h / 2)),
        cv2.NORMAL_CLONE,
    )
    off = np.abs(blended(given).image - clone / np.float32(255))[inside]
    assert off.mean() < 0.01
