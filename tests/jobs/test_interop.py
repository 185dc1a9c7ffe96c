"""Faces of other programs come in, are trained on, and go back; what is missing is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import mien_dfl
import mien_faceswap
import numpy as np
import pytest
from mien.cli import run_program
from mien.config import Config
from mien.errors import InputError, PluginError, StoppedError
from mien.faceset import FaceFile, Faceset, read_record
from mien.geometry import crop_matrix, transform
from mien.jobs.export_faces import export_alignments, export_faceset
from mien.jobs.import_dfl import import_dfl
from mien.jobs.import_faces import import_alignments, import_faceset, told_apart
from mien.jobs.run import Run, Silent, make_run
from mien.media import plugin as media_plugin
from mien.registry import Registry
from mien.testing.fakes import face_at, picture
from mien.types import FaceType
from mien.workspace import Workspace
from mien_dfl.jpeg import put_together

SIZE = 64


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration of this machine takes part."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


def make_job(*plugins: tuple[str, Any]) -> Run:
    registry = Registry([("mien", "", media_plugin), *((d, "1", p) for d, p in plugins)])
    assert registry.broken == []
    return make_run("test", registry, Config(registry))


@pytest.fixture
def run() -> Run:
    return make_job(("mien-dfl", mien_dfl), ("mien-faceswap", mien_faceswap))


def notes(run: Run) -> str:
    assert isinstance(run.events, Silent)
    return "\n".join(run.events.notes)


def write_faces(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True)
    points = face_at(120, 100, 50).landmarks
    assert points is not None
    matrix = crop_matrix(points, FaceType.WHOLE, SIZE)
    for number in range(1, count + 1):
        info = {
            "face_type": "whole_face",
            "landmarks": transform(matrix, points.astype(np.float64)).tolist(),
            "source_filename": f"{number:05d}.png",
            "source_rect": np.array([80, 60, 160, 150]),
            "source_landmarks": points.astype(np.float64).tolist(),
            "image_to_face_mat": matrix,
        }
        data = bytes(cv2.imencode(".jpg", picture(SIZE, SIZE, seed=number))[1])
        path = folder / f"{number:05d}_0.jpg"
        path.write_bytes(put_together(data, info, 3, ""))
    return folder


def write_frames(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, count + 1):
        cv2.imwrite(str(folder / f"{number:05d}.png"), picture(240, 200, seed=number))
    return folder


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A workspace of DeepFaceLab's."""
    place = tmp_path / "theirs"
    write_faces(place / "data_src" / "aligned", 3)
    write_faces(place / "data_dst" / "aligned", 2)
    write_frames(place / "data_dst", 4)
    (place / "data_dst" / "merged").mkdir()
    (place / "data_dst" / "merged" / "00001.png").write_bytes(b"")
    (place / "model").mkdir()
    (place / "model" / "a_SAEHD_merger_session.dat").write_bytes(b"")
    (place / "result.mp4").write_bytes(b"")
    return place


