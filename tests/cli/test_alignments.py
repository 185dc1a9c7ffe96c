"""`mien alignments`: faults are listed, changes are made after a backup, files come back as they
went."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mien.faceset import read_record
from mien.finding.spatial import steadied_shapes
from mien.testing.fakes import face_at
from mien.workspace import WorkspaceEditor

Mien = Callable[..., tuple[int, str, str]]
BLACK = (4, 7)


@pytest.fixture
def clip(make_clip: Callable[..., Path]) -> Path:
    """Twelve frames, two of them black."""
    return make_clip("clip.mkv", black=BLACK)


@pytest.fixture
def work(mien: Mien, clip: Path, tmp_path: Path) -> Path:
    """A workspace that knows the clip, and `faces` beside it; masks are stored."""
    words = ("--retinaface-faces", "1", "--smooth", "0")
    code, _, err = mien("extract", clip, "-o", tmp_path / "faces", "-w", tmp_path / "work", *words)
    assert code == 0, err
    return tmp_path / "work"


def facts(mien: Mien, *words: object) -> dict:
    code, out, err = mien("alignments", *words, "--json")
    assert code == 0, err
    return json.loads(out)


def places(work: Path) -> dict:
    with WorkspaceEditor(work) as store:
        return {place: (face, store.faces(1, place[0])[0].masks) for place, face in store.listed(1)}


def test_status_and_lists_tell_what_is_wrong(mien: Mien, work):
    (told,) = facts(mien, "status", work)["clips"]
    assert (told["frames"], told["faces"], told["without_face"], told["with_several"]) == (
        *(12, 10, 2, 0),
    )
    listed = facts(mien, "no-faces", work)["no-faces"]
    assert [each["frame"] for each in listed] == list(BLACK)
    assert facts(mien, "multi-faces", work)["multi-faces"] == []
    assert mien("alignments", "no-faces", work)[1] == "4\n7\n"


def test_frames_with_several_faces_are_listed(mien: Mien, clip, tmp_path):
    mien("extract", clip, "-w", tmp_path / "two", "--retinaface-faces", "2")
    listed = facts(mien, "multi-faces", tmp_path / "two")["multi-faces"]
    assert [each["faces"] for each in listed] == [2] * 10


def test_frames_that_nobody_looked_at_are_listed(mien: Mien, clip, tmp_path):
    mien("extract", clip, "-w", tmp_path / "part", "--stop", "9", "--every", "2")
    listed = facts(mien, "missing-faces", tmp_path / "part", "--every", "2")["missing-faces"]
    assert [each["frame"] for each in listed] == [10]
    assert len(facts(mien, "missing-faces", tmp_path / "part")["missing-faces"]) == 7


def test_frames_that_a_clip_lacks_are_listed(mien: Mien, work, make_clip, clip):
    shorter = make_clip("shorter.mkv", frames=10)
    listed = facts(mien, "missing-frames", work, "--clip", shorter)["missing-frames"]
    assert [each["frame"] for each in listed] == [10, 11]
    assert facts(mien, "missing-frames", work, "--clip", clip)["missing-frames"] == []
    assert "say in which clip" in mien("alignments", "missing-frames", work)[2]


def test_deleting_pictures_removes_their_faces_after_a_look(mien: Mien, work, tmp_path):
    faces = tmp_path / "faces"
    for frame in (2, 9):
        (faces / f"clip_{frame:06d}_0.jpg").unlink()
    assert facts(mien, "remove-faces", work, faces, "--look")["would_go"] == [[2, 0], [9, 0]]
    assert len(places(work)) == 10
    done = facts(mien, "remove-faces", work, faces)
    assert done["removed"] == [[2, 0], [9, 0]]
    assert sorted(frame for frame, _ in places(work)) == [0, 1, 3, 5, 6, 8, 10, 11]
    restored = facts(mien, "restore", work, Path(done["backup"]).name)
    assert len(places(work)) == 10
    assert Path(restored["backup"]).is_file()


def test_most_faces_do_not_go_unasked(mien: Mien, work, tmp_path):
    faces = tmp_path / "faces"
    for path in sorted(faces.glob("*.jpg"))[:6]:
        path.unlink()
    code, _, err = mien("alignments", "remove-faces", work, faces)
    assert code == 2
    assert "6 of 10 faces would go, which is more than half" in err
    assert len(facts(mien, "remove-faces", work, faces, "--most")["removed"]) == 6


def test_an_unreadable_picture_is_not_a_deleted_one(mien: Mien, work, tmp_path):
    (tmp_path / "faces" / "clip_000002_0.jpg").write_bytes(b"x")
    code, _, err = mien("alignments", "remove-faces", work, tmp_path / "faces")
    assert code == 5
    assert "1 of its pictures cannot be read" in err
    assert len(places(work)) == 10


def test_a_removed_face_takes_its_picture_aside(mien: Mien, work, tmp_path):
    with WorkspaceEditor(work) as store:
        store.remove_faces(1, [(0, 0)])
    done = facts(mien, "remove-pictures", work, tmp_path / "faces")
    assert [Path(path).name for path in done["removed"]] == ["clip_000000_0.jpg"]
    assert (tmp_path / "faces" / "removed" / "clip_000000_0.jpg").is_file()
    assert facts(mien, "remove-pictures", work, tmp_path / "faces")["removed"] == []


def test_what_was_drawn_goes_aside_with_its_picture(mien: Mien, work, tmp_path):
    faces = tmp_path / "faces"
    name = "labels/clip_000000_0.jpg.json"
    (faces / "removed" / "labels").mkdir(parents=True)
    (faces / "removed" / name).write_text("older")
    (faces / "labels").mkdir()
    (faces / name).write_text("drawn")
    with WorkspaceEditor(work) as store:
        store.remove_faces(1, [(0, 0)])
    mien("alignments", "remove-pictures", work, faces)
    assert (faces / "removed" / "clip_000000_0-2.jpg").is_file()
    assert (faces / "removed" / "labels" / "clip_000000_0-2.jpg.json").read_text() == "drawn"
    assert (faces / "removed" / name).read_text() == "older"
    assert not (faces / name).exists()


@pytest.mark.parametrize("suffix", ["json", "csv"])
def test_what_is_exported_comes_back_the_same(mien: Mien, work, tmp_path, suffix):
    before = places(work)
    path = tmp_path / f"größe.{suffix}"
    assert facts(mien, "export", work, path)["faces"] == 10
    with WorkspaceEditor(work) as store:
        store.remove_faces(1, [(0, 0)])
        store.move_points(1, {(1, 0): np.zeros((68, 2), np.float32)})
    done = facts(mien, "import", work, path)
    assert (done["frames"], done["faces"], done["new"]) == (12, 10, 1)
    after = places(work)
    assert before.keys() == after.keys()
    for place, (face, masks) in before.items():
        again, kept = after[place]
        assert again.box == face.box
        assert (again.score, again.track) == (face.score, face.track)
        np.testing.assert_array_equal(again.landmarks, face.landmarks)
        assert kept.keys() == (masks.keys() if place != (0, 0) else set())


def test_edited_points_move_the_crop_that_is_extracted_again(mien: Mien, work, clip, tmp_path):
    path = tmp_path / "all.json"
    facts(mien, "export", work, path)
    told = json.loads(path.read_text())
    face = told["frames"][0]["faces"][0]
    face["points"] = [[x + 7, y] for x, y in face["points"]]
    path.write_text(json.dumps(told))
    facts(mien, "import", work, path)
    assert facts(mien, "extract", work, clip, "-o", tmp_path / "again")["faces"] == 10
    old = read_record(tmp_path / "faces" / "clip_000000_0.jpg")
    new = read_record(tmp_path / "again" / "clip_000000_0.jpg")
    moved = old.frame_landmarks + np.array([7, 0])
    np.testing.assert_allclose(new.frame_landmarks, moved, atol=1e-3)
    again = read_record(tmp_path / "again" / "clip_000001_0.jpg")
    same = read_record(tmp_path / "faces" / "clip_000001_0.jpg")
    np.testing.assert_allclose(again.matrix, same.matrix, atol=1e-6)
    assert set(again.masks) == set(same.masks)


def test_a_face_behind_a_removed_one_keeps_its_name(mien: Mien, clip, tmp_path):
    mien("extract", clip, "-w", tmp_path / "two", "--retinaface-faces", "2", "--stop", "2")
    with WorkspaceEditor(tmp_path / "two") as store:
        listed = dict(store.listed(1))
        store.remove_faces(1, [(0, 0)])
    told = facts(mien, "extract", tmp_path / "two", clip, "-o", tmp_path / "again")
    assert told["faces"] == 3
    found = {path.name: read_record(path) for path in sorted((tmp_path / "again").glob("*.jpg"))}
    assert list(found) == ["clip_000000_1.jpg", "clip_000001_0.jpg", "clip_000001_1.jpg"]
    assert found["clip_000000_1.jpg"].face_index == 1
    assert found["clip_000000_1.jpg"].box == pytest.approx(listed[0, 1].box)


def test_a_faceset_can_become_the_truth(mien: Mien, work, tmp_path):
    before = places(work)
    with WorkspaceEditor(work) as store:
        store.remove_faces(1, list(before))
    done = facts(mien, "from-faces", work, tmp_path / "faces")
    assert (done["frames"], done["faces"], done["new"]) == (10, 10, 10)
    np.testing.assert_array_equal(places(work)[(3, 0)][0].landmarks, before[(3, 0)][0].landmarks)


def test_workspaces_merge_and_tracks_stay_apart(mien: Mien, work, clip, make_clip, tmp_path):
    other = tmp_path / "other"
    longer = make_clip("longer.mkv", frames=3, size=(80, 48))
    mien("extract", clip, "-w", other, "--retinaface-faces", "2")
    mien("extract", longer, "-w", other)
    (told,) = facts(mien, "merge", work, other)["taken"]
    assert (told["clips"], told["frames"], told["left"]) == (1, 3, 12)
    (told,) = facts(mien, "merge", work, other, "--prefer", "there")["taken"]
    assert (told["clips"], told["faces"]) == (0, 23)
    (first, second) = facts(mien, "status", work)["clips"]
    assert (first["faces"], second["faces"]) == (20, 3)
    assert mien("alignments", "merge", work, work)[0] == 2
    assert "is no workspace" in mien("alignments", "merge", work, tmp_path / "none")[2]


def test_a_workspace_of_several_clips_asks_which(mien: Mien, work, make_clip):
    other = make_clip("other.mkv", frames=3, size=(80, 48))
    mien("extract", other, "-w", work)
    code, _, err = mien("alignments", "no-faces", work)
    assert code == 5
    assert "knows 2 clips" in err
    assert facts(mien, "no-faces", work, "--clip", other)["no-faces"] == []


def test_spatial_smoothing_takes_the_tremble_out_of_a_shape():
    rng = np.random.default_rng(5)
    still = [face_at(100 + 2 * n, 90, 60).landmarks for n in range(30)]
    seen = [(p + rng.normal(0, 1.0, p.shape)).astype(np.float32) for p in still]
    steady = steadied_shapes(range(30), seen)
    away = [float(np.abs(a - b).mean()) for a, b in zip(seen, still, strict=True)]
    left = [float(np.abs(a - b).mean()) for a, b in zip(steady, still, strict=True)]
    assert np.mean(left) < 0.65 * np.mean(away)
    centres = [a.mean(0) - b.mean(0) for a, b in zip(seen, steady, strict=True)]
    assert np.abs(centres).max() < 1e-3


def test_a_face_that_comes_back_is_not_averaged_with_what_it_was():
    one, other = face_at(50, 50, 40).landmarks, face_at(50, 50, 40).landmarks.copy()
    other[48:68, 1] += 9
    frames = [*range(6), *range(200, 206)]
    steady = steadied_shapes(frames, [one] * 6 + [other] * 6)
    np.testing.assert_allclose(steady[5], one, atol=1e-2)
    np.testing.assert_allclose(steady[6], other, atol=1e-2)


def test_spatial_changes_the_workspace_after_a_backup(mien: Mien, work):
    told = facts(mien, "spatial", work, "--reach", "1")
    assert told["faces"] == 10
    assert Path(told["backup"]).is_file()
    assert len(facts(mien, "backup", work, "--list")["backups"]) == 1


def test_backups_of_one_second_do_not_overwrite_each_other(mien: Mien, work):
    names = {facts(mien, "backup", work)["backups"][0] for _ in range(3)}
    assert len(names) == 3
    assert set(facts(mien, "backup", work, "--list")["backups"]) == names


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be read as JSON"),
        ("[]", "is no list of faces that mien wrote"),
        ('{"mien_alignments": 2}', "says version 2"),
        ('{"mien_alignments": 1, "fingerprint": "x"}', "is about another clip"),
        ("[" * 100_000, "cannot be read as JSON"),
    ],
)
def test_a_file_that_is_no_list_is_refused(mien: Mien, work, tmp_path, text, words):
    path = tmp_path / "bad.json"
    path.write_text(text)
    code, _, err = mien("alignments", "import", work, path)
    assert code == 5
    assert words in err
    assert len(places(work)) == 10


def test_numbers_without_end_and_names_without_unicode_are_refused(mien: Mien, work, tmp_path):
    path = tmp_path / "bad.json"
    facts(mien, "export", work, path)
    told = json.loads(path.read_text())
    told["frames"][1]["name"] = "\ud800"
    path.write_text(json.dumps(told))
    assert "'\\ud800', which is no name of a picture" in mien("alignments", "import", work, path)[2]
    told["frames"][1]["name"] = ""
    for key, value in (("points", [[10**400, 0]] * 68), ("box", [10**400, 0, 1, 1]), ("points", 7)):
        bad = json.loads(json.dumps(told))
        bad["frames"][0]["faces"][0][key] = value
        path.write_text(json.dumps(bad))
        code, _, err = mien("alignments", "import", work, path)
        assert code == 5, err
        assert "bad.json" in err


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("score", "nan", "'score' is 'nan', must be a number"),
        ("point_y3", "1e300", "no place in a picture"),
        ("frame", "-1", "'frame' is -1"),
        ("face", "x", "must be a whole number"),
        ("face", "1000000000000", "no frame has as many"),
        ("time_base", "1/0", "must be seconds such as 1/25"),
        ("time_base", "0", "must be seconds such as 1/25"),
    ],
)
def test_a_wrong_cell_of_a_table_is_named(mien: Mien, work, tmp_path, column, value, words):
    path = tmp_path / "bad.csv"
    facts(mien, "export", work, path)
    head, first, *others = path.read_text().splitlines()
    cells = first.split(",")
    cells[head.split(",").index(column)] = value
    path.write_text("\n".join([head, ",".join(cells), *others]))
    code, _, err = mien("alignments", "import", work, path)
    assert code == 5
    assert words in err


def test_damage_of_a_workspace_or_backup_is_a_sentence(mien: Mien, work, tmp_path):
    (tmp_path / "bad.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    code, _, err = mien("alignments", "restore", work, tmp_path / "bad.db")
    assert code == 5
    assert "is no backup of a workspace" in err
    assert "has no backup 'x'" in mien("alignments", "restore", work, "x")[2]
    database = work / "workspace.db"
    data = bytearray(database.read_bytes())
    data[4096:] = b"\x5a" * (len(data) - 4096)
    for beside in work.glob("workspace.db-*"):
        beside.unlink()
    database.write_bytes(data)
    code, _, err = mien("alignments", "status", work)
    assert code in (5, 6)
    assert "Traceback" not in err


def test_a_file_is_json_or_csv(mien: Mien, work):
    assert "ends in .json or .csv" in mien("alignments", "export", work, "a.xml")[2]


@pytest.mark.parametrize("begin", [0, 5000])
def test_a_workspace_that_cannot_be_read_goes_back_to_its_backup(mien: Mien, work, begin):
    (saved,) = facts(mien, "backup", work)["backups"]
    before = places(work).keys()
    database = work / "workspace.db"
    raw = bytearray(database.read_bytes())
    raw[begin : begin + 9000] = b"\x55" * 9000
    database.write_bytes(raw)
    assert mien("alignments", "backup", work)[0] == 5
    told = facts(mien, "restore", work, Path(saved).name)
    assert Path(told["backup"]).name.startswith("workspace-" if begin else "damaged-")
    assert b"\x55" * 5000 in Path(told["backup"]).read_bytes()
    assert places(work).keys() == before
    assert mien("alignments", "restore", work, "damaged-x.db")[0] == 5


def test_a_table_of_another_clip_is_refused(mien: Mien, work, make_clip, tmp_path):
    path, other = tmp_path / "a.csv", make_clip("other.mkv", seed=9)
    facts(mien, "export", work, path)
    words = ("--retinaface-faces", "1", "--stop", "2")
    assert mien("extract", other, "-w", tmp_path / "other", *words)[0] == 0
    code, _, err = mien("alignments", "import", tmp_path / "other", path)
    assert code == 5
    assert "line 2: is about another clip" in err
    rows = [line.partition(",")[2] for line in path.read_text().splitlines()]
    path.write_text("\n".join(rows))  # without the column nobody can tell
    assert mien("alignments", "import", tmp_path / "other", path)[0] == 0


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is read-only for root"
)
def test_a_read_only_workspace_can_be_read(mien: Mien, work, tmp_path):
    for path in (*work.iterdir(), work):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert facts(mien, "status", work)["clips"][0]["faces"] == 10
        assert facts(mien, "export", work, tmp_path / "a.json")["faces"] == 10
        code, _, err = mien("alignments", "spatial", work)
        assert code == 6
        assert "the backup cannot be written" in err
    finally:
        work.chmod(0o755)
