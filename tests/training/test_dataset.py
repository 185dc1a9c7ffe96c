"""Facesets in memory: any crop is cut anew, masks are found, every face has its turn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mien.errors import InputError
from mien.faceset import FaceRecord, encode_mask, write_face
from mien.geometry import crop_matrix, transform, warp
from mien.training.dataset import Deck, load_faces, spread_evenly
from mien.types import CropSpec, FaceType

from .conftest import head_points


def frame() -> np.ndarray:
    y, x = np.mgrid[0:240, 0:240].astype(np.float32)
    waves = [np.sin(x / 17), np.cos(y / 23), np.sin((x + y) / 31)]
    return (127 + 100 * np.stack(waves, -1)).astype(np.uint8)


@pytest.mark.parametrize(
    ("face_type", "size"), [(FaceType.FULL, 64), (FaceType.HALF, 48), (FaceType.FULL, 32)]
)
def test_a_crop_of_another_type_or_size_is_cut_as_from_the_frame(
    tmp_path: Path, face_type: FaceType, size: int
) -> None:
    points = head_points()
    matrix = crop_matrix(points, FaceType.WHOLE, 160)
    record = FaceRecord(
        face_type=FaceType.WHOLE,
        size=160,
        matrix=matrix,
        landmarks=transform(matrix, points),
        frame_landmarks=points,
        box=(0.0, 0.0, 1.0, 1.0),
    )
    write_face(tmp_path, "a", warp(frame(), matrix, 160, cubic=True), record, format="png")
    cache = load_faces(tmp_path, CropSpec(face_type=face_type, size=size))
    seen = cache.faces[0, :3].permute(1, 2, 0).numpy().astype(float)
    wanted = warp(frame(), crop_matrix(points, face_type, size), size, cubic=True)
    assert np.abs(seen - wanted)[2:-2, 2:-2].mean() < 1


def test_a_crop_of_the_right_kind_is_taken_as_it_is(make_faceset: Callable[..., Path]) -> None:
    folder = make_faceset("a", (40, 90, 200), 1)
    cache = load_faces(folder, CropSpec(size=64))
    stored = cv2.imread(str(folder / "00000.png"))
    assert np.array_equal(cache.faces[0, :3].permute(1, 2, 0).numpy(), stored)


def test_without_a_stored_mask_the_hull_of_the_landmarks_is_taken(
    make_faceset: Callable[..., Path],
) -> None:
    mask = load_faces(make_faceset("a", (40, 90, 200), 1), CropSpec(size=64)).faces[0, 3]
    assert mask[32, 32] == 255
    assert mask[1, 1] == 0


def test_a_stored_mask_is_taken_by_name(make_faceset: Callable[..., Path]) -> None:
    full = encode_mask(np.ones((64, 64, 1), np.float32))
    left = np.zeros((64, 64, 1), np.float32)
    left[:, :32] = 1
    folder = make_faceset("a", (9, 9, 9), 1, masks={"full": full, "left": encode_mask(left)})
    spec = CropSpec(size=64)
    assert load_faces(folder, spec).faces[0, 3].min() == 255
    seen = load_faces(folder, spec, mask="left").faces[0, 3]
    assert (seen[32, 8], seen[32, 60]) == (255, 0)
    with pytest.raises(InputError, match=r"holds no mask 'right' \(stored: full, left\)"):
        load_faces(folder, spec, mask="right")


def test_damaged_faces_are_left_out_and_named(make_faceset: Callable[..., Path]) -> None:
    folder = make_faceset("a", (9, 99, 9), 4)
    (folder / "00001.png").write_bytes((folder / "00001.png").read_bytes()[:-30])
    cache = load_faces(folder, CropSpec(size=64), threads=2)
    assert [path.name for path in cache.paths] == ["00000.png", "00002.png", "00003.png"]
    assert len(cache.notes) == 1
    assert "00001.png': the picture breaks off" in cache.notes[0]


def test_a_faceset_that_is_too_large_is_thinned_out_evenly(
    make_faceset: Callable[..., Path],
) -> None:
    folder = make_faceset("a", (9, 99, 9), 5)
    cache = load_faces(folder, CropSpec(size=512), memory=4)
    assert [path.name for path in cache.paths] == ["00000.png", "00002.png", "00004.png"]
    assert "3 of its 5 faces fit into 4 MB; raise train.memory" in cache.notes[0]


@given(
    count=st.integers(1, 12),
    batch=st.integers(1, 9),
    start=st.integers(0, 30),
)
def test_every_face_has_its_turn_before_any_comes_again(count: int, batch: int, start: int) -> None:
    def shuffle(number: int) -> list[int]:
        return np.random.default_rng(number).permutation(count).tolist()

    deck = Deck(count, batch, shuffle)
    dealt = [card for i in range(40) for card in deck.hand(i)]
    for first in range(0, len(dealt) - count + 1, count):
        assert sorted(dealt[first : first + count]) == list(range(count))
    later = Deck(count, batch, shuffle)
    assert later.hand(start) == dealt[start * batch : (start + 1) * batch]


@given(count=st.integers(1, 50), wanted=st.integers(1, 60))
def test_a_selection_runs_from_the_first_to_the_last(count: int, wanted: int) -> None:
    chosen = spread_evenly(count, wanted)
    assert len(set(chosen)) == len(chosen) == min(count, wanted)
    assert chosen[0] == 0
    assert wanted == 1 or chosen[-1] == count - 1