class TestDfl:
    def test_a_workspace_comes_in_and_a_second_run_writes_nothing(
        self, run: Run, theirs: Path, tmp_path: Path
    ) -> None:
        done = import_dfl(run, place=theirs, folder=tmp_path / "ours", into_workspace=True)
        assert [(each.folder.name, each.written) for each in done.facesets] == [
            ("source", 3),
            ("target", 2),
        ]
        assert done.workspace is not None
        assert (done.workspace.frames, done.workspace.faces) == (2, 2)
        with run.source(str(theirs / "data_dst")) as clip, Workspace(tmp_path / "ours") as store:
            known = store.faces(store.find_clip(clip.info), 1)
        assert known[0].box == (80, 60, 160, 150)
        said = notes(run)
        assert "its merger's sessions" in said
        assert "was left as it is: merged" in said
        assert "result.mp4" in said
        again = import_dfl(run, place=theirs, folder=tmp_path / "ours")
        assert [(each.written, each.kept) for each in again.facesets] == [(0, 3), (0, 2)]

    def test_what_comes_back_is_what_came_in_byte_for_byte(
        self, run: Run, theirs: Path, tmp_path: Path
    ) -> None:
        import_dfl(run, place=theirs, folder=tmp_path / "ours")
        words = ["--source", "ours/source", "--target", "ours/target", "-o", "back", "--json"]
        assert run_program(["export", "dfl-workspace", *words]) == 0
        for side in ("data_src", "data_dst"):
            for path in (theirs / side / "aligned").iterdir():
                assert (tmp_path / "back" / side / "aligned" / path.name).read_bytes() == (
                    path.read_bytes()
                )

    def test_a_packed_workspace_comes_in_too(self, run: Run, theirs: Path, tmp_path: Path) -> None:
        words = ["--source", str(theirs / "data_src" / "aligned"), "--pak", "-o", "packed"]
        assert run_program(["export", "dfl-workspace", *words]) == 0
        assert [path.name for path in (tmp_path / "packed/data_src/aligned").iterdir()] == [
            "faceset.pak"
        ]
        done = import_dfl(run, place=tmp_path / "packed", folder=tmp_path / "ours")
        assert [each.written for each in done.facesets] == [3]

    def test_a_folder_of_faces_is_one_faceset(self, theirs: Path, capsys: Any) -> None:
        words = ["import", "dfl", str(theirs / "data_src" / "aligned"), "-o", "one", "--json"]
        assert run_program(words) == 0
        facts = json.loads(capsys.readouterr().out)
        assert facts["facesets"] == [{"faceset": "one", "written": 3, "kept": 0, "skipped": 0}]
        assert len(list(Faceset(Path("one")))) == 3

    def test_a_damaged_face_is_named_and_the_rest_comes_in(self, run: Run, tmp_path: Path) -> None:
        faces = write_faces(tmp_path / "theirs", 3)
        (faces / "00002_0.jpg").write_bytes((faces / "00002_0.jpg").read_bytes()[:-40])
        done = import_faceset(run, place=faces, folder=tmp_path / "ours", program="dfl")
        assert (done.written, done.skipped) == (2, 1)
        assert "00002_0.jpg': the picture breaks off" in notes(run)

    def test_a_face_that_vanishes_while_it_is_read_is_named(self, run: Run, tmp_path: Path) -> None:
        faces = write_faces(tmp_path / "theirs", 2)
        faceset = run.context.faceset(faces)
        (faces / "00002_0.jpg").unlink()
        assert len(list(faceset)) == 1
        assert "00002_0.jpg': cannot be read" in faceset.notes[0]

    def test_a_stopped_import_says_so_and_goes_on(self, run: Run, tmp_path: Path) -> None:
        faces = write_faces(tmp_path / "theirs", 2)
        run.cancel.set()
        with pytest.raises(StoppedError, match="run it again"):
            import_faceset(run, place=faces, folder=tmp_path / "ours", program="dfl")

    @pytest.mark.parametrize(
        ("make", "words"),
        [
            (lambda place: None, "there is no such file or folder"),
            (lambda place: place.mkdir(), "holds no JPEG or PNG picture"),
            (lambda place: (place / "data_src").mkdir(parents=True), "neither faces nor models"),
            (lambda place: place.write_text("x"), "holds no faces of DeepFaceLab"),
        ],
    )
    def test_what_is_not_there_is_said(
        self, run: Run, tmp_path: Path, make: Callable[[Path], Any], words: str
    ) -> None:
        make(tmp_path / "place")
        with pytest.raises(InputError, match=words):
            import_dfl(run, place=tmp_path / "place", folder=tmp_path / "ours")

    def test_a_file_in_the_way_is_one_sentence(
        self, theirs: Path, tmp_path: Path, capsys: Any
    ) -> None:
        (tmp_path / "ours").write_text("in the way")
        words = ["import", "dfl", str(theirs), "-o", str(tmp_path / "ours" / "x")]
        assert run_program(words) == 6
        assert "cannot be written" in capsys.readouterr().err


