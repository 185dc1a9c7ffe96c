"""What a render leaves beside its clip, and how it goes on where it was stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from mien.media import segments


def images(read_clip, path):
    return [frame.image for frame in read_clip(Path(path))]


def test_masks_are_the_alpha_that_was_used(mien, make_clip, model, read_clip):
    clip = make_clip("frames", frames=5)
    code, out, err = mien("swap", clip, "-m", model, "-o", "done", "--masks", "masks.mkv")
    assert code == 0, err
    assert "beside it: masks.mkv" in out
    masks = images(read_clip, "masks.mkv")
    before, after = images(read_clip, clip), images(read_clip, "done")
    assert len(masks) == 5
    for plate, result, mask in zip(before, after, masks, strict=True):
        assert mask.max() > 200
        changed = (plate != result).any(axis=2)
        assert not changed[mask[..., 0] == 0].any()
        full = mask[..., 0] == 255
        assert changed[full].mean() > 0.9


def test_masks_as_a_folder_are_grey_pictures_named_as_the_frames(mien, make_clip, model):
    clip = make_clip("frames", frames=3)
    code, _, err = mien("swap", clip, "-m", model, "-o", "done", "--masks", "masks")
    assert code == 0, err
    assert sorted(path.name for path in Path("masks").iterdir()) == [
        "f000.png", "f001.png", "f002.png"
    ]  # fmt: skip
    picture = cv2.imread("masks/f000.png", cv2.IMREAD_UNCHANGED)
    assert picture.shape == (48, 64)
    assert picture.dtype == np.uint8


def test_patches_and_their_matrices_give_the_face_back(mien, make_clip, model, read_clip):
    clip = make_clip("frames", frames=4, black=(2,))
    words = ("swap", clip, "-m", model, "-o", "done", "--patches", "patches", "--scale", "10")
    code, _, err = mien(*words)
    assert code == 0, err
    listed = json.loads(Path("patches/patches.json").read_text())
    assert (listed["width"], listed["height"]) == (64, 48)
    assert [face["frame"] for face in listed["faces"]] == [0, 1, 3]
    (plate, *_), (result, *_) = images(read_clip, clip), images(read_clip, "done")
    face = listed["faces"][0]
    patch = cv2.imread(f"patches/{face['patch']}", cv2.IMREAD_UNCHANGED)
    mask = cv2.imread(f"patches/{face['mask']}", cv2.IMREAD_UNCHANGED)
    assert patch.dtype == mask.dtype == np.uint16
    assert list(patch.shape[1::-1]) == face["size"]
    matrix = np.array(face["matrix"])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    new, alpha = (cv2.warpAffine(each, matrix, (64, 48), flags=flags) for each in (patch, mask))
    alpha = alpha[..., None] / 65535
    composed = plate * (1 - alpha) + new / 257 * alpha
    assert np.abs(composed - result).mean() < 1.5


def test_outputs_that_are_one_another_are_refused(mien, make_clip, model):
    clip = make_clip(frames=3)
    words = ("swap", clip, "-m", model, "-o", "done")
    code, _, err = mien(*words, "--masks", "done")
    assert (code, err) == (2, "error: --masks done: is the output itself; name another file\n")
    code, _, err = mien(*words, "--patches", "done")
    assert (code, err) == (
        2, "error: --patches done: is the folder of the output; name another one\n"
    )  # fmt: skip
    code, _, err = mien(*words, "--masks", "m", "--patches", "m")
    assert (code, err) == (
        2, "error: --patches m: is the folder of the masks; name another one\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        ("-o", "no/out.mp4", "--masks", "m.mkv", "--patches", "p"),
        ("-o", "out.mp4", "--masks", "no/m.mkv", "--patches", "p"),
        ("-o", "out.mp4", "--masks", "m.mkv", "--patches", "full"),
    ],
)
def test_a_place_that_will_not_do_leaves_nothing_behind(mien, make_clip, model, words):
    clip = make_clip(frames=3)
    Path("full").mkdir()
    Path("full/diary.txt").touch()
    before = sorted(Path().rglob("*"))
    code, _, err = mien("swap", clip, "-m", model, *words)
    assert code == 6, err
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize(
    ("command", "more"), [("swap", ()), ("merge", ("--no-cache",)), ("merge", ())]
)
def test_a_failed_render_goes_on_and_is_like_one_at_once(
    mien, make_clip, model, read_clip, monkeypatch, command, more
):
    monkeypatch.setattr(segments.SegmentWriter.__init__, "__kwdefaults__", {"length": 8})
    clip = make_clip(frames=40)
    assert mien("extract", clip, "--workspace", "work")[0] == 0
    where = ("-w", "work") if command == "merge" else ()
    words = (command, clip, "-m", model, *where, "--resume", "--grain", "50", *more)
    assert mien(*words, "-o", "whole.mp4", "--masks", "whole.mkv")[0] == 0

    write = segments.SegmentWriter.write

    def fail(self, frame):
        if frame.index == 29:
            raise KeyboardInterrupt
        write(self, frame)

    monkeypatch.setattr(segments.SegmentWriter, "write", fail)
    assert mien(*words, "-o", "out.mp4", "--masks", "out.mkv")[0] == 130
    assert Path("out.mp4.segments/000002.json").exists()
    monkeypatch.setattr(segments.SegmentWriter, "write", write)
    code, out, err = mien(*words, "-o", "out.mp4", "--masks", "out.mkv", "--json")
    assert code == 0, err
    assert "goes on at frame 24" in err
    facts = json.loads(out)
    assert (facts["resumed_at"], facts["frames"]) == (24, 16)
    for one, other in (("whole.mp4", "out.mp4"), ("whole.mkv", "out.mkv")):
        before, after = images(read_clip, one), images(read_clip, other)
        assert len(before) == len(after) == 40
        for left, right in zip(before, after, strict=True):
            np.testing.assert_array_equal(left, right)
    assert not list(Path().glob("*.segments"))


def test_other_settings_begin_anew(mien, make_clip, model, monkeypatch):
    monkeypatch.setattr(segments.SegmentWriter.__init__, "__kwdefaults__", {"length": 8})
    clip = make_clip(frames=20)
    words = ("swap", clip, "-m", model, "-o", "out.mp4", "--resume")
    code, *_ = mien(*words, "--set", "detector.retinaface.fail_at=17")
    assert code == 4
    code, out, err = mien(*words, "--erode", "5")
    assert code == 0, err
    assert "20 frames" in out
    assert "goes on" not in err


KILLED = """
import importlib.util, os, signal, sys
from mien.cli import run_program
from mien.jobs import render
from mien.media import plugin, segments
from mien.registry import Registry
spec = importlib.util.spec_from_file_location("toys", sys.argv[1])
toys = sys.modules["toys"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(toys)
made = Registry([("mien", "", plugin), ("toys", "1", toys.toys())])
Registry.installed = lambda: made
segments.SegmentWriter.__init__.__kwdefaults__["length"] = 8
see = render._Counts.see
def die(self, packet):
    if packet.frame.index == 20:
        os.kill(os.getpid(), signal.SIGKILL)
    see(self, packet)
render._Counts.see = die
run_program(sys.argv[2:])
"""


def everything(folder, read_clip):
    """All pictures of all outputs in a folder, and the list of patches, by name."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.suffix in (".mp4", ".mkv", ".mov"):
            found |= {f"{path.name} {n}": f for n, f in enumerate(images(read_clip, path))}
        elif path.is_dir():
            for each in sorted(path.iterdir()):
                found[f"{path.name} {each.name}"] = np.frombuffer(each.read_bytes(), np.uint8)
    return found


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
@pytest.mark.parametrize(
    ("output", "resumed_at", "more"),
    [
        ("out.mp4", 16, ()),
        ("out.mov", 16, ("--masks", "m.mkv", "--patches", "p")),
        ("out.mkv", 16, ("--masks", "masks", "--patches", "p")),
        ("done", 21, ("--masks", "masks", "--patches", "p")),
        ("done", 16, ("--picture", "exr", "--masks", "m.mp4")),
    ],
)
def test_a_killed_render_goes_on(
    mien, make_clip, model, read_clip, monkeypatch, tmp_path, output, resumed_at, more
):
    monkeypatch.setattr(segments.SegmentWriter.__init__, "__kwdefaults__", {"length": 8})
    clip = make_clip(frames=30, black=(3, 4, 22))
    words = ("swap", clip, "-m", model, "--resume")
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    places = [word if word.startswith("-") or word == "exr" else None for word in more]

    def inside(name):
        each = [word or f"{name}/{more[n]}" for n, word in enumerate(places)]
        return ["-o", f"{name}/{output}", *each]

    code, _, err = mien(*words, *inside("whole"))
    assert code == 0, err
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    toys = Path(__file__).with_name("conftest.py")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, toys, *map(str, words), *inside("killed")],
        env=environment, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    code, _, err = mien(*words, *inside("killed"))
    assert code == 0, err
    assert f"goes on at frame {resumed_at}" in err
    whole, killed = (everything(tmp_path / name, read_clip) for name in ("whole", "killed"))
    assert list(whole) == list(killed)
    assert len(whole) >= 30
    for name, one in whole.items():
        np.testing.assert_array_equal(one, killed[name], err_msg=name)
    assert not list(tmp_path.glob("*/*.partial"))
    assert not list(tmp_path.glob("*/*.segments"))


