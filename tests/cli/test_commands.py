"""The commands on small clips: what they make, what they say, how they go on."""

from __future__ import annotations

import json

import numpy as np
import pytest
from mien.faceset import Faceset
from mien.workspace import Workspace


def difference(one, other):
    return np.abs(one.image.astype(float) - other.image.astype(float))


def test_swap_changes_the_face_and_keeps_frames_and_times(mien, make_clip, model, read_clip):
    clip = make_clip(frames=13)
    code, out, err = mien("swap", clip, "-m", model, "-o", "out.mkv", "--codec", "ffv1")
    assert code == 0, err
    assert "out.mkv: 13 frames, 13 with the new face" in out
    before, after = read_clip(clip), read_clip("out.mkv")
    assert len(after) == 13
    zero = after[0].seconds - before[0].seconds
    for one, other in zip(before, after, strict=True):
        assert abs(float(other.seconds - one.seconds - zero)) < 0.001
        assert difference(one, other)[20:28, 28:36].mean() > 20  # the face
        assert difference(one, other)[:4].mean() < 2  # far from it: one more trip through YUV


def test_a_run_file_repeats_the_run(mien, make_clip, model, read_clip):
    clip = make_clip()
    words = ("swap", clip, "-m", model, "-o", "out.mkv", "--codec", "ffv1", "--erode", "5")
    assert mien(*words)[0] == 0
    first = [frame.image for frame in read_clip("out.mkv")]
    code, _, err = mien("swap", "--config", "out.mkv.mien.toml", "-o", "again.mkv")
    assert code == 0, err
    again = [frame.image for frame in read_clip("again.mkv")]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_swap_as_json_says_what_each_step_took(mien, make_clip, model):
    code, out, err = mien(
        "swap", make_clip(), "-m", model, "-o", "out.mp4", "--json", "--progress", "json"
    )
    assert code == 0
    facts = json.loads(out)
    assert facts["frames"] == facts["frames_swapped"] == 12
    assert set(facts["steps"]) >= {"detect", "align", "mask landmarks", "swap", "colour", "blend"}
    events = [json.loads(line) for line in err.splitlines()]
    assert events[0] == {"event": "start", "work": "swap", "total": 12, "unit": "frames"}
    assert events[-1]["event"] == "end"
    assert events[-1]["done"] == 12


def test_frames_without_a_face_are_left_alone_and_said(mien, make_clip, model, read_clip):
    clip = make_clip(black=(3, 4))
    code, out, err = mien("swap", clip, "-m", model, "-o", "out.mkv", "--codec", "ffv1")
    assert code == 0
    assert "10 with the new face" in out
    assert "note: 2 of 12 frames show no face and were left as they are" in err
    assert difference(read_clip(clip)[3], read_clip("out.mkv")[3]).mean() < 2


def test_two_faces_and_one_source_swap_the_largest_and_say_so(mien, make_clip, model):
    words = ("swap", make_clip(), "-m", model, "--set", "detector.retinaface.faces=2")
    code, _, err = mien(*words, "-o", "one.mp4")
    assert code == 0
    assert "12 frames show more than one face; only the largest was swapped" in err
    code, _, err = mien(*words, "-o", "two.mp4", "--faces", "all")
    assert code == 0
    assert "more than one face" not in err


def test_a_face_that_failed_among_all_is_no_face_that_was_not_wanted(
    mien, make_clip, model, monkeypatch
):
    from mien.merging import swapping

    honest = swapping.face_crop

    def fail_for_the_second(frame, face, spec):
        if face.box[2] - face.box[0] < 20:
            raise ValueError("the face is too strange")
        return honest(frame, face, spec)

    monkeypatch.setattr(swapping, "face_crop", fail_for_the_second)
    words = ("swap", make_clip(), "-m", model, "--set", "detector.retinaface.faces=2")
    code, _, err = mien(*words, "-o", "two.mp4", "--faces", "all")
    assert code == 0
    assert "frames 0..11 keep the plate's face: the face is too strange" in err
    assert "more than one face" not in err


def test_colour_and_masker_can_be_switched_off(mien, make_clip, model):
    code, out, _ = mien(
        *("swap", make_clip(), "-m", model, "-o", "o.mp4", "--json"),
        *("--color", "none", "--masker", "none"),
    )
    assert code == 0
    steps = set(json.loads(out)["steps"])
    assert not {"colour", "mask landmarks"} & steps


def test_a_sheet_shows_before_and_after(mien, make_clip, model, tmp_path):
    import cv2

    code, out, _ = mien("swap", make_clip(), "-m", model, "-o", "o.mp4", "--sheet", "s.png")
    assert code == 0
    assert "contact sheet: s.png" in out
    assert cv2.imread(str(tmp_path / "s.png")).shape[1] > 500


def test_a_picture_folder_goes_in_and_out(mien, make_clip, model, tmp_path, read_clip):
    frames = make_clip("frames", frames=5)
    code, _, err = mien("swap", frames, "-m", model, "-o", tmp_path / "done")
    assert code == 0, err
    for before, after in zip(read_clip(frames), read_clip(tmp_path / "done"), strict=True):
        assert difference(before, after)[:4].max() == 0  # bit for bit, outside the mask
        assert difference(before, after)[20:28, 28:36].mean() > 20
    assert sorted(path.name for path in (tmp_path / "done").iterdir()) == [
        f"f{number:03d}.png" for number in range(5)
    ]


