"""The ``[find]`` table from the command line: limits, turns, tracks, smoothing, people."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from mien.faceset import Faceset
from mien.workspace import Workspace

TWO = ("--set", "detector.retinaface.faces=2")
TREMBLE = ("--set", "aligner.compact.tremble=2.0", "--smooth", "3")


def stored(folder):
    """What a faceset says of every face, without where it came from."""
    return {
        face.path.name: (face.record.track, face.record.frame_landmarks.tolist())
        for face in Faceset(folder)
    }


def test_extract_says_how_many_shots_and_tracks_there_are(mien, make_clip, tmp_path):
    words = ("-w", "work", "--cut", "1", *TWO)
    code, out, err = mien("extract", make_clip(), "-o", "faces", *words)
    assert code == 0, err
    assert "tracks: 2 in 1 shots" in out
    assert {face.record.track for face in Faceset(tmp_path / "faces")} == {0, 1}
    with Workspace(tmp_path / "work", create=False) as store:
        assert store.shots(1) == (0,)
        assert [face.track for face in store.faces(1, 5)] == [0, 1]
    code, out, _ = mien("extract", tmp_path / "clip.mp4", "-o", "bare", "--no-tracks")
    assert "tracks" not in out
    assert {face.record.track for face in Faceset(tmp_path / "bare")} == {-1}


@pytest.mark.parametrize("cut", ["0.12", "1"])  # the toy clip is nothing but cuts, or has none
@pytest.mark.parametrize("place", ["faces", "both"])
def test_a_broken_run_goes_on_as_if_it_had_not_been_broken(mien, make_clip, tmp_path, place, cut):
    clip = make_clip(frames=40)
    more = (*TWO, *TREMBLE, "--cut", cut)
    code, out, err = mien("extract", clip, "-o", "whole", *more, "--json")
    assert code == 0, err
    whole = json.loads(out)
    assert (whole["tracks"] == 2) == (cut == "1")
    words = ("extract", clip, "-o", place, *(("-w", "work") if place == "both" else ()), *more)
    assert mien(*words, "--stop", "25")[0] == 0
    code, out, err = mien(*words, "--json")
    assert code == 0, err
    facts = json.loads(out)
    assert facts["tracks"] == whole["tracks"]
    assert facts["shots"] == whole["shots"]
    assert facts["resumed_at"] == 22
    assert facts["frames"] == 18
    assert stored(tmp_path / place) == stored(tmp_path / "whole")


def test_smoothing_prints_the_jitter_before_and_after(mien, make_clip):
    clip = make_clip(frames=30)
    code, out, err = mien("extract", clip, "-o", "faces", *TREMBLE, "--json")
    assert code == 0, err
    before, after = json.loads(out)["jitter"]
    assert after < before / 2
    code, out, _ = mien("extract", clip, "-o", "more", *TREMBLE)
    assert (
        f"jitter: {before:.2f} % of the eye distance before smoothing, {after:.2f} % after" in out
    )


def test_drawings_show_every_frame(mien, make_clip, tmp_path):
    code, _, err = mien(
        "extract", make_clip(frames=4), "-o", "faces", "--drawings", "look", "--every", "2"
    )
    assert code == 0, err
    names = sorted(path.name for path in (tmp_path / "look").iterdir())
    assert names == ["000000.jpg", "000002.jpg"]
    drawn = cv2.imread(str(tmp_path / "look" / names[0])).astype(int)
    red = (drawn[..., 2] > 200) & (drawn[..., :2].max(axis=2) < 90)
    green = (drawn[..., 1] > 180) & (drawn[..., [0, 2]].max(axis=2) < 110)
    assert red.sum() > 10
    assert green.sum() > 10


def test_people_cannot_be_told_apart_without_an_embedder(mien, make_clip, tmp_path):
    cv2.imwrite(str(tmp_path / "anna.png"), np.full((60, 80, 3), 90, np.uint8))
    code, _, err = mien("extract", make_clip(), "-o", "faces", "--keep", "anna.png")
    assert code == 2
    assert "find.keep: telling people apart needs an embedder, and none is chosen" in err


def test_only_the_people_who_are_wanted_are_taken(mien, make_clip, tmp_path):
    """Frames of bright and of dark faces; the toy tells people by the colour of their face."""
    (tmp_path / "clip").mkdir()
    for number in range(6):
        grey = 230 if number % 2 else 60
        cv2.imwrite(str(tmp_path / "clip" / f"{number}.png"), np.full((60, 80, 3), grey, np.uint8))
    cv2.imwrite(str(tmp_path / "anna.png"), np.full((60, 80, 3), 250, np.uint8))

    def frames(name: str, *words: str) -> list[int]:
        code, _, err = mien("extract", "clip", "-o", name, "--embedder", "colour", *words)
        assert code == 0, err
        return [face.record.frame_index for face in Faceset(tmp_path / name)]

    assert frames("all") == [0, 1, 2, 3, 4, 5]
    assert frames("hers", "--keep", "anna.png") == [1, 3, 5]
    assert frames("others", "--drop", "anna.png") == [0, 2, 4]


def test_a_picture_without_a_face_names_nobody(mien, make_clip, tmp_path):
    cv2.imwrite(str(tmp_path / "black.png"), np.zeros((60, 80, 3), np.uint8))
    words = ("--embedder", "colour", "--keep", "black.png")
    code, _, err = mien("extract", make_clip(), "-o", "faces", *words)
    assert code == 5
    assert "black.png: no picture here shows one single face" in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--cut", "0"), "find.cut: must be 0.01..1, is 0"),
        (("--rotations", "90,x"), "find.rotations: must be a whole number, is 'x'"),
        (("--order", "widest"), "find.order: must be one of largest, surest, left, centre"),
        (("--smooth", "61"), "find.smooth: must be 0..60 frames, is 61"),
        (("--re-feed", "-1"), "find.re_feed: must be 0..32, is -1"),
    ],
)
def test_wrong_wishes_are_told(mien, make_clip, words, told):
    code, _, err = mien("extract", make_clip(), "-o", "faces", *words)
    assert code == 2
    assert told in err


def test_a_turned_frame_and_care_go_through_the_whole_program(mien, make_clip, tmp_path):
    words = ("--rotations", "0,90,45", "--re-feed", "2", "--re-align", "--normalise", "clahe")
    code, out, err = mien("extract", make_clip(frames=3), "-o", "faces", *words)
    assert code == 0, err
    assert "3 faces of 3 frames" in out
