"""Faces of other programs from the command line: what is read is never written over, and what does
not fit together is said."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from mien.cli import run_program
from mien.faceset import FaceRecord, FrameFaces, read_record, write_face
from mien.geometry import crop_matrix, transform
from mien.labels import Label, Shape, write_label
from mien.media.base import ClipInfo, OutputOptions, OutputPlan
from mien.media.plugin import open_writer
from mien.testing.fakes import face_at, picture
from mien.types import Face, FaceType, Frame

pytest.importorskip("mien_dfl")
mien_faceswap = pytest.importorskip("mien_faceswap")
Done = tuple[int, str, str]


@pytest.fixture
def mien(tmp_path: Path, monkeypatch, capsys) -> Callable[..., Done]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> Done:
        code = run_program([str(word) for word in words] + ["--progress", "none"])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Three faces of ours, one of them labelled."""
    folder = tmp_path / "faces"
    for index in range(3):
        points = face_at(100 + index, 90, 60).landmarks
        matrix = crop_matrix(points, FaceType.HEAD, 64)
        record = FaceRecord(
            face_type=FaceType.HEAD,
            size=64,
            matrix=matrix,
            landmarks=transform(matrix, points).astype(np.float32),
            frame_landmarks=points,
            box=(60, 50, 140, 130),
            clip="clips/anna.mp4",
            frame_index=index,
        )
        write_face(folder, f"anna_{index:06d}_0", picture(64, 64, seed=index), record)
    triangle = Shape("include", np.array([(5.0, 5.0), (60, 5), (60, 60)]))
    write_label(folder / "anna_000000_0.jpg", Label(size=64, shapes=(triangle,)))
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ("export", "faceswap", "faces", "-o", "faces"),
        ("mask", "export", "faces", "--form", "dfl", "-o", "faces"),
        ("mask", "fetch", "faces", "-o", "faces/"),
        ("import", "dfl", "theirs/data_src/aligned", "-o", "theirs/data_src/aligned"),
        ("import", "faceswap", "swap", "-o", "swap"),
    ],
)
def test_faces_are_never_written_over_those_that_are_read(mien, faces, words):
    assert mien("export", "dfl-workspace", "--source", faces, "-o", "theirs")[0] == 0
    assert mien("export", "faceswap", faces, "-o", "swap")[0] == 0
    before = {path: path.read_bytes() for path in Path().rglob("*.*") if path.is_file()}
    code, _, err = mien(*words)
    assert code == 2
    assert "is where the faces lie that are read; name another folder" in err
    assert before == {path: path.read_bytes() for path in Path().rglob("*.*") if path.is_file()}


def test_faces_of_mien_need_no_import(mien, faces):
    for program in ("dfl", "faceswap"):
        code, _, err = mien("import", program, faces, "-o", "out")
        assert code == 5
        assert "holds faces of mien, not of" in err


@pytest.mark.parametrize("pak", [(), ("--pak",)])
def test_a_workspace_goes_there_and_back_with_a_command_each(mien, faces, pak):
    there = ("export", "dfl-workspace", *pak)
    assert mien(*there, "--source", faces, "--target", faces, "-o", "ws")[0] == 0
    assert mien("import", "dfl", "ws", "-o", "project")[0] == 0
    for side in (Path("project/source"), Path("project/target")):
        for path in sorted(faces.glob("*.jpg")):
            one, other = read_record(path), read_record(side / path.name)
            np.testing.assert_array_equal(one.landmarks, other.landmarks)
            np.testing.assert_array_equal(one.matrix, other.matrix)
            assert (one.frame_index, one.face_type) == (other.frame_index, other.face_type)
            assert np.array_equal(cv2.imread(str(path)), cv2.imread(str(side / path.name)))
    assert mien(*there, "--source", "project/source", "-o", "again")[0] == 0
    for path in sorted(Path("ws/data_src/aligned").iterdir()):
        assert (Path("again/data_src/aligned") / path.name).read_bytes() == path.read_bytes()


def test_a_faceswap_face_keeps_its_frame(mien, faces):
    assert mien("export", "faceswap", faces, "-o", "swap")[0] == 0
    assert mien("import", "faceswap", "swap", "-o", "back")[0] == 0
    assert [read_record(path).frame_index for path in sorted(Path("back").glob("*.png"))] == [
        *(0, 1, 2)
    ]


def test_metadata_is_saved_for_pictures_that_lose_it(mien, faces):
    assert mien("export", "dfl-workspace", "--source", faces, "-o", "ws")[0] == 0
    aligned = Path("ws/data_src/aligned")
    code, out, _ = mien("export", "dfl-meta", aligned, "-o", aligned)
    assert code == 0
    assert "3 faces written" in out
    for path in aligned.glob("*.jpg"):
        cv2.imwrite(str(path), cv2.imread(str(path))[:, ::-1])
    assert mien("import", "dfl", aligned, "-o", "ours")[0] == 0
    found = read_record(Path("ours/anna_000001_0.jpg"))
    assert np.array_equal(found.landmarks, read_record(faces / "anna_000001_0.jpg").landmarks)


def test_a_pack_is_read_but_nothing_is_drawn_in_it(mien, faces):
    assert mien("faces", "pack", faces, "-o", "faces.zip")[0] == 0
    code, out, _ = mien("mask", "status", "faces.zip")
    assert code == 0
    assert "1 of 3 faces" in out
    for words in (("apply",), ("label",), ("remove", "--labels")):
        code, _, err = mien("mask", words[0], "faces.zip", *words[1:])
        assert code == 2
        assert "is packed, and a pack is never changed; unpack it with 'mien faces unpack'" in err
    assert mien("mask", "import", "faces.zip", faces)[0] == 2


def test_a_list_that_is_called_after_another_clip_is_asked_about(mien, tmp_path):
    for name in ("anna.mkv", "bert.mkv"):
        info = ClipInfo(uri=name, width=64, height=48, frames=2, rate=Fraction(25))
        writer = open_writer(tmp_path / name, OutputPlan(target=info, options=OutputOptions()))
        for number in range(2):
            time = {"pts": number, "time_base": Fraction(1, 25), "duration": 1}
            writer.write(Frame(index=number, image=picture(64, 48), name="", **time))
        writer.finish()
    points = face_at(30, 24, 12).landmarks
    face = Face(box=(10, 10, 50, 40), score=1.0, landmarks=points)
    frames = [FrameFaces(name=f"anna_{number:06d}.mkv", faces=(face,)) for number in (1, 2)]
    mien_faceswap.mien_write_alignments(form="faceswap", path=tmp_path / "a.fsa", frames=frames)
    code, out, err = mien("import", "faceswap", "a.fsa", "--clip", "bert.mkv", "-o", "one")
    assert code == 0
    assert "2 faces in 2 frames" in out
    assert "its frames are called after 'anna'; is bert.mkv that clip?" in err
    err = mien("import", "faceswap", "a.fsa", "--clip", "anna.mkv", "-o", "two")[2]
    assert "called after" not in err


def test_an_import_never_writes_over_work_of_ours(mien, faces):
    mien("export", "dfl-workspace", "--source", faces, "-o", "there")
    place = Path("there/data_src/aligned")
    assert mien("import", "dfl", place, "-o", "ours")[0] == 0
    mien("mask", "apply", "ours")
    before = {path.name: path.read_bytes() for path in Path("ours").glob("*.jpg")}
    code, _, err = mien("import", "dfl", place, "-o", "ours")
    assert code == 0
    assert "ours: 1 faces of these names lie there already and are others, or were changed" in err
    assert {path.name: path.read_bytes() for path in Path("ours").glob("*.jpg")} == before