def test_extract_writes_faces_that_know_where_they_came_from(mien, make_clip, tmp_path):
    clip = make_clip(frames=9)
    code, out, err = mien("extract", clip, "-o", "faces", "--size", "64", "--every", "2")
    assert code == 0, err
    assert "5 faces of 5 frames are in faces" in out
    records = [face.record for face in Faceset(tmp_path / "faces")]
    assert [record.frame_index for record in records] == [0, 2, 4, 6, 8]
    assert {record.size for record in records} == {64}
    assert records[0].clip == str(clip)
    assert set(records[0].masks) == {"landmarks"}


def test_extract_goes_on_where_it_stopped_and_begins_anew_when_told(mien, make_clip, tmp_path):
    clip = make_clip(frames=9)
    words = ("extract", clip, "-o", "faces", "--workspace", "work")
    assert mien(*words, "--stop", "4")[0] == 0
    code, out, _ = mien(*words)
    assert code == 0
    assert "5 faces of 5 frames" in out
    assert len(Faceset(tmp_path / "faces")) == 9
    code, out, _ = mien(*words)
    assert code == 0
    assert "nothing left to do; --fresh begins anew" in out
    code, out, _ = mien(*words, "--fresh")
    assert "9 faces of 9 frames" in out
    with Workspace(tmp_path / "work", create=False) as store:
        assert store.count_faces(1) == 9


def test_extract_goes_on_in_step_with_every(mien, make_clip, tmp_path):
    words = ("extract", make_clip(frames=12), "-o", "faces", "--every", "3", "--start", "1")
    assert mien(*words, "--stop", "6")[0] == 0
    assert mien(*words)[0] == 0
    records = [face.record for face in Faceset(tmp_path / "faces")]
    assert [record.frame_index for record in records] == [1, 4, 7, 10]


def test_extract_that_begins_behind_the_clip_says_so(mien, make_clip):
    code, _, err = mien("extract", make_clip(), "-o", "faces", "--start", "99")
    assert code == 5
    assert "holds no frame at or behind 99" in err


def test_extract_with_other_options_begins_anew(mien, make_clip):
    words = ("extract", make_clip(), "-o", "faces")
    assert mien(*words)[0] == 0
    _, out, _ = mien(*words, "--size", "96")
    assert "12 faces of 12 frames" in out


def test_extract_keeps_the_largest_faces_only(mien, make_clip, tmp_path):
    more = ("--set", "detector.retinaface.faces=3")
    clip = make_clip(frames=2)
    assert mien("extract", clip, "-o", "three", *more)[0] == 0
    assert mien("extract", clip, "-o", "one", *more, "--max-faces", "1")[0] == 0
    assert mien("extract", clip, "-o", "two", *more, "--min-face", "17")[0] == 0
    assert len(Faceset(tmp_path / "three")) == 6
    assert len(Faceset(tmp_path / "one")) == 2
    assert len(Faceset(tmp_path / "two")) < 6


def test_merge_uses_the_faces_of_the_workspace(mien, make_clip, model, read_clip):
    clip = make_clip()
    assert mien("extract", clip, "--workspace", "work")[0] == 0
    code, out, err = mien(
        "merge", clip, "-w", "work", "-m", model, "-o", "merged.mkv", "--codec", "ffv1"
    )
    assert code == 0, err
    assert "12 with the new face" in out
    mien("swap", clip, "-m", model, "-o", "swapped.mkv", "--codec", "ffv1")
    for one, other in zip(read_clip("merged.mkv"), read_clip("swapped.mkv"), strict=True):
        assert difference(one, other).max() <= 1  # masks come back from 8 bit


def test_settings_come_from_mien_toml_of_the_folder(mien, make_clip, model, tmp_path):
    make_clip()
    (tmp_path / "mien.toml").write_text(
        f"input = 'clip.mp4'\nmodel_folder = '{model}'\noutput = 'from_toml.mkv'\n"
        "[encode]\ncodec = 'ffv1'\n[detector.retinaface]\nfaces = 2\n[merge]\nfaces = 'all'\n"
    )
    code, out, err = mien("swap")
    assert code == 0, err
    assert "from_toml.mkv: 12 frames" in out


def test_plugins_are_listed_and_shown(mien):
    code, out, _ = mien("plugins", "list")
    assert code == 0
    assert "retinaface" in out
    assert "[detector]" in out
    code, out, _ = mien("plugins", "show", "retinaface")
    assert "faces = 1" in out
    assert "How many faces it finds  [0..3; default: 1]" in out
    _, out, _ = mien("plugins", "show", "detector.retinaface", "--json")
    assert json.loads(out)["schema"]["properties"]["faces"]["maximum"] == 3
    code, _, err = mien("plugins", "show", "retinafase")
    assert code == 3
    assert "did you mean 'retinaface'?" in err


def test_weights_without_any_are_an_empty_list(mien):
    assert mien("weights", "list") == (0, "", "")
    code, _, err = mien("weights", "pull", "x")
    assert code == 7
    assert "no installed plugin knows a weight file 'x'" in err
    assert mien("weights", "path")[0] == 0


def test_doctor_finds_this_machine_well(mien):
    code, out, _ = mien("doctor")
    assert code == 0, out
    assert "OpenCV" in out
    _, out, _ = mien("doctor", "--json")
    assert {finding["state"] for finding in json.loads(out)} <= {"good", "note"}


@pytest.mark.parametrize("command", ["swap", "extract", "train", "merge", "demo", "plugins"])
def test_every_command_has_help_with_an_example_or_a_sentence(mien, command):
    code, out, _ = mien(command, "--help")
    assert code == 0
    assert len(out.splitlines()) > 5


def test_help_shows_the_options_of_the_chosen_plugins(mien):
    _, out, _ = mien("swap", "--help")
    assert "--retinaface-fail-at N" in out
    assert "--erode X" in out
    assert "[-25..25 %; default: 2.0]" in out
