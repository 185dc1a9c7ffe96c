"""Scores and orders are the original's; chains and doubles are what the slow way finds."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mien.curation import (
    ALL,
    METHODS,
    Table,
    best_faces,
    bhattacharyya,
    chain,
    chain_of_histograms,
    city_block,
    covering_faces,
    cpbd,
    grouped,
    histogram_roots,
    measure,
    near_duplicates,
    unlikeness,
)
from mien.curation.edges import canny
from mien.curation.nearest import Cells
from mien.faceset import FaceRecord
from mien.geometry import hull_mask
from mien.types import FaceType


@pytest.fixture(scope="module")
def golden(request):
    shared = request.getfixturevalue("shared")
    return np.load(shared("golden/dfl-image/sort.npz"))


@pytest.fixture(scope="module")
def table(golden):
    """The golden faces, measured."""
    rows = []
    for image, points, rect in zip(
        golden["images"], golden["landmarks"], golden["source_rects"], strict=True
    ):
        record = FaceRecord(
            face_type=FaceType.FULL,
            size=image.shape[0],
            matrix=np.eye(2, 3),
            landmarks=points.astype(np.float32),
            frame_landmarks=points.astype(np.float32),
            box=tuple(map(float, rect)),
        )
        rows.append(measure(image, record, ALL))
    paths = tuple(Path(str(name)) for name in golden["source_filenames"])
    values = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    values["identity"] = np.eye(len(rows), 4, dtype=np.float32)
    return Table(paths, tuple(path.name for path in paths), values)


@pytest.mark.parametrize(
    ("column", "key", "within"),
    [
        ("blur", "blur", 1e-12),
        ("motion-blur", "motion_blur", 1e-9),
        ("yaw", "yaw", 1e-4),
        ("pitch", "pitch", 1e-4),
        ("rect", "rect", 0),
        ("brightness", "bright", 1e-9),
        ("hue", "hue", 1e-9),
        ("black", "black", 0),
    ],
)
def test_scores_are_those_of_deepfacelab(golden, table, column, key, within):
    # The pose passes through another version of the solver: 7e-5 rad were seen between versions.
    assert table[column] == pytest.approx(golden[key].astype(float), rel=within, abs=within)


def test_edges_are_those_of_the_original(golden):
    for image, points, packed in zip(
        golden["images"], golden["landmarks"], golden["canny_packed"], strict=True
    ):
        size = image.shape[0]
        masked = (image * hull_mask(points, size)).astype(np.uint8)
        found = canny(cv2.cvtColor(masked, cv2.COLOR_BGR2GRAY).astype(np.float64))
        expected = np.unpackbits(packed)[: size * size].reshape(size, size)
        np.testing.assert_array_equal(found, expected)


def test_histograms_are_compared_as_in_the_original(golden, table):
    colours = histogram_roots(table["colours"])
    pairs = np.stack([bhattacharyya(row, colours) for row in colours])
    assert pairs == pytest.approx(golden["hist_bhatt_sum3"], abs=1e-7)  # a root near 0
    np.testing.assert_array_equal(METHODS["hist"].run(table, 0).kept, golden["hist_order"])
    assert METHODS["hist-dissim"].run(table, 0).scores == pytest.approx(
        golden["hist_dissim_score"], abs=1e-9
    )


@pytest.mark.parametrize("case", [0, 1, 2])
def test_the_best_faces_are_those_of_the_original(shared, case):
    stored = np.load(shared("golden/dfl-image/sort_best.npz"))
    kept, left = best_faces(
        *(stored[f"c{case}_{name}"] for name in ("yaw", "pitch", "sharp", "hist")),
        int(stored[f"c{case}_target"]),
    )
    np.testing.assert_array_equal(kept, stored[f"c{case}_final"])
    np.testing.assert_array_equal(np.sort(left), np.sort(stored[f"c{case}_trash"]))


def test_a_small_target_still_keeps_faces():
    rng = np.random.default_rng(0)
    kept, left = best_faces(
        rng.uniform(-1, 1, 50),
        rng.uniform(-1, 1, 50),
        rng.uniform(0, 1, 50),
        rng.integers(0, 9, (50, 256)).astype(np.uint32),
        20,
    )
    assert len(kept) > 0
    assert sorted([*kept, *left]) == list(range(50))


@pytest.mark.parametrize("method", METHODS)
def test_every_order_keeps_or_leaves_every_face_once(table, method):
    order = METHODS[method].run(table, 256)
    assert sorted([*order.kept, *order.left]) == list(range(len(table)))
    groups = grouped(method, order, table, 3)
    assert len(groups) == 3
    assert sorted(np.concatenate(groups)) == sorted(order.kept)


def test_equals_keep_their_order_and_the_unknown_comes_last(table):
    values = dict(table.values) | {"size": np.array([2.0, np.nan, 5, 2, 5, 2])}
    order = METHODS["size"].run(Table(table.paths, table.origins, values), 0)
    assert order.kept.tolist() == [2, 4, 0, 3, 5, 1]


def test_the_smallest_score_falls_into_the_last_group_and_the_largest_into_the_first(table):
    values = dict(table.values) | {"size": np.array([0.0, 1, 2, 3, 4, 9])}
    order = METHODS["size"].run(Table(table.paths, table.origins, values), 0)
    groups = grouped("size", order, table, 3)
    assert [group.tolist() for group in groups] == [[5], [4, 3], [2, 1, 0]]


def brute(rows, metric, farthest):
    walk = np.arange(len(rows))
    for at in range(len(rows) - 1):
        away = metric(rows[walk[at]], rows[walk[at + 1 :]])
        found = at + 1 + int(np.argmax(away) if farthest else np.argmin(away))
        walk[at + 1], walk[found] = walk[found], walk[at + 1]
    return walk


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 40), st.integers(0, 1000), st.booleans())
def test_the_chain_is_what_looking_at_all_finds(count, seed, farthest):
    # Few values, so that many distances are equal.
    rows = np.random.default_rng(seed).integers(0, 4, (count, 3)).astype(np.float32)
    expected = brute(rows, city_block, farthest)
    for kind in (np.float32, np.uint8):
        found = chain(rows.astype(kind), city_block, farthest=farthest)
        np.testing.assert_array_equal(found, expected)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 90), st.integers(0, 1000), st.sampled_from([1, 3]))
def test_the_chain_of_histograms_is_what_looking_at_all_finds(count, seed, channels):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 3, (count, channels, 256)) * rng.integers(0, 50, (channels, 256))
    if count > 2:
        counts[rng.integers(0, count, count // 2)] = counts[0]  # the same picture many times
        counts[rng.integers(0, count)] = 0
    roots = histogram_roots(counts.astype(np.uint32))
    np.testing.assert_array_equal(
        chain_of_histograms(roots), brute(roots, bhattacharyya, farthest=False)
    )


def test_a_long_chain_of_histograms_is_that_of_cells():
    rng = np.random.default_rng(1)
    middle = np.cumsum(rng.normal(0, 3, (700, 3, 1)), axis=0) % 200 + 20
    counts = rng.poisson(900 * np.exp(-0.5 * ((np.arange(256) - middle) / 12) ** 2))
    roots = histogram_roots(counts[rng.permutation(700)].astype(np.uint32))
    np.testing.assert_array_equal(chain_of_histograms(roots), chain(roots, bhattacharyya))


def test_cells_without_any_face_left_find_none():
    cells = Cells(np.zeros((2, 1), np.uint8), city_block)
    cells.remove(0)
    cells.remove(1)
    assert cells.nearest(0, np.arange(2)) == -1


def test_unlikeness_is_the_sum_over_all_others():
    roots = histogram_roots(np.random.default_rng(2).integers(0, 9, (7, 256)).astype(np.uint32))
    pairs = np.stack([bhattacharyya(row[None], roots[:, None]) for row in roots])
    np.fill_diagonal(pairs, 0)
    assert unlikeness(roots) == pytest.approx(pairs.sum(axis=1))


def test_empty_and_flat_pictures_have_no_sharpness():
    assert cpbd(np.zeros((40, 40), np.uint8)) == 0
    assert cpbd(np.full((128, 128), 90, np.uint8)) == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(0, 1000), st.integers(0, 15))
def test_doubles_are_what_comparing_all_finds(count, seed, bits):
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 1 << 63, (3, 4)).astype(np.uint64)
    hashes = base[rng.integers(0, 3, count)]
    for row in range(count):  # some bits of each are turned round
        for bit in rng.integers(0, 256, rng.integers(0, 14)):
            hashes[row, bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    rank = rng.permutation(count).astype(float)
    repeats = near_duplicates(hashes, rank, bits)
    kept = repeats < 0
    apart = np.bitwise_count(hashes[:, None] ^ hashes[None]).sum(axis=2)
    for one in range(count):
        others = [o for o in range(count) if kept[o] and rank[o] > rank[one]]
        near = [o for o in others if apart[one, o] <= bits]
        assert kept[one] == (not near)
        assert kept[one] or repeats[one] in near


def test_many_equal_pictures_leave_one():
    hashes = np.zeros((60, 4), np.uint64)
    hashes[40:] = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
    repeats = near_duplicates(hashes, np.arange(60.0), 0)
    assert np.flatnonzero(repeats < 0).tolist() == [39, 59]
    assert set(repeats[:39]) == {39}


def test_too_many_bits_are_refused():
    with pytest.raises(ValueError, match=r"bits is 16, must be 0\.\.15"):
        near_duplicates(np.zeros((1, 4), np.uint64), np.zeros(1), 16)


def test_the_covering_faces_reach_the_corners(table):
    values = {
        name: np.zeros(40) for name in ("pitch", "mouth", "eyes", "light", "shade", "blur")
    } | {"yaw": np.linspace(-1, 1, 40)}
    many = Table((Path("x"),) * 40, ("",) * 40, values)
    chosen = covering_faces(many, 3)
    assert {0, 39} <= set(chosen.tolist())
    assert covering_faces(many, 99).tolist() == list(range(40))
