"""The worst user: every mistake gets one clear sentence, a documented exit code, no traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from mien.jobs.outputs import writing_alone


def one_sentence(err: str, *words: str) -> None:
    assert "Traceback" not in err
    lines = [line for line in err.splitlines() if line.startswith(("error:", "Error:"))]
    assert len(lines) == 1, err
    for word in words:
        assert word in err, err


def test_a_missing_file(mien, model):
    code, _, err = mien("swap", "nowhere.mp4", "-m", model, "-o", "o.mp4")
    assert code == 5
    one_sentence(err, "nowhere.mp4: no such file")


def test_a_text_file_named_mp4(mien, model, tmp_path):
    (tmp_path / "text.mp4").write_text("this is no clip\n" * 50)
    code, _, err = mien("swap", "text.mp4", "-m", model, "-o", "o.mp4")
    assert code == 5
    one_sentence(err, "text.mp4")
    assert not (tmp_path / "o.mp4").exists()


def test_a_truncated_mp4(mien, make_clip, model, tmp_path):
    whole = make_clip(frames=60).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    code, _, err = mien("swap", "cut.mp4", "-m", model, "-o", "o.mp4")
    assert code == 5
    one_sentence(err, "cut.mp4: not a clip that can be read")


@pytest.mark.parametrize(("bits", "chroma"), [("8", "444"), ("10", "420"), ("10", "444")])
def test_deep_and_full_chroma_clips_keep_both(mien, make_clip, model, bits, chroma):
    from mien.media.plugin import open_source

    clip = make_clip("deep.mkv", bits=bits, chroma=chroma)
    code, _, err = mien("swap", clip, "-m", model, "-o", "o.mp4")
    assert code == 0, err
    info = open_source("o.mp4").info
    assert info.bits == int(bits)
    assert info.pixel_format.startswith(f"yuv{chroma}p")


def test_a_zero_byte_clip(mien, model, tmp_path):
    (tmp_path / "empty.mp4").touch()
    code, _, err = mien("swap", "empty.mp4", "-m", model, "-o", "o.mp4")
    assert code == 5
    one_sentence(err, "empty.mp4")


def test_a_zero_byte_picture_in_a_folder_is_skipped_and_named(mien, make_clip, model, tmp_path):
    folder = make_clip("frames", frames=3)
    (folder / "f001a.png").touch()
    code, out, err = mien("swap", folder, "-m", model, "-o", "done")
    assert code == 0, err
    assert "3 frames" in out
    assert "f001a.png" in err


def test_a_clip_without_a_picture(mien, model, tmp_path):
    from mien.demo.clips import make_sound

    make_sound(tmp_path / "sound.wav")
    code, _, err = mien("swap", "sound.wav", "-m", model, "-o", "o.mp4")
    assert code == 5
    one_sentence(err, "sound.wav")


def test_a_clip_without_any_face_is_copied_and_said(mien, make_clip, model, tmp_path):
    code, _, err = mien("swap", make_clip(black="all"), "-m", model, "-o", "o.mp4")
    assert code == 8
    one_sentence(err, "no face was found in any of its 12 frames", "o.mp4 is a plain copy")
    assert (tmp_path / "o.mp4").exists()
    code, _, err = mien("extract", make_clip("b.mp4", black="all"), "-o", "faces")
    assert code == 8
    one_sentence(err, "no face was found")


@pytest.mark.parametrize("size", [(1, 1), (33, 17), (4320, 24)])
def test_odd_sizes_go_through(mien, make_clip, model, size, read_clip):
    clip = make_clip("odd.mkv", frames=3, size=size)
    code, _, err = mien("swap", clip, "-m", model, "-o", "o.mp4")
    assert code in (0, 8), err
    frames = read_clip("o.mp4")
    assert [frame.image.shape for frame in frames] == [(size[1], size[0], 3)] * 3


def test_an_unwritable_output(mien, make_clip, model):
    clip = make_clip()
    code, _, err = mien("swap", clip, "-m", model, "-o", "/proc/nowhere/o.mp4")
    assert code == 6
    one_sentence(err, "/proc/nowhere")
    code, _, err = mien("swap", clip, "-m", model, "-o", "o.xyz")
    assert code == 6
    one_sentence(err, ".xyz")
    code, _, err = mien("swap", clip, "-m", model, "-o", clip)
    assert code == 2
    one_sentence(err, "is the clip itself")
    code, _, err = mien("swap", clip, "-m", model)
    assert code == 6
    one_sentence(err, "no output was named")


def test_an_unknown_plugin(mien, make_clip, model):
    code, _, err = mien("swap", make_clip(), "-m", model, "-o", "o.mp4", "--detector", "retinafac")
    assert code == 3
    one_sentence(err, "no detector named 'retinafac'", "did you mean 'retinaface'?")


def test_a_plugin_that_raises_in_the_middle_keeps_what_was_done(
    mien, make_clip, model, tmp_path, read_clip
):
    clip = make_clip(frames=200)
    code, _, err = mien(
        *("swap", clip, "-m", model, "-o", "o.mp4"),
        *("--detect-every", "1", "--set", "detector.retinaface.fail_at=150"),
    )
    assert code == 4
    one_sentence(err, "detect failed on frames 148..151: ZeroDivisionError: the toy is broken")
    assert not (tmp_path / "o.mp4").exists()
    assert "o.partial.mp4" in err
    assert 0 < len(read_clip(tmp_path / "o.partial.mp4")) <= 148


def test_extraction_that_fails_goes_on_behind_the_last_commit(mien, make_clip, tmp_path):
    clip = make_clip(frames=120)
    words = ("extract", clip, "-o", "faces")
    code, _, err = mien(*words, "--set", "detector.retinaface.fail_at=100")
    assert code == 4
    one_sentence(err, "detect failed")
    before = len(list((tmp_path / "faces").glob("*.jpg")))
    assert before > 0
    state = json.loads((tmp_path / "faces" / "extract.json").read_text())
    assert 0 < max(done["next"] for done in state.values()) <= 100


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[detector.retinaface]\nfaces = 'two'\n", "line 2: detector.retinaface.faces: must be a"),
        ("[merge]\nblurr = 3\n", "no such option; did you mean 'blur'?"),
        ("[merge\n", "is not valid TOML"),
        ("nonsense = 1\n", "no such table or key"),
    ],
)
def test_a_wrong_configuration(mien, make_clip, model, tmp_path, text, words):
    (tmp_path / "wrong.toml").write_text(text)
    code, _, err = mien("swap", make_clip(), "-m", model, "-o", "o.mp4", "-c", "wrong.toml")
    assert code == 2
    one_sentence(err, "wrong.toml", words)


def test_a_wrong_flag(mien, make_clip, model):
    clip = make_clip()
    code, _, err = mien("swap", clip, "-m", model, "-o", "o.mp4", "--erode", "99")
    assert code == 2
    one_sentence(err, "--erode 99: merge.erode: must be -25..25 %, is 99")
    code, _, err = mien("swap", clip, "--eroed", "3")
    assert code == 2
    assert "--eroed" in err
    code, _, err = mien("swpa", clip)
    assert code == 2
    one_sentence(err, "no such command 'swpa'; did you mean 'swap'?")


def test_no_model_a_wrong_model_an_unfinished_model(mien, make_clip, model, tmp_path):
    clip = make_clip()
    code, _, err = mien("swap", clip, "-o", "o.mp4")
    assert code == 2
    one_sentence(err, "no model was named")
    code, _, err = mien("swap", clip, "-m", tmp_path / "empty", "-o", "o.mp4")
    assert code == 5
    one_sentence(err, "holds no model")
    card = model / "model.json"
    card.write_text(card.read_text().replace('"toy"', '"unknown"'))
    code, _, err = mien("swap", clip, "-m", model, "-o", "o.mp4")
    assert code == 3
    one_sentence(err, "no model named 'unknown' is installed")
    card.write_text("{")
    code, _, err = mien("swap", clip, "-m", model, "-o", "o.mp4")
    assert code == 5
    one_sentence(err, "model.json is damaged")


def test_a_clip_and_a_workspace_that_do_not_belong_together(mien, make_clip, model):
    one, other = make_clip("a.mp4"), make_clip("b.mp4", frames=7)
    assert mien("extract", one, "-w", "work")[0] == 0
    code, _, err = mien("merge", other, "-w", "work", "-m", model, "-o", "o.mp4")
    assert code == 5
    one_sentence(err, "knows nothing of this clip", "a.mp4")
    code, _, err = mien("merge", other, "-w", "nowhere", "-m", model, "-o", "o.mp4")
    assert code == 5
    one_sentence(err, "is no workspace")


def test_a_wrong_device(mien, make_clip, model):
    code, _, err = mien("swap", make_clip(), "-m", model, "-o", "o.mp4", "--device", "abacus")
    assert code == 2
    one_sentence(err, "abacus")


def test_debug_shows_the_traceback(make_clip, model, mien):
    from mien.errors import InputError

    with pytest.raises(InputError):
        mien("swap", "nowhere.mp4", "-m", model, "-o", "o.mp4", "--debug")


CHILD = """
import sys, time
sys.path.insert(0, {here!r})
import conftest
from mien.cli import main
from mien.media import plugin as media_plugin
from mien.registry import Registry

