"""`mien faces`: a set is sorted, thinned out and compared; nothing goes that no flag let go."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from mien.faceset import Faceset, read_face, read_record, write_face
from mien.geometry import crop_matrix, transform
from mien.testing.fakes import face_at, picture
from mien.types import FaceType

SIZE = 64


def write(folder: Path, name: str, number: int, *, form: str = "jpg", light: float = 1.0) -> Path:
    """A face of noise, the brighter the larger `light`."""
    from mien.faceset import FaceRecord, encode_mask

    points = face_at(80.0 + number, 80.0, 90.0).landmarks
    assert points is not None
    matrix = crop_matrix(points, FaceType.WHOLE, SIZE)
    image = cv2.resize(picture(9, 9, seed=number), (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    record = FaceRecord(
        face_type=FaceType.WHOLE,
        size=SIZE,
        matrix=matrix,
        landmarks=transform(matrix, points).astype(np.float32),
        frame_landmarks=points,
        box=(0.0, 0.0, 10.0 + number, 10.0),
        clip="a b.mp4",
        frame_index=number,
        masks={"m": encode_mask(np.ones((SIZE, SIZE, 1), np.float32))},
        extra={"polygons": {"size": SIZE, "shapes": [{"label": "include", "points": [[1, 2]]}]}},
    )
    image = (image * light).astype(np.uint8)
    return write_face(folder, name, image, record, format=form)  # type: ignore[arg-type]


@pytest.fixture
def faces(tmp_path: Path) -> Callable[..., Path]:
    def make(name: str = "faces", count: int = 5) -> Path:
        for number in range(count):
            write(tmp_path / name, f"f {number}", number, light=1 - 0.15 * number)
        return tmp_path / name

    return make


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name[0] != ".")


def test_sorting_prints_and_changes_nothing(mien, faces):
    folder = faces()
    code, out, err = mien("faces", "sort", folder, "--by", "face-source-rect-size")
    assert code == 0, err
    lines = [line.split("\t") for line in out.splitlines()]
    assert [Path(path).stem for path, _ in lines] == ["f 4", "f 3", "f 2", "f 1", "f 0"]
    assert [float(score) for _, score in lines] == [140, 130, 120, 110, 100]
    assert names(folder) == [f"f {number}.jpg" for number in range(5)]


def test_json_and_the_other_way_round(mien, faces):
    code, out, err = mien("faces", "sort", faces(), "--by", "size", "--reverse", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert len(found["kept"]) == len(found["scores"]) == 5
    assert found["scores"] == sorted(found["scores"])
    assert found["left"] == found["unread"] == []


def test_renaming_trashing_and_restoring(mien, faces):
    folder = faces()
    (folder / "broken.jpg").write_bytes(b"\xff\xd8")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    code, out, err = mien("faces", "sort", folder, "--by", "brightness", "--rename")
    assert code == 0, err
    assert "5 faces in their places, 1 moved to" in out
    assert "skipped" in err
    assert names(folder) == [f"0000{number}.jpg" for number in range(5)]
    assert read_record(folder / "00000.jpg").frame_index == 0
    assert names(folder.with_name("faces_trash")) == ["broken.jpg"]
    code, out, err = mien("faces", "restore-names", folder)
    assert code == 0, err
    after = {path.name: path.read_bytes() for path in folder.iterdir() if path.name[0] != "."}
    assert after == {name: data for name, data in before.items() if name != "broken.jpg"}


def test_groups_are_folders(mien, faces):
    folder = faces()
    code, _, err = mien("faces", "sort", folder, "--by", "brightness", "--folders", "--bins", 2)
    assert code == 0, err
    assert names(folder) == ["brightness_000", "brightness_001"]
    assert read_record(folder / "brightness_000" / "00000.jpg").frame_index == 0


def test_doubles_go_to_the_trash_only_when_told(mien, faces):
    folder = faces()
    shutil.copy(folder / "f 0.jpg", folder / "f 0 again.jpg")
    code, out, err = mien("faces", "duplicates", folder, "--bits", 0)
    assert (code, len(out.splitlines())) == (0, 5), err
    assert len(names(folder)) == 6
    code, _, err = mien("faces", "duplicates", folder, "--bits", 0, "--trash")
    assert code == 0, err
    assert len(names(folder)) == 5
    assert len(names(folder.with_name("faces_trash"))) == 1


def test_limits_keep_what_lies_within(mien, faces, tmp_path):
    folder = faces()
    words = ("--where", "frame=1..3", "--where", "rect=..125")
    code, _, err = mien("faces", "filter", folder, *words, "-o", tmp_path / "some")
    assert code == 0, err
    assert names(tmp_path / "some") == ["f 1.jpg", "f 2.jpg"]
    one, other = (read_face(place / "f 1.jpg") for place in (folder, tmp_path / "some"))
    np.testing.assert_array_equal(one[0], other[0])
    assert one[1].extra == other[1].extra


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sort", "faces", "--by", "blurr"), "no such order; did you mean 'blur'?"),
        (("sort", "faces", "--rename", "--folders"), "exclude each other"),
        (("filter", "faces", "--where", "yow=0..1"), "no such measurement; did you mean 'yaw'?"),
        (("filter", "faces", "--where", "yaw=3"), "write yaw=LOW..HIGH"),
        (("filter", "faces", "--where", "landmarks=0..1"), "no such measurement"),
        (("best", "faces", "2", "-o", "faces"), "name another folder"),
        (("merge", "faces", "-o", "faces"), "name another folder"),
        (("resize", "faces", "--size", "32", "-o", "faces"), "name another folder"),
    ],
)
def test_wrong_words_are_told(mien, faces, words, said):
    faces()
    code, _, err = mien("faces", *words)
    assert code == 2
    assert said in err


def test_a_missing_folder_is_told(mien):
    code, _, err = mien("faces", "sort", "nowhere")
    assert code == 5
    assert "there is no such folder" in err


def test_the_best_few(mien, faces, tmp_path):
    code, _, err = mien("faces", "best", faces(), 2, "-o", tmp_path / "best")
    assert code == 0, err
    assert len(names(tmp_path / "best")) == 2


def test_coverage_is_told_drawn_and_written(mien, faces, tmp_path):
    source, target = faces("source"), faces("target", 3)
    words = ("--picture", tmp_path / "c.png", "--report", tmp_path / "c.html")
    code, out, err = mien("faces", "coverage", source, target, *words)
    assert code == 0, err
    assert "covered well 100 %, nothing near 0 %" in out
    assert cv2.imread(str(tmp_path / "c.png")) is not None
    page = (tmp_path / "c.html").read_text()
    assert "<h1>Coverage" in page
    assert "<script" not in page
    code, out, err = mien("faces", "coverage", source, target, "--json")
    assert json.loads(out)["covered"] == 1
    code, _, err = mien("faces", "coverage", source, target, "--report", "c.pdf")
    assert (code, "call it .html" in err) == (6, True)


def test_merging_keeps_pictures_of_equal_names(mien, faces, tmp_path):
    one, other = faces("one"), faces("other", 2)
    code, out, err = mien("faces", "merge", one, other, "-o", tmp_path / "both")
    assert code == 0, err
    assert "7 faces written" in out
    assert {"f 0.jpg", "f 0-2.jpg"} <= set(names(tmp_path / "both"))


def test_resizing_moves_the_metadata_along(mien, tmp_path):
    write(tmp_path / "faces", "a", 1)
    write(tmp_path / "faces", "b", 2, form="png")
    words = ("--size", 48, "--face-type", "full", "-o", tmp_path / "small")
    code, _, err = mien("faces", "resize", tmp_path / "faces", *words)
    assert code == 0, err
    assert names(tmp_path / "small") == ["a.jpg", "b.png"]
    image, record = read_face(tmp_path / "small" / "b.png")
    assert image.shape == (48, 48, 3)
    assert (record.face_type, record.size, record.frame_index) == (FaceType.FULL, 48, 2)
    expected = crop_matrix(record.frame_landmarks, FaceType.FULL, 48)
    assert record.matrix == pytest.approx(expected)
    assert record.landmarks == pytest.approx(transform(expected, record.frame_landmarks), abs=1e-3)
    assert record.extra["polygons"]["size"] == 48
    assert record.extra["polygons"]["shapes"][0]["points"] != [[1, 2]]


def test_a_sheet_shows_faces(mien, faces, tmp_path):
    code, out, err = mien(
        "faces", "sheet", faces(), "--by", "blur-fft", "--count", 3, "-o", tmp_path / "s.png"
    )
    assert code == 0, err
    assert "3 faces" in out
    assert cv2.imread(str(tmp_path / "s.png")) is not None


def test_metadata_survive_another_program(mien, faces, tmp_path):
    folder, saved = faces(), tmp_path / "saved.json"
    code, out, err = mien("faces", "save-metadata", folder, "-o", saved)
    assert (code, "5 faces" in out) == (0, True), err
    before = read_record(folder / "f 1.jpg")
    for path in sorted(folder.glob("*.jpg"))[:3]:  # painted over, and one of them enlarged
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
        side = 128 if path.stem == "f 2" else SIZE
        path.write_bytes(cv2.imencode(".jpg", cv2.resize(image, (side, side)))[1].tobytes())
    (folder / "f 0.jpg").write_bytes(b"\xff\xd8\xff")
    code, out, err = mien("faces", "restore-metadata", folder, saved)
    assert (code, "4 faces written, 1 skipped" in out) == (0, True), err
    assert read_record(folder / "f 1.jpg").landmarks == pytest.approx(before.landmarks)
    assert read_record(folder / "f 2.jpg").size == 128
    assert len(list(Faceset(folder).records())) == 4


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", '{"faces": 3}', "[" * 100000, "\xff"),
        '{"mien-metadata": 1, "faces": {\n',
        '{"mien-metadata": 2, "faces": {\n}}',
        '{"mien-metadata": 1, "faces": {\n"a.jpg" {}\n}}',
    ],
)
def test_saved_metadata_that_are_none_are_refused(mien, faces, tmp_path, text):
    (tmp_path / "saved.json").write_text(text)
    code, _, err = mien("faces", "restore-metadata", faces(), tmp_path / "saved.json")
    assert code == 5
    assert "holds no whole metadata of 'save-metadata'" in err


def test_the_orders_are_listed(mien):
    code, out, _ = mien("faces", "methods")
    assert code == 0
    assert {"blur", "hist", "final", "oneface"} <= {line.split()[0] for line in out.splitlines()}


@pytest.mark.parametrize("words", [("best", "9"), ("merge",), ("resize", "--size", "128")])
def test_what_was_drawn_goes_along_into_a_copy(mien, faces, tmp_path, words):
    folder = faces()
    (folder / "labels").mkdir()
    shapes = [{"label": "exclude", "points": [[1, 1], [9, 1], [5, 8]]}]
    label = {"version": 1, "face": "f 2.jpg", "size": SIZE, "shapes": shapes}
    (folder / "labels" / "f 2.jpg.json").write_text(json.dumps(label))
    (folder / "labels" / "f 3.jpg.json").write_text("no JSON")
    code, _, err = mien("faces", words[0], folder, *words[1:], "-o", tmp_path / "copy")
    assert code == 0, err
    assert "f 3.jpg.json': cannot be read as JSON" in err
    assert names(tmp_path / "copy") == ["f 0.jpg", "f 1.jpg", "f 2.jpg", "f 4.jpg"]
    drawn = read_record(tmp_path / "copy" / "f 2.jpg").extra["polygons"]
    scale = 2 if words[0] == "resize" else 1
    assert drawn["size"] == scale * SIZE
    assert drawn["shapes"][0]["points"] == [[scale * x, scale * y] for x, y in shapes[0]["points"]]


def test_what_is_known_is_drawn_on_copies(mien, faces, tmp_path):
    folder = faces()
    (folder / "labels").mkdir()
    (folder / "labels" / "f 3.jpg.json").write_text("no JSON")
    (folder / "f 4.jpg").write_bytes(b"\xff\xd8\xff")
    code, out, err = mien("faces", "overlay", folder, "-o", tmp_path / "seen", "--size", 96)
    assert (code, "3 faces written, 2 skipped" in out) == (0, True), err
    assert "f 3.jpg.json': cannot be read as JSON" in err
    drawn = cv2.imread(str(tmp_path / "seen" / "f 1.jpg"))
    plain = cv2.resize(read_face(folder / "f 1.jpg")[0], (96, 96))
    assert drawn.shape == (96, 96, 3)
    assert cv2.absdiff(drawn, plain).max() > 100
    code, _, err = mien("faces", "overlay", folder, "-o", folder)
    assert (code, "name another folder" in err) == (2, True)


def test_metadata_of_other_names_lead_to_the_way_out(mien, faces, tmp_path):
    folder = faces()
    assert mien("faces", "save-metadata", folder, "-o", tmp_path / "m.json")[0] == 0
    assert mien("faces", "sort", folder, "--by", "size", "--rename")[0] == 0
    code, _, err = mien("faces", "restore-metadata", folder, tmp_path / "m.json")
    assert (code, "knows none of the pictures" in err) == (5, True)
    assert mien("faces", "restore-names", folder)[0] == 0
    code, out, err = mien("faces", "restore-metadata", folder, tmp_path / "m.json")
    assert (code, "5 faces written" in out) == (0, True), err


def test_the_trash_comes_back_whole_or_picture_by_picture(mien, faces):
    folder = faces()
    before = names(folder)
    mien("faces", "sort", folder, "--by", "size", "--rename")
    mien("faces", "best", folder, "2", "--trash")
    trash = folder.with_name("faces_trash")
    one = next(iter(sorted(trash.glob("*.jpg"))))
    code, out, err = mien("faces", "restore-trash", folder, one)
    assert code == 0, err
    assert out == f"{folder}: 1 faces in their places\n"
    assert mien("faces", "restore-trash", folder)[1] == f"{folder}: 2 faces in their places\n"
    assert not trash.exists()
    mien("faces", "restore-names", folder)
    assert names(folder) == before
    code, _, err = mien("faces", "restore-trash", folder)
    assert code == 5
    assert "holds no picture" in err


def test_a_picture_that_is_not_in_the_trash_is_named(mien, faces):
    folder = faces()
    mien("faces", "best", folder, "2", "--trash")
    code, _, err = mien("faces", "restore-trash", folder, "nobody.jpg")
    assert code == 5
    assert "holds no 'nobody.jpg'" in err


def test_a_limit_tells_what_there_is_and_never_takes_all(mien, faces):
    folder = faces()
    before = names(folder)
    code, _, err = mien("faces", "filter", folder, "--where", "rect=200..", "--trash")
    assert code == 8
    assert "rect: 0 of 5 faces lie there (here 100..140)" in err
    assert "no face would be kept; nothing was moved" in err
    assert names(folder) == before


def test_a_set_in_groups_says_where_its_pictures_are(mien, faces):
    folder = faces()
    mien("faces", "sort", folder, "--by", "size", "--folders", "--bins", "2")
    code, _, err = mien("faces", "sort", folder, "--by", "blur")
    assert code == 5
    assert "its pictures lie in folders within it" in err
    assert f"mien faces restore-names {folder}" in err
