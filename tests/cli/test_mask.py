"""`mien mask`: drawings become masks, travel to other programs and back, and are never lost."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mien.faceset import FaceRecord, decode_mask, read_face, read_record, write_face
from mien.geometry import crop_matrix, transform
from mien.labels import EXCLUDE, INCLUDE, Label, Shape, label_path, rasterise, write_label
from mien.testing.fakes import face_at, picture
from mien.types import FaceType

Mien = Callable[..., tuple[int, str, str]]
NAMES = ("a 1", "größe", "c" * 190)


def drawn() -> Label:
    """All of the upper left but a corner."""
    return Label(
        size=32,
        shapes=(
            Shape(INCLUDE, np.array([(0.0, 0.0), (24.0, 0.0), (24.0, 24.0), (0.0, 24.0)])),
            Shape(EXCLUDE, np.array([(0.0, 0.0), (8.0, 0.0), (8.0, 8.0), (0.0, 8.0)])),
        ),
    )


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Three faces of 32 pixels; the first two are labelled."""
    folder = tmp_path / "faces"
    for index, name in enumerate(NAMES):
        points = face_at(100, 90, 60 + index).landmarks
        matrix = crop_matrix(points, FaceType.FULL, 32)
        record = FaceRecord(
            face_type=FaceType.FULL,
            size=32,
            matrix=matrix,
            landmarks=transform(matrix, points).astype(np.float32),
            frame_landmarks=points,
            box=(60, 50, 140, 130),
            frame_index=index,
        )
        write_face(folder, name, picture(32, 32, seed=index), record)
    for name in NAMES[:2]:
        write_label(folder / f"{name}.jpg", drawn())
    return folder


def test_status_counts_and_names_what_lost_its_face(mien: Mien, faces):
    (faces / "labels" / "gone.jpg.json").write_text("{}")
    code, out, _ = mien("mask", "status", faces, "--json")
    told = json.loads(out)
    assert code == 0
    assert (told["faces"], told["labelled"], told["include"], told["exclude"]) == (3, 2, 2, 2)
    assert told["masks"] == {}
    assert [Path(path).name for path in told["lost"]] == ["gone.jpg.json"]
    assert "2 of 3 faces are labelled" in mien("mask", "status", faces)[1]


def test_apply_stores_the_mask_and_leaves_the_picture_as_it_was(mien: Mien, faces):
    before, _ = read_face(faces / "a 1.jpg")
    assert mien("mask", "apply", faces)[0] == 0
    after, record = read_face(faces / "a 1.jpg")
    np.testing.assert_array_equal(before, after)
    np.testing.assert_allclose(
        decode_mask(record.masks["label"], 32), rasterise(drawn(), 32), atol=1 / 255
    )
    assert not read_record(faces / f"{NAMES[2]}.jpg").masks
    assert json.loads(mien("mask", "apply", faces, "--json")[1])["kept"] == 2


def test_apply_takes_a_maskers_result(mien: Mien, faces):
    code, _, _ = mien("mask", "apply", faces, "--masker", "landmarks", "--name", "hull")
    assert code == 0
    for name in NAMES:
        record = read_record(faces / f"{name}.jpg")
        assert list(record.masks) == ["hull"]
        assert decode_mask(record.masks["hull"], 32)[4:28, 4:28].mean() > 0.9


def test_fetch_copies_the_labelled_faces_with_all_that_training_needs(mien: Mien, faces, tmp_path):
    assert mien("mask", "fetch", faces, "-o", tmp_path / "some")[0] == 0
    assert sorted(path.stem for path in (tmp_path / "some").iterdir()) == sorted(NAMES[:2])
    told = json.loads(mien("mask", "status", tmp_path / "some", "--json")[1])
    assert (told["labelled"], told["masks"]) == (2, {"label": 2})


def test_a_face_with_nothing_included_gets_no_black_mask(mien: Mien, faces):
    write_label(faces / "a 1.jpg", Label(size=32, shapes=drawn().shapes[1:]))
    code, _, err = mien("mask", "apply", faces)
    assert code == 0
    assert "on 1 faces nothing is drawn that includes" in err
    assert not read_record(faces / "a 1.jpg").masks


