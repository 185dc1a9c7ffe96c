"""The whole program on real clips: sound, timestamps, sizes and depths of the target survive."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from mien.cli import run_program
from mien.faceset import Faceset
from mien.media.plugin import open_source
from mien.types import Frame

Shared = Callable[[str], Path]

TINY = (
    *("--original-width", "0.125", "--original-size", "64", "--original-learning-rate", "0.001"),
    *("--batch-size", "4", "--iterations", "150", "--preview-every", "0", "--save-every", "0"),
)


def mien(*words: object) -> int:
    return run_program([str(word) for word in words])


def frames_of(path: Path) -> list[Frame]:
    source = open_source(path)
    try:
        return list(source.frames())
    finally:
        source.close()


def times_of(path: Path) -> list[Fraction]:
    frames = frames_of(path)
    return [frame.seconds - frames[0].seconds for frame in frames]


def sound_of(path: Path) -> list[list[bytes]]:
    with av.open(str(path)) as clip:
        tracks: dict[int, list[bytes]] = {stream.index: [] for stream in clip.streams.audio}
        if not tracks:
            return []
        for packet in clip.demux(clip.streams.audio):
            if packet.dts is not None:
                tracks[packet.stream_index].append(bytes(packet))
        return list(tracks.values())


@pytest.fixture(scope="session")
def weights(shared: Shared) -> Path:
    return shared("weights")


@pytest.fixture(autouse=True)
def machine(
    weights: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights from the reference folder; nobody's configuration; exported nets are kept."""
    monkeypatch.setenv("MIEN_WEIGHTS", str(weights))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))


@pytest.fixture(scope="session")
def trained(
    shared: Shared, weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Two facesets and a model that has learned a little, made by the commands themselves."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIEN_WEIGHTS", str(weights))
        for name, clip in (("a", "pair_a_woman_512.mp4"), ("b", "pair_b_man_512.mp4")):
            code = mien("extract", shared(f"data/clips/{clip}"), "-o", folder / name, "--every", 3)
            assert code == 0
        code = mien(
            *("train", "original", "--source", folder / "a", "--target", folder / "b"),
            *("-o", folder / "model", *TINY),
        )
        assert code == 0
    return {name: folder / name for name in ("a", "b", "model")}


@pytest.mark.slow
def test_the_faces_of_a_clip_are_found_in_every_frame(trained: dict[str, Path]) -> None:
    faces = Faceset(trained["a"])
    assert len(faces) == 42
    for stored in faces:
        points = stored.record.landmarks
        assert points.min() > 0
        assert points.max() < stored.record.size
        eyes = points[36:48].mean(0)
        mouth = points[48:68].mean(0)
        assert mouth[1] > eyes[1] + 40  # upright
        assert abs(mouth[0] - eyes[0]) < 30


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("pair_b_man_512.mp4", ".mp4"),
        ("tech_vfr.mp4", ".mp4"),
        ("tech_rotated90_meta.mp4", ".mp4"),
        ("tech_hevc_10bit.mp4", ".mp4"),
        ("tech_odd_427x241.webm", ".mkv"),
        ("grid_woman1.mpg", ".mkv"),
        ("sign_man_hand_on_mouth.mkv", ".mkv"),
    ],
)
def test_a_swapped_clip_keeps_frames_times_size_depth_and_sound(
    shared: Shared, trained: dict[str, Path], tmp_path: Path, name: str, suffix: str
) -> None:
    clip, out = shared(f"data/clips/{name}"), tmp_path / f"out{suffix}"
    assert mien("swap", clip, "-m", trained["model"], "-o", out) == 0
    before, after = open_source(clip), open_source(out)
    assert (after.info.width, after.info.height) == (before.info.width, before.info.height)
    assert after.info.bits == before.info.bits
    assert after.info.aspect == before.info.aspect
    wanted, got = times_of(clip), times_of(out)
    assert len(got) == len(wanted)
    step = Fraction(1, 1000) if suffix == ".mkv" else Fraction(0)
    assert max(abs(a - b) for a, b in zip(wanted, got, strict=True)) <= step
    assert sound_of(out) == sound_of(clip)


