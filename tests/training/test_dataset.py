"""Facesets in memory: any crop is cut anew, masks are found, every face has its turn."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mien.errors import InputError
from mien.faceset import FaceRecord, Faceset, encode_mask, read_face, write_face
from mien.geometry import crop_matrix, mirror, transform, warp
from mien.training.data import dataset
from mien.training.data.dataset import load_faces
from mien.types import CropSpec, FaceType

from .conftest import head_points

SPEC = CropSpec(size=64)


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
    cache = load_faces(Faceset(tmp_path), CropSpec(face_type=face_type, size=size))
    seen = cache.faces[0, :3].permute(1, 2, 0).numpy().astype(float)
    wanted = warp(frame(), crop_matrix(points, face_type, size), size, cubic=True)
    assert np.abs(seen - wanted)[2:-2, 2:-2].mean() < 1


def test_a_crop_of_the_right_kind_is_taken_as_it_is(make_faceset: Callable[..., Path]) -> None:
    folder = make_faceset("a", (40, 90, 200), 1)
    cache = load_faces(Faceset(folder), CropSpec(size=64))
    stored = cv2.imread(str(folder / "00000.png"))
    assert np.array_equal(cache.faces[0, :3].permute(1, 2, 0).numpy(), stored)


def test_without_a_stored_mask_the_hull_of_the_landmarks_is_taken(
    make_faceset: Callable[..., Path],
) -> None:
    mask = load_faces(Faceset(make_faceset("a", (40, 90, 200), 1)), CropSpec(size=64)).faces[0, 3]
    assert mask[32, 32] == 255
    assert mask[1, 1] == 0


def test_a_stored_mask_is_taken_by_name(make_faceset: Callable[..., Path]) -> None:
    full = encode_mask(np.ones((64, 64, 1), np.float32))
    left = np.zeros((64, 64, 1), np.float32)
    left[:, :32] = 1
    folder = make_faceset("a", (9, 9, 9), 1, masks={"full": full, "left": encode_mask(left)})
    spec = CropSpec(size=64)
    assert load_faces(Faceset(folder), spec).faces[0, 3].min() == 255
    seen = load_faces(Faceset(folder), spec, mask="left").faces[0, 3]
    assert (seen[32, 8], seen[32, 60]) == (255, 0)
    with pytest.raises(InputError, match=r"holds no mask 'right' \(stored: full, left\)"):
        load_faces(Faceset(folder), spec, mask="right")


def test_damaged_faces_are_left_out_and_named(make_faceset: Callable[..., Path]) -> None:
    folder = make_faceset("a", (9, 99, 9), 4)
    (folder / "00001.png").write_bytes((folder / "00001.png").read_bytes()[:-30])
    cache = load_faces(Faceset(folder), CropSpec(size=64), threads=2)
    assert [path.name for path in cache.paths] == ["00000.png", "00002.png", "00003.png"]
    third = cv2.imread(str(folder / "00002.png"))
    assert np.array_equal(cache.faces[1, :3].permute(1, 2, 0).numpy(), third)
    assert len(cache.notes) == 1
    assert "00001.png': the picture breaks off" in cache.notes[0]


def test_a_faceset_that_is_too_large_is_thinned_out_evenly(
    make_faceset: Callable[..., Path],
) -> None:
    folder = make_faceset("a", (9, 99, 9), 5)
    cache = load_faces(Faceset(folder), CropSpec(size=512), memory=4)
    assert [path.name for path in cache.paths] == ["00000.png", "00002.png", "00004.png"]
    assert "3 of its 5 faces fit into 4 MB; raise train.memory" in cache.notes[0]


def test_recoloured_faces_need_room_as_well(make_faceset: Callable[..., Path]) -> None:
    folder = make_faceset("a", (9, 99, 9), 5)
    cache = load_faces(Faceset(folder), CropSpec(size=512), memory=4, spare=3)
    assert len(cache) == 1  # 8 bytes a pixel
    assert "1 of its 5 faces" in cache.notes[0]


def test_landmarks_lie_where_the_crop_shows_them(make_faceset: Callable[..., Path]) -> None:
    folder = make_faceset("a", (40, 90, 200), 2)
    stored = read_face(folder / "00000.png")[1]
    cache = load_faces(Faceset(folder), CropSpec(size=64))
    np.testing.assert_allclose(cache.landmarks[0], stored.landmarks, atol=1e-3)
    half = load_faces(Faceset(folder), CropSpec(size=32))
    np.testing.assert_allclose(half.landmarks[0] * 2, stored.landmarks, atol=1e-3)


def test_the_yaw_says_to_which_side_a_face_looks(make_faceset: Callable[..., Path]) -> None:
    right = head_points()
    right[27:36, 0] += 12  # the nose
    right[:9, 0] -= 6  # more of the cheek on the picture's left
    left = right.copy()
    left = mirror(left, 240)
    yaws = [
        float(
            load_faces(
                Faceset(make_faceset(name, (9, 9, 9), 1, frame_landmarks=points)), SPEC
            ).yaws[0]
        )
        for name, points in (("r", right), ("l", left), ("s", head_points()))
    ]
    assert yaws[0] > 0.1
    assert yaws[1] == pytest.approx(-yaws[0], abs=0.05)
    assert yaws[1] < yaws[2] < yaws[0]


def test_a_fingerprint_knows_a_set_wherever_it_lies(
    make_faceset: Callable[..., Path], tmp_path: Path
) -> None:
    folder = make_faceset("a", (9, 99, 9), 3)
    first = load_faces(Faceset(folder), SPEC).fingerprint
    moved = tmp_path / "elsewhere"
    shutil.copytree(folder, moved)
    assert load_faces(Faceset(moved), SPEC).fingerprint == first
    (moved / "00001.png").unlink()
    cache = load_faces(Faceset(moved), SPEC)
    assert cache.fingerprint != first
    assert cache.count == 2


def test_many_damaged_pictures_are_named_up_to_a_point(make_faceset: Callable[..., Path]) -> None:
    folder = make_faceset("a", (9, 99, 9), 30)
    for index in range(25):
        (folder / f"{index:05d}.png").write_bytes(b"no picture")
    cache = load_faces(Faceset(folder), SPEC)
    assert len(cache) == 5
    assert len(cache.notes) == 21
    assert cache.notes[-1] == f"faceset '{folder}': skipped 5 more pictures"


def test_a_set_of_damaged_pictures_only_is_refused(make_faceset: Callable[..., Path]) -> None:
    folder = make_faceset("a", (9, 99, 9), 2)
    for path in folder.iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"none of its 2 pictures can be learned from; the first"):
        load_faces(Faceset(folder), SPEC)


def test_an_empty_folder_and_a_missing_one_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no JPEG or PNG picture; fill it with 'mien extr"):
        load_faces(Faceset(tmp_path), SPEC)
    with pytest.raises(InputError, match="there is no such folder"):
        load_faces(Faceset(tmp_path / "none"), SPEC)


def test_faces_that_show_less_or_fewer_pixels_than_the_model_wants_are_told_of(
    make_faceset: Callable[..., Path],
) -> None:
    folder = make_faceset("a", (9, 99, 200), 3)
    cache = load_faces(Faceset(folder), CropSpec(face_type=FaceType.HEAD, size=256))
    assert cache.notes == (
        f"faceset '{folder}': 3 of 3 faces are stored too small for the 256 pixels that the model "
        "learns at; they are enlarged",
        f"faceset '{folder}': 3 of 3 faces show less of the head than the model's face type "
        "'head'; their edges are drawn out to fill it.  Extract them with that face type or a "
        "larger one",
    )
    corner = cache.faces[0, :, 0, 0]
    assert corner[:3].float().mean() > 30  # the picture goes on
    assert corner[3] == 0  # the face does not
    assert load_faces(Faceset(folder), CropSpec(face_type=FaceType.HALF, size=48)).notes == ()


def test_sizes_and_face_types_may_be_mixed(make_faceset: Callable[..., Path]) -> None:
    folder = make_faceset("a", (9, 99, 200), 2)
    points = head_points()
    matrix = crop_matrix(points, FaceType.WHOLE, 128)
    record = FaceRecord(
        face_type=FaceType.WHOLE,
        size=128,
        matrix=matrix,
        landmarks=transform(matrix, points),
        frame_landmarks=points,
        box=(0.0, 0.0, 1.0, 1.0),
    )
    image = np.full((128, 128, 3), (9, 99, 200), np.uint8)
    write_face(folder, "whole", image, record, format="png")
    cache = load_faces(Faceset(folder), SPEC)
    assert cache.notes == ()
    assert len(cache) == 3
    # The landmarks are the same, so the faces lie on the same pixels.
    torch.testing.assert_close(cache.landmarks[0], cache.landmarks[2], atol=1e-3, rtol=0)


def test_a_large_set_tells_how_far_it_is(
    make_faceset: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_faceset("a", (9, 99, 200), 4)
    told: list[str] = []
    monkeypatch.setattr(dataset, "_SAID_EVERY", 0.0)
    load_faces(Faceset(folder), SPEC, tell=told.append)
    assert told == [f"faceset '{folder}': {done} of 4 faces decoded" for done in (1, 2, 3)]