def test_labelme_takes_drawings_out_and_brings_them_back(mien: Mien, faces, tmp_path):
    out = tmp_path / "drawn"
    assert mien("mask", "export", faces, "-o", out)[0] == 0
    told = json.loads((out / "a 1.json").read_text(encoding="utf-8"))
    assert told["imagePath"] == "../faces/a 1.jpg"
    shutil.rmtree(faces / "labels")
    code, said, _ = mien("mask", "import", faces, out, "--json")
    assert code == 0
    assert json.loads(said)["written"] == 2
    assert json.loads(mien("mask", "import", faces, out, "--json")[1])["same"] == 2


def test_a_drawing_gives_way_only_when_asked(mien: Mien, faces, tmp_path):
    out = tmp_path / "drawn"
    assert mien("mask", "export", faces, "-o", out, "--form", "labels")[0] == 0
    write_label(faces / "a 1.jpg", Label(size=32, shapes=drawn().shapes[:1]))
    told = json.loads(mien("mask", "import", faces, out, "--json")[1])
    assert (told["other"], told["same"]) == (1, 1)
    assert json.loads(mien("mask", "import", faces, out, "--replace", "--json")[1])["written"] == 1


def test_bad_and_strange_files_are_named_and_the_others_taken(mien: Mien, faces, tmp_path):
    out = tmp_path / "drawn"
    mien("mask", "export", faces, "-o", out)
    shutil.rmtree(faces / "labels")
    (out / "a 1.json").write_text('{"imageWidth": 32, "imageHeight": 32, "shapes": 3}')
    shutil.copy(out / "größe.json", out / "stranger.json")
    (out / "extract.json").write_text("{}")
    code, said, err = mien("mask", "import", faces, out, "--json")
    told = json.loads(said)
    assert code == 0
    assert (told["written"], told["skipped"], told["unknown"]) == (1, 1, 1)
    assert "a 1.json': 'shapes' must be a list" in err


def test_remove_moves_drawings_aside_from_where_they_come_back(mien: Mien, faces):
    mien("mask", "apply", faces)
    code, out, _ = mien("mask", "remove", faces, "--labels", "--stored", "label", "--json")
    assert code == 0
    told = json.loads(mien("mask", "status", faces, "--json")[1])
    assert (told["labelled"], told["masks"]) == (0, {})
    kept = json.loads(out)["moved_to"]
    assert json.loads(mien("mask", "import", faces, kept, "--json")[1])["written"] == 2


def test_what_is_removed_twice_in_a_second_is_there_twice(mien: Mien, faces):
    out = mien("mask", "remove", faces, "--labels")[1]
    assert f"to bring it back: mien mask import {faces} " in out
    kept = out.split()[-1]
    mien("mask", "import", faces, kept)
    again = mien("mask", "remove", faces, "--labels")[1].split()[-1]
    assert again != kept
    assert sorted(path.name for path in Path(again).iterdir()) == sorted(
        path.name for path in Path(kept).iterdir()
    )


def test_show_writes_a_sheet(mien: Mien, faces, tmp_path):
    assert mien("mask", "show", faces, "-o", tmp_path / "sheet.png")[0] == 0
    assert (tmp_path / "sheet.png").stat().st_size > 1000
    code, _, err = mien("mask", "show", faces, "-o", tmp_path / "s.png", "--stored", "label")
    assert code == 8
    assert "no face holds a mask 'label'" in err


def test_a_damaged_picture_or_label_costs_only_that_face(mien: Mien, faces):
    path = faces / "a 1.jpg"
    path.write_bytes(path.read_bytes()[:-40])
    label_path(faces / f"{NAMES[2]}.jpg").write_text("{", encoding="utf-8")
    code, out, err = mien("mask", "apply", faces, "--json")
    assert code == 0
    told = json.loads(out)
    assert (told["written"], told["left"]) == (1, 2)
    assert f"{NAMES[2]}.jpg.json': cannot be read as JSON" in err
    assert "the picture breaks off" in err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("remove",), 2, "say what shall be removed"),
        (("export", "-o", "x", "--form", "dfl"), 3, "pip install mien-dfl"),
        (("fetch", "-o", "faces"), 2, "is where the faces lie that are read"),
        (("import", "nowhere"), 5, "there is no such file or folder"),
        (("label", "--start", "nobody"), 5, "holds no face 'nobody'"),
    ],
)
def test_what_cannot_be_done_is_said(mien: Mien, faces, words, code, said):
    done, _, err = mien("mask", words[0], faces, *words[1:])
    assert done == code
    assert said in err