@pytest.mark.slow
def test_the_face_changes_and_the_rest_of_the_picture_does_not(
    shared: Shared, trained: dict[str, Path], tmp_path: Path
) -> None:
    clip = shared("data/clips/pair_b_man_512.mp4")
    truth = json.loads(shared("data/clips/pair_b_man_512.faces.json").read_text())
    assert mien("swap", clip, "-m", trained["model"], "-o", tmp_path / "out") == 0
    before, after = frames_of(clip), frames_of(tmp_path / "out")
    assert len(before) == len(after)
    for number in range(0, len(before), 25):
        x0, y0, x1, y1 = (int(v) for v in truth["frames"][number]["faces"][0]["box"])
        gap = np.abs(before[number].image.astype(int) - after[number].image).max(-1)
        inner = gap[
            (3 * y0 + y1) // 4 : (y0 + 3 * y1) // 4, (3 * x0 + x1) // 4 : (x0 + 3 * x1) // 4
        ]
        assert inner.mean() > 4
        width, height = x1 - x0, y1 - y0
        far = np.ones(gap.shape, bool)
        far[
            max(0, y0 - height // 2) : y1 + height // 2, max(0, x0 - width // 2) : x1 + width // 2
        ] = 0
        assert gap[far].max() == 0


@pytest.mark.slow
def test_the_same_run_gives_the_same_pixels(
    shared: Shared, trained: dict[str, Path], tmp_path: Path
) -> None:
    clip = shared("data/clips/grid_man1.mpg")
    outs = [tmp_path / "one", tmp_path / "two"]
    for out in outs:
        assert mien("swap", clip, "-m", trained["model"], "-o", out) == 0
    for one, other in zip(*(frames_of(out) for out in outs), strict=True):
        np.testing.assert_array_equal(one.image, other.image)


@pytest.mark.slow
def test_merging_from_the_workspace_gives_what_swapping_gives(
    shared: Shared, trained: dict[str, Path], tmp_path: Path
) -> None:
    clip, work = shared("data/clips/grid_man3.mpg"), tmp_path / "work"
    assert mien("extract", clip, "--workspace", work) == 0
    swapped, merged = tmp_path / "swapped", tmp_path / "merged"
    assert mien("swap", clip, "-m", trained["model"], "-o", swapped) == 0
    assert mien("merge", clip, "-w", work, "-m", trained["model"], "-o", merged) == 0
    for one, other in zip(frames_of(swapped), frames_of(merged), strict=True):
        gap = np.abs(one.image.astype(int) - other.image)
        assert gap.max() <= 2  # masks are stored with 8 bits


@pytest.mark.slow
def test_a_clip_that_breaks_off_is_swapped_as_far_as_it_goes(
    shared: Shared, trained: dict[str, Path], tmp_path: Path, capsys: Any
) -> None:
    clip = shared("data/clips/tech_truncated.mkv")
    capsys.readouterr()
    assert mien("swap", clip, "-m", trained["model"], "-o", tmp_path / "o.mkv") == 0
    assert "breaks off" in capsys.readouterr().err
    assert len(frames_of(tmp_path / "o.mkv")) == 25


@pytest.mark.slow
def test_a_clip_without_a_face_is_a_copy_with_its_own_exit_code(
    shared: Shared, trained: dict[str, Path], tmp_path: Path
) -> None:
    clip = shared("data/clips/noface_ship_8fps.mp4")
    assert mien("swap", clip, "-m", trained["model"], "-o", tmp_path / "o.mp4") == 8
    assert len(frames_of(tmp_path / "o.mp4")) == len(frames_of(clip))


@pytest.mark.slow
def test_training_goes_on_with_the_options_it_was_begun_with(
    trained: dict[str, Path], tmp_path: Path, capsys: Any
) -> None:
    import shutil

    model = tmp_path / "model"
    shutil.copytree(trained["model"], model)
    capsys.readouterr()
    code = mien(
        *("train", "original", "--source", trained["a"], "--target", trained["b"], "-o", model),
        *("--iterations", "155", "--batch-size", "2", "--preview-every", "0", "--json"),
    )
    assert code == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["iteration"], facts["steps"]) == (155, 5)