class TestWithoutPlugins:
    def test_errors_say_what_to_install(self, run: Run, tmp_path: Path) -> None:
        bare = make_job()
        faces = write_faces(tmp_path / "theirs", 1)
        with pytest.raises(InputError, match="pip install mien-dfl"):
            import_faceset(bare, place=faces, folder=tmp_path / "ours", program="dfl")
        import_faceset(run, place=faces, folder=tmp_path / "ours", program="dfl")
        with pytest.raises(PluginError, match="pip install mien-dfl"):
            export_faceset(bare, faceset=tmp_path / "ours", folder=tmp_path, form="dfl-pak")
        (tmp_path / "a.fsa").write_bytes(b"")
        with pytest.raises(PluginError, match="pip install mien-faceswap"):
            import_alignments(
                bare, path=tmp_path / "a.fsa", uri="clip.mp4", workspace=tmp_path / "w"
            )


class TestFaceswap:
    def test_faces_and_alignments_go_there_and_come_back(
        self, run: Run, theirs: Path, tmp_path: Path, capsys: Any
    ) -> None:
        import_dfl(run, place=theirs, folder=tmp_path / "ours", into_workspace=True)
        clip = str(theirs / "data_dst")
        for words in (
            ("export", "faceswap", "ours/target", "-o", "fs"),
            ("import", "faceswap", "fs", "-o", "back"),
            ("export", "faceswap", "ours", "--clip", clip, "-o", "a.fsa", "--json"),
            ("import", "faceswap", "a.fsa", "--clip", clip, "-o", "work", "--json"),
        ):
            assert run_program(list(words)) == 0, words
        facts = [json.loads(line) for line in capsys.readouterr().out.splitlines()[2:]]
        assert facts == [
            {"output": "a.fsa", "faces": 2},
            {"workspace": "work", "frames": 2, "faces": 2},
        ]
        before = read_record(tmp_path / "ours" / "target" / "00001_0.jpg")
        after = read_record(tmp_path / "back" / "00001_0.png")
        assert np.allclose(before.frame_landmarks, after.frame_landmarks)

    def test_golden_alignments_name_the_frames_of_a_video(
        self, run: Run, shared: Callable[[str], Path], tmp_path: Path
    ) -> None:
        path = shared("golden/faceswap/legacy_v2.1_alignments.fsa")
        folder = tmp_path / "clip"
        folder.mkdir()
        for number in range(1, 4):
            cv2.imwrite(str(folder / f"clip_{number:06d}.png"), picture(64, 48))
        work = tmp_path / "work"
        done = import_alignments(run, path=path, uri=str(folder), workspace=work)
        assert (done.frames, done.faces, done.unknown) == (3, 3, 0)
        assert export_alignments(run, workspace=work, uri=str(folder), path=tmp_path / "b.fsa") == 3

    def test_words_that_do_not_fit_are_refused(self, tmp_path: Path, capsys: Any) -> None:
        (tmp_path / "a.fsa").write_bytes(b"")
        assert run_program(["import", "faceswap", "a.fsa", "-o", "work"]) == 2
        assert "--clip CLIP" in capsys.readouterr().err
        assert run_program(["import", "faceswap", ".", "--clip", "x", "-o", "work"]) == 2
        assert run_program(["export", "dfl-workspace", "-o", "work"]) == 2


def test_faces_of_one_name_are_told_apart(run: Run, tmp_path: Path) -> None:
    faces = write_faces(tmp_path / "theirs", 1)
    (face,) = run.context.faceset(faces).files()
    twins = [
        FaceFile(name=name, data=face.data, record=face.record) for name in ("a", "A", "a", "a-2")
    ]
    assert [each.name for each in told_apart(twins)] == ["a", "A-2", "a-3", "a-2-2"]


@pytest.mark.slow
def test_a_model_trains_on_their_folders(theirs: Path, tmp_path: Path) -> None:
    sides = [str(theirs / side / "aligned") for side in ("data_src", "data_dst")]
    words = ["--source", sides[0], "--target", sides[1], "-o", "m", "--original-width", "0.0625"]
    assert run_program(["train", "original", *words, "--batch-size", "2", "--iterations", "1"]) == 0
    assert (tmp_path / "m" / "preview" / "latest.png").is_file()