@pytest.mark.parametrize(
    ("sheet", "said"),
    [
        ("taken/sheet.png", "is a file, so there can be no folder of that name"),
        ("folder", "pictures cannot be written as ''; use .png"),
        ("folder.png", "folder.png: is a folder; name a file"),
        ("sheet.doc", "sheet.doc: pictures cannot be written as '.doc'; use .png"),
    ],
)
@pytest.mark.parametrize("command", ["swap", "merge", "preview", "extract"])
def test_a_sheet_that_cannot_be_written_is_refused_before_the_work(
    mien, make_clip, model, command, sheet, said
):
    clip = make_clip("frames", frames=3)
    if command == "merge":
        assert mien("extract", clip, "-w", "work")[0] == 0
    Path("taken").touch()
    Path("folder.png").mkdir()
    words = {
        "swap": ("swap", clip, "-m", model, "-o", "done", "--masks", "masks"),
        "merge": ("merge", clip, "-m", model, "-w", "work", "-o", "done", "--no-cache"),
        "preview": ("preview", clip, "0", "-m", model),
        "extract": ("extract", clip, "-o", "faces"),
    }[command]
    before = sorted(Path().rglob("*"))
    code, _, err = mien(*words, "--sheet", sheet)
    assert code == 6
    assert said in err
    assert err.startswith("error: ")
    assert sorted(Path().rglob("*")) == before


def test_a_sheet_may_lie_in_a_new_folder(mien, make_clip, model):
    words = ("swap", make_clip(frames=3), "-m", model, "-o", "out.mp4")
    assert mien(*words, "--sheet", "new/sheet.png")[0] == 0
    assert Path("new/sheet.png").exists()


def test_a_sheet_never_takes_the_place_of_a_clip(mien, model):
    picture = np.full((48, 64, 3), 90, np.uint8)
    cv2.imwrite("face.png", picture)
    for words, sheet in (
        (("swap", "face.png", "-m", model, "-o", "done.png"), "face.png"),
        (("swap", "face.png", "-m", model, "-o", "done.png"), "done.png"),
        (("preview", "face.png", "0", "-m", model), "face.png"),
    ):
        code, _, err = mien(*words, "--sheet", sheet)
        assert (code, err) == (
            2, f"error: {sheet}: is a clip of this run; name another file for the picture\n"
        )  # fmt: skip
    np.testing.assert_array_equal(cv2.imread("face.png"), picture)
    assert not list(Path().glob("done*"))