class Slow(conftest.ToyDetector):
    def __call__(self, batch):
        time.sleep(0.05)
        print("batch", file=sys.stderr, flush=True)
        return super().__call__(batch)

conftest.ToyDetector = Slow
registry = Registry([("mien", "", media_plugin), ("toys", "1", conftest.toys())])
Registry.installed = lambda: registry
main(sys.argv[1:])
"""


def start(*words: object) -> subprocess.Popen[str]:
    code = textwrap.dedent(CHILD.format(here=str(Path(__file__).parent)))
    child = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)], stderr=subprocess.PIPE, text=True
    )
    assert child.stderr is not None
    seen = 0
    for line in child.stderr:
        seen += line.startswith("batch")
        if seen >= 8:
            return child
    raise AssertionError("the child ended early")


@pytest.mark.parametrize(
    "words",
    [
        ("-o", "o.mp4"),
        ("-o", "shot/%05d.png"),
        ("-o", "other.mp4", "--masks", "o.mp4"),
        ("-o", "other.mp4", "--patches", "shot"),
    ],
)
def test_two_runs_never_write_in_one_place(mien, make_clip, model, tmp_path, words):
    clip = make_clip()
    held = next(word for word in words[::-1] if word not in ("--masks", "--patches"))
    with writing_alone(held):
        code, _, err = mien("swap", clip, "-m", model, *words)
        assert code == 6
        one_sentence(err, f"{held}: another run is writing it; wait for that, or name another")
        assert mien("video", "cut", clip, "-o", held)[0] == 6
        assert mien("video", "join", clip, "-o", held)[0] == 6
        assert not [path for path in tmp_path.iterdir() if "partial" in path.name]
    assert mien("swap", clip, "-m", model, *words)[0] == 0
    assert not list(tmp_path.glob(".*.lock"))


def test_ctrl_c_leaves_a_clean_partial_file(make_clip, model, tmp_path, read_clip):
    clip = make_clip(frames=400)
    child = start("swap", clip, "-m", model, "-o", "o.mp4")
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert "stopped after" in err
    assert not (tmp_path / "o.mp4").exists()
    kept = read_clip(tmp_path / "o.partial.mp4")
    assert 8 <= len(kept) < 400
    assert f"stopped after {len(kept)} frames" in err


def test_kill_9_leaves_a_playable_partial_file(make_clip, model, tmp_path, read_clip):
    clip = make_clip(frames=2000)
    child = start("swap", clip, "-m", model, "-o", "o.mp4")
    time.sleep(6)
    child.kill()
    child.communicate()
    assert not (tmp_path / "o.mp4").exists()
    assert len(read_clip(tmp_path / "o.partial.mp4")) > 20


def test_kill_9_during_extraction_costs_little_and_the_next_run_goes_on(make_clip, mien, tmp_path):
    clip = make_clip(frames=600)
    child = start("extract", clip, "-o", "faces", "-w", "work", "--size", "32")
    time.sleep(3)
    child.kill()
    child.communicate()
    state = json.loads((tmp_path / "faces" / "extract.json").read_text())
    done = max(done["next"] for done in state.values())
    assert done >= 32
    code, out, err = mien("extract", clip, "-o", "faces", "-w", "work", "--size", "32")
    assert code == 0, err
    assert f"faces of {600 - done} frames" in out
    # A hidden file may be left of the one that was being written.
    stored = [path for path in (tmp_path / "faces").glob("*.jpg") if path.name[0] != "."]
    assert len(stored) == 600


@pytest.fixture
def small_disk(tmp_path: Path):
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(place)],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("mounting a small tmpfs needs root")
    yield place
    os.chdir("/")
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk(mien, make_clip, model, small_disk, tmp_path):
    clip = make_clip(frames=150, size=(320, 240))
    code, _, err = mien("swap", clip, "-m", model, "-o", small_disk / "o.mkv", "--codec", "ffv1")
    assert code == 6, err
    one_sentence(err, "o.mkv", "space")
    code, _, err = mien("extract", clip, "-o", small_disk / "faces", "--format", "png")
    assert code == 6, err
    one_sentence(err, "space")
    code, _, err = mien("extract", clip, "-w", small_disk / "work")
    assert code in (0, 6), err


@pytest.mark.parametrize(
    "words", [("-o", "done"), ("-o", "o.mkv", "--patches", "p"), ("-o", "o.mp4", "--masks", "m")]
)
def test_a_render_that_fills_the_disk_goes_on_when_there_is_room(
    mien, make_clip, model, small_disk, words
):
    clip = make_clip(frames=20)
    filler = small_disk / "filler"
    free = os.statvfs(small_disk)
    filler.write_bytes(bytes(max(free.f_bavail * free.f_frsize - 40_000, 0)))
    placed = [word if word.startswith("-") else small_disk / word for word in words]
    code, _, err = mien("swap", clip, "-m", model, "--resume", *placed)
    assert code == 6, err
    one_sentence(err, "no space left on the disk")
    filler.unlink()
    code, out, err = mien("swap", clip, "-m", model, "--resume", *placed)
    assert code == 0, err
    assert "with the new face" in out
    if words == ("-o", "done"):
        assert "goes on at frame" in err
        assert len(list((small_disk / "done").iterdir())) == 20
    assert not list(small_disk.glob("*.partial"))
    assert not list(small_disk.glob("*.segments"))
