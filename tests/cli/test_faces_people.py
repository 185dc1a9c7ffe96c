"""`mien faces` with an embedder: the toy tells people by the colour of their faces."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from mien.faceset import FaceRecord, write_face
from mien.geometry import crop_matrix, transform
from mien.registry import Registry
from mien.testing.fakes import face_at
from mien.types import FaceType

SIZE = 64
BLUE, RED = (230, 40, 40), (40, 40, 230)


def write(folder: Path, name: str, colour: tuple[int, int, int]) -> Path:
    points = face_at(80.0, 80.0, 90.0).landmarks
    assert points is not None
    matrix = crop_matrix(points, FaceType.WHOLE, SIZE)
    record = FaceRecord(
        face_type=FaceType.WHOLE,
        size=SIZE,
        matrix=matrix,
        landmarks=transform(matrix, points).astype(np.float32),
        frame_landmarks=points,
        box=(0.0, 0.0, 10.0, 10.0),
    )
    image = np.full((SIZE, SIZE, 3), colour, np.uint8)
    return write_face(folder, name, image, record, format="png")


@pytest.fixture
def both(tmp_path: Path) -> Path:
    """A set of three red faces and two blue ones."""
    for number in range(5):
        write(tmp_path / "both", f"f{number}", RED if number % 2 == 0 else BLUE)
    return tmp_path / "both"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name[0] != ".")


def test_people_become_folders(mien, both):
    code, _, err = mien("faces", "sort", both, "--by", "identity", "--folders")
    assert code == 0, err
    assert names(both) == ["identity_000", "identity_001"]
    assert [len(names(both / name)) for name in names(both)] == [3, 2]


def test_the_order_and_its_reverse_are_listed(mien, both):
    code, out, err = mien("faces", "sort", both, "--by", "identity", "--reverse")
    assert code == 0, err
    order = [Path(line.split("\t")[0]).stem for line in out.splitlines()]
    assert set(order[:2]) == {"f1", "f3"}


@pytest.mark.parametrize("reference", ["faceset", "face", "photograph", "photographs"])
def test_faces_like_a_reference_are_kept(mien, both, tmp_path, reference):
    if reference == "faceset":
        place = write(tmp_path / "red", "r", RED).parent
    elif reference == "face":
        place = write(tmp_path / "red", "r", RED)
    else:
        place = tmp_path / "album" / "red.png"
        place.parent.mkdir()
        cv2.imwrite(str(place), np.full((120, 160, 3), RED, np.uint8))
        place = place.parent if reference == "photographs" else place
    code, _, err = mien("faces", "filter", both, "--like", place, "-o", tmp_path / "kept")
    assert code == 0, err
    assert names(tmp_path / "kept") == ["f0.png", "f2.png", "f4.png"]
    code, out, err = mien("faces", "filter", both, "--unlike", place)
    assert code == 0, err
    assert [Path(line).name for line in out.splitlines()] == ["f1.png", "f3.png"]


def test_the_limit_says_how_alike(mien, both, tmp_path):
    place = write(tmp_path / "red", "r", RED)
    code, out, err = mien("faces", "filter", both, "--like", place, "--same", -1)
    assert (code, len(out.splitlines())) == (0, 5), err
    code, out, err = mien("faces", "filter", both, "--like", place, "--where", "frame=1..")
    assert (code, out) == (0, ""), err


def test_a_missing_reference_and_no_question_are_told(mien, both):
    code, _, err = mien("faces", "filter", both, "--like", "nowhere")
    assert (code, "nowhere: there is no such file or folder" in err) == (5, True)
    code, _, err = mien("faces", "filter", both)
    assert (code, "say which faces to keep: --where, --like or --unlike" in err) == (2, True)


def test_without_an_embedder_the_way_out_is_told(mien, both, monkeypatch):
    from mien.media import plugin as media_plugin

    bare = Registry([("mien", "", media_plugin), ("none", "1", SimpleNamespace(__name__="none"))])
    monkeypatch.setattr(Registry, "installed", lambda: bare)
    for words in (("sort", both, "--by", "identity"), ("filter", both, "--like", both)):
        code, _, err = mien("faces", *words)
        assert code == 3, err
        assert "needs an embedder, and none is installed; install a plugin that brings one" in err
        assert "Traceback" not in err
