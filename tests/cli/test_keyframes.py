"""`mien keys` and `mien merge` with what it set."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tomli

FFV1 = ("--codec", "ffv1", "--mask", "hull")


@pytest.fixture
def clip(mien, make_clip):
    """A clip of 12 frames with two faces, one shot and two tracks, in the workspace `work`."""
    made = make_clip()
    words = ("-w", "work", "--cut", "1", "--set", "detector.retinaface.faces=2")
    assert mien("extract", made, *words)[0] == 0
    return made


@pytest.fixture
def keys(mien, clip):
    def run(command, *words):
        return mien("keys", command, clip, "-w", "work", *words)

    return run


def merged(mien, read_clip, clip, model, name, *words):
    code, _, err = mien("merge", clip, "-w", "work", "-m", model, "-o", name, *FFV1, *words)
    assert code == 0, err
    return [frame.image for frame in read_clip(name)], err


def test_keys_are_set_listed_removed_and_undone(keys, tmp_path):
    file = tmp_path / "work" / "clip.keyframes.toml"
    code, out, err = keys("set", "--frame", 3, "erode=-4", "merge.blur=20", "--ease", "smooth")
    assert (code, err) == (0, "")
    assert out == "set at 3: erode=-4, merge.blur=20 (work/clip.keyframes.toml)\n"
    assert tomli.loads(file.read_text()) == {
        "key": [{"at": 3, "ease": "smooth", "erode": -4, "blur": 20}]
    }
    assert keys("set", "-f", 9, "-t", 1, "motion-blur=25")[0] == 0
    assert keys("set", "-f", 5, "--only", "mask=hull * 0.5", "two_pass=yes")[0] == 0
    assert keys("set", "--shot", 7, "scale=2.5")[0] == 0
    assert keys("set", "--track", 0, "grain=50")[0] == 0
    lines = [line.strip() for line in keys("list")[1].splitlines()]
    assert lines == [
        "work/clip.keyframes.toml: 7 values",
        "at 0, track 0: grain=50",
        "at 3: blur=20 (smooth), erode=-4 (smooth)",
        "at 9, track 1: motion_blur=25",
        "for frame 5 alone: mask=hull * 0.5, two_pass=true",
        "for the shot of 0: scale=2.5",
    ]
    facts = json.loads(keys("list", "--json")[1])
    assert facts["entries"][0] == {
        "place": "key",
        "at": 0,
        "track": 0,
        "control": "grain",
        "value": 50.0,
        "ease": "linear",
    }
    assert keys("remove", "-f", 3, "blur")[0] == 0
    assert keys("remove", "--shot", 0)[1].startswith("removed for the shot of 0: all")
    assert "blur=20" not in keys("list")[1]
    assert keys("undo")[1] == "undone: removed for the shot of 0: all\n"
    assert keys("undo")[1] == "undone: removed at 3: blur\n"
    assert keys("redo")[1] == "done again: removed at 3: blur\n"
    past = keys("history")[1].splitlines()
    assert [line.startswith("(") for line in past] == [False] * 6 + [True]
    assert past[-1].endswith("removed for the shot of 0: all)")
    assert keys("redo")[0] == 0
    assert keys("redo")[1] == "nothing to do again\n"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("set", "-f", 3, "erode=99"), "erode: must be -25..25 %, is 99"),
        (("set", "-f", 3, "erod=9"), "erod: no such option; did you mean 'erode'?"),
        (("set", "-f", 3, "erode"), "erode: must be CONTROL=VALUE, as in erode=12"),
        (
            ("set", "-f", 50, "erode=1"),
            "key 50: lies outside the clip, which has the frames 0..11",
        ),
        (
            ("set", "-f", 3, "-t", 7, "erode=1"),
            "track 7: the clip has no such track; it has 0, 1",
        ),
        (("set", "erode=1"), "say where: --frame N, --frame N --only, --shot N or --track N"),
        (
            ("set", "--shot", 3, "--only", "erode=1"),
            "--shot: goes without --frame, --only and --track; a track lies in one shot",
        ),
        (
            ("set", "--shot", 50, "x=1"),
            "shot 50: lies outside the clip, which has the frames 0..11",
        ),
        (("remove", "-f", 3), "key 3: does not set any control"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(keys, words, problem):
    code, out, err = keys(*words)
    assert (code, out, err) == (2, "", f"error: {problem}\n")
    assert keys("list")[1] == "work/clip.keyframes.toml: 0 values\n"


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (("--set", "frame=3", "erode=12"), "--frame 3"),
        (("--set", "frame=3", "--set", "erode=12"), "--frame 3"),
        (("-s", "track=1", "erode=12"), "--track 1"),
    ],
)
def test_a_key_that_is_said_to_the_merge_gets_the_way_out(mien, clip, model, words, where):
    code, _, err = mien("merge", clip, "-w", "work", "-m", model, "-o", "o.mp4", *words)
    assert code == 2
    assert f"is said to `mien keys set CLIP -w WORKSPACE {where} CONTROL=VALUE...`" in err
    assert not Path("o.mp4").exists()


def test_a_clip_that_the_workspace_does_not_know_is_refused(mien, clip, make_clip):
    other = make_clip("other.mp4", frames=3)
    code, _, err = mien("keys", "list", other, "-w", "work")
    assert code == 5
    assert "knows nothing of this clip" in err
    assert mien("keys", "list", clip, "-w", "nowhere")[0] == 5


def test_a_key_changes_the_frames_that_it_touches_and_no_other(mien, keys, clip, model, read_clip):
    before, err = merged(mien, read_clip, clip, model, "before.mkv")
    assert "keyframes" not in err
    keys("set", "-f", 5, "--only", "erode=20")
    after, err = merged(mien, read_clip, clip, model, "after.mkv")
    assert "keyframes: 1 values from work/clip.keyframes.toml" in err
    changed = [n for n in range(12) if not np.array_equal(before[n], after[n])]
    assert changed == [5]
    keys("undo")
    keys("set", "-f", 4, "-t", 0, "erode=2")
    keys("set", "-f", 8, "-t", 0, "erode=20")
    after, _ = merged(mien, read_clip, clip, model, "after.mkv")
    changed = [n for n in range(12) if not np.array_equal(before[n], after[n])]
    assert changed == [5, 6, 7, 8, 9, 10, 11]


def test_keys_of_one_track_leave_the_others_alone(mien, keys, clip, model, read_clip):
    before, _ = merged(mien, read_clip, clip, model, "before.mkv")  # the larger face: track 0
    keys("set", "--track", 1, "erode=20")
    other, _ = merged(mien, read_clip, clip, model, "other.mkv")
    assert all(map(np.array_equal, before, other))
    keys("set", "--track", 0, "erode=20")
    own, _ = merged(mien, read_clip, clip, model, "own.mkv")
    assert not any(map(np.array_equal, before, own))


def test_faces_and_masks_can_change_over_the_clip(mien, keys, clip, model, read_clip):
    plain, _ = merged(mien, read_clip, clip, model, "plain.mkv", "--masker", "none")
    keys("set", "-f", 0, "mask=hull")
    keys("set", "-f", 6, "mask=full - landmarks")
    mixed, _ = merged(mien, read_clip, clip, model, "mixed.mkv", "--masker", "none")
    assert all(np.array_equal(plain[n], mixed[n]) for n in range(6))
    assert not np.array_equal(plain[6], mixed[6])
    keys("set", "-f", 3, "--only", "motion_blur=100")
    moved, _ = merged(mien, read_clip, clip, model, "moved.mkv", "--masker", "none")
    assert len(moved) == 12


def test_an_enhancer_that_only_a_key_asks_for_is_missed(mien, keys, clip, model):
    keys("set", "-f", 6, "enhance=50")
    code, _, err = mien("merge", clip, "-w", "work", "-m", model, "-o", "x.mkv", *FFV1)
    assert (code, "needs an enhancer" in err) == (2, True)


def test_the_run_file_names_the_keyframes(mien, keys, clip, model, read_clip, tmp_path):
    def recorded():
        merged(mien, read_clip, clip, model, "out.mkv")
        return tomli.loads((tmp_path / "out.mkv.mien.toml").read_text())["versions"]

    assert "keyframes" not in recorded()
    keys("set", "-f", 6, "blur=50")
    first = recorded()["keyframes"]
    keys("set", "-f", 7, "blur=40")
    assert recorded()["keyframes"] != first


def test_explain_tells_where_every_value_comes_from(mien, keys, clip, tmp_path):
    (tmp_path / "mien.toml").write_text("[merge]\nscale = 3\n")
    keys("set", "-f", 0, "erode=2")
    keys("set", "-f", 10, "erode=12")
    keys("set", "-f", 5, "-t", 1, "--only", "grain=7")
    code, out, err = mien(
        "merge", clip, "-w", "work", "--explain", 5, "--blur", "9", "--color", "none"
    )
    assert code == 0, err
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines.index("frame 5, track 0") < lines.index("frame 5, track 1")
    assert lines.count("erode 7 keys at 0 (2) and 10 (12), linear") == 2
    assert lines.count("scale 3 mien.toml, line 2") == 2
    assert lines.count("blur 9 --blur 9") == 2
    assert lines.count("grain 7 frame 5 alone of track 1") == 1
    assert lines.count("grain 0 default") == 1
    assert "color.use none --color none" in lines
    assert "blend.use laplacian default" in lines
    code, out, _ = mien("merge", clip, "-w", "work", "--explain", 5, "--explain", 6, "--json")
    facts = json.loads(out)
    assert [(each["frame"], each["track"]) for each in facts["frames"]] == [
        (5, 0),
        (5, 1),
        (6, 0),
        (6, 1),
    ]
    assert facts["frames"][0]["merge"]["erode"]["value"] == 7
    assert not list(tmp_path.glob("*.mkv"))
    code, _, err = mien("merge", clip, "-w", "work", "--explain", 50)
    assert (code, err) == (
        2,
        "note: keyframes: 3 values from work/clip.keyframes.toml\n"
        "error: --explain 50: the workspace knows the frames 0..11 of this clip\n",
    )


def test_a_faulty_file_stops_the_merge_before_it_begins(mien, keys, clip, model, tmp_path):
    keys("set", "-f", 3, "erode=4")
    file = tmp_path / "work" / "clip.keyframes.toml"
    file.write_text(file.read_text().replace("erode = 4", "erode = 400"))
    code, _, err = mien("merge", clip, "-w", "work", "-m", model, "-o", "x.mkv", *FFV1)
    assert code == 2
    assert f"{file.relative_to(tmp_path)}, line 6: key.erode: must be -25..25 %, is 400" in err
    assert not (tmp_path / "x.mkv").exists()
