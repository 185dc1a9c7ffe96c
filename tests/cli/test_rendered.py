"""A second `mien merge` renders only what a change touches, and gives the same bytes."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import numpy as np
import pytest
from mien.jobs import render
from mien.jobs.render import run_steps
from mien.stages import ColorTransferProvider, ModelProvider

FFV1 = ("--codec", "ffv1", "--mask", "hull")
FRAMES = 40


@pytest.fixture
def asked(registry, monkeypatch):
    """The model's faces depend on its batch, as a net's last bits do; the frames it was asked."""
    toy = type(registry.get(ModelProvider, "toy").create(None, None, None))
    plain, seen = toy.__call__, []

    def call(self, batch, /):
        seen.extend(crop.frame_index for crop in batch)
        shade = np.float32(0.05 * len(batch) + 0.01 * (batch[0].frame_index % 7))
        made = plain(self, batch)
        return [type(s)(image=np.clip(s.image - shade, 0, 1), matrix=s.matrix) for s in made]

    monkeypatch.setattr(toy, "__call__", call)
    return seen


@pytest.fixture
def steady(registry, monkeypatch):
    """Colours that look at other frames."""
    toy = type(registry.get(ColorTransferProvider, "reinhard").create(None, None))

    def call(self, batch, /):
        made = []
        for each in batch:
            pairs = [*each.before, each.item, *each.after]
            weight = np.mean([pair.area.mean() for pair in pairs]).astype(np.float32)
            made.append(each.item.swap * (1 - weight))
        return made

    monkeypatch.setattr(toy, "__call__", call)
    monkeypatch.setattr(toy, "window", (3, 1), raising=False)


@pytest.fixture
def merged(mien, make_clip, model, read_clip, asked, tmp_path):
    """Merges a clip of 40 frames; its pictures, the faces that the model saw, the notes."""
    clip = make_clip(frames=FRAMES)
    assert mien("extract", clip, "-w", "work", "--cut", "1")[0] == 0

    def run(*words, frames=FRAMES):
        asked.clear()
        code, out, err = mien(
            "merge", clip, "-w", "work", "-m", model, "-o", "o.mkv", *FFV1, *words
        )
        assert code == 0, err
        assert f"{frames} with the new face" in out
        return [frame.image for frame in read_clip("o.mkv")], sorted(asked), err

    run.keys = lambda *words: mien("keys", words[0], clip, "-w", "work", *words[1:])
    run.clip = clip
    return run


def same(one, other):
    return all(map(np.array_equal, one, other))


def test_nothing_is_rendered_twice_where_nothing_changed(merged):
    first, seen, err = merged()
    assert seen == list(range(FRAMES))
    assert "are taken from" not in err
    second, seen, err = merged()
    assert seen == []
    assert "40 of 40 frames with a face are as they were and are taken from work/rendered.db" in err
    assert same(first, second)


def test_a_key_renders_the_batches_of_the_frames_that_it_touches(merged):
    before, _, _ = merged()
    merged.keys("set", "-f", 18, "--only", "erode=20")
    after, seen, err = merged()
    assert seen == list(range(16, 24))
    assert "39 of 40 frames" in err
    whole, seen, _ = merged("--no-cache")
    assert seen == list(range(FRAMES))
    assert same(after, whole)
    assert [n for n in range(FRAMES) if not np.array_equal(before[n], after[n])] == [18]


def test_frames_that_look_at_the_changed_one_are_rendered_too(merged, steady):
    before, _, _ = merged()
    merged.keys("set", "-f", 22, "--only", "erode=20")
    after, seen, err = merged()
    assert seen == list(range(16, 32))
    assert "35 of 40 frames" in err
    assert same(after, merged("--no-cache")[0])
    changed = [n for n in range(FRAMES) if not np.array_equal(before[n], after[n])]
    assert set(changed) <= set(range(21, 26))
    assert 22 in changed


def test_motion_blur_of_one_frame_leaves_the_others_as_they_are(merged):
    merged()
    merged.keys("set", "-f", 15, "--only", "motion_blur=100")
    after, seen, err = merged()
    assert seen == list(range(8, 24))
    assert "39 of 40 frames" in err
    assert same(after, merged("--no-cache")[0])


def test_undo_and_another_way_to_the_same_values_count_as_the_same(merged):
    merged()
    merged.keys("set", "-f", 18, "--only", "erode=20")
    merged.keys("undo")
    assert merged()[1] == []
    merged.keys("set", "--shot", 0, "erode=2")  # what it is by default
    assert merged()[1] == []


@pytest.mark.parametrize(
    "words", [("--blur", "20"), ("--seed", "3"), ("--masker", "none"), ("--color", "none")]
)
def test_settings_that_touch_every_frame_render_every_frame(merged, words):
    merged()
    assert merged(*words)[1] == list(range(FRAMES))


def test_settings_of_the_file_touch_no_frame(merged):
    first, _, _ = merged()
    again, seen, _ = merged("--no-audio")
    assert seen == []
    assert same(first, again)


def test_another_generation_of_the_model_renders_every_frame(merged, model):
    import torch
    from mien.training import checkpoint
    from mien.training.base import TrainerState

    merged()
    checkpoint.save(model, TrainerState(weights={"w": torch.ones(1)}), 8)
    assert merged()[1] == list(range(FRAMES))


def test_faces_that_were_corrected_are_rendered_anew(merged, tmp_path):
    merged()
    with sqlite3.connect(tmp_path / "work" / "workspace.db") as database:
        database.execute("UPDATE faces SET x1 = x1 + 1 WHERE frame = 30")
    database.close()
    _, seen, err = merged()
    assert seen == list(range(24, 32))
    assert "37 of 40 frames" in err  # its neighbours may be blurred along the way to it


def test_a_damaged_file_is_begun_anew_and_a_damaged_frame_is_named(merged, mien, model, tmp_path):
    merged()
    file = tmp_path / "work" / "rendered.db"
    with sqlite3.connect(file) as database:
        database.execute("UPDATE frames SET change = x'00' WHERE frame = 5")
    database.close()
    words = ("merge", merged.clip, "-w", "work", "-m", model, "-o", "o.mkv", *FFV1)
    code, _, err = mien(*words)
    assert code == 5
    assert "work/rendered.db: frame 5 is damaged, or was changed by another run" in err
    assert merged("--no-cache")[1] == list(range(FRAMES))
    for end in ("-wal", "-shm"):
        file.with_name(file.name + end).unlink(missing_ok=True)
    file.write_bytes(b"no database" * 99)
    assert merged()[1] == list(range(FRAMES))
    assert merged()[1] == []


def test_a_stopped_merge_leaves_what_it_finished(merged, mien, model, tmp_path):
    merged()
    with sqlite3.connect(tmp_path / "work" / "rendered.db") as database:
        database.execute("DELETE FROM frames WHERE frame >= 16")
    database.close()
    after, seen, _ = merged()
    assert seen == list(range(16, FRAMES))
    assert same(after, merged("--no-cache")[0])


def test_a_stop_that_comes_behind_the_last_frame_finishes_the_clip(
    mien, make_clip, model, monkeypatch, read_clip
):
    def late(*args, **more):
        return replace(run_steps(*args, **more), stopped=True)

    monkeypatch.setattr(render, "run_steps", late)
    code, _, err = mien("swap", make_clip(), "-m", model, "-o", "o.mkv")
    assert code == 0, err
    assert len(read_clip("o.mkv")) == 12


def test_masks_and_patches_are_kept_with_their_frames(merged, read_clip, tmp_path):
    def layers(name):
        masks = [frame.image for frame in read_clip(tmp_path / f"{name}.mkv")]
        return masks, {each.name: each.read_bytes() for each in (tmp_path / name).iterdir()}

    def asked_for(name):
        return ("--masks", f"{name}.mkv", "--patches", name)

    merged()
    assert merged("--sheet", "s.png")[1] == []
    assert merged(*asked_for("first"))[1] == list(range(FRAMES))  # they were not kept till now
    assert merged(*asked_for("again"))[1] == []
    assert merged("--masks", "only.mkv")[1] == []
    assert merged()[1] == []
    first, again = layers("first"), layers("again")
    assert same(first[0], again[0])
    assert first[1] == again[1]
    assert len(first[1]) == 2 * FRAMES + 1
    merged.keys("set", "-f", 18, "--only", "erode=20")
    assert merged(*asked_for("keyed"))[1] == list(range(16, 24))
    keyed = layers("keyed")
    assert [n for n in range(FRAMES) if not np.array_equal(first[0][n], keyed[0][n])] == [18]
    changed = {name for name, data in first[1].items() if keyed[1][name] != data}
    assert changed == {"000018_0_mask.png"}
    merged("--no-cache", *asked_for("fresh"))
    assert same(keyed[0], layers("fresh")[0])
    assert keyed[1] == layers("fresh")[1]


def test_a_merge_that_goes_on_takes_kept_frames_and_keeps_no_half_made_ones(
    merged, monkeypatch, read_clip, tmp_path, steady
):
    from mien.media import segments

    monkeypatch.setattr(segments.SegmentWriter.__init__, "__kwdefaults__", {"length": 8})
    whole, _, _ = merged("--no-cache")
    write = segments.SegmentWriter.write

    def fail(self, frame):
        if frame.index == 29:
            raise KeyboardInterrupt
        write(self, frame)

    monkeypatch.setattr(segments.SegmentWriter, "write", fail)
    with pytest.raises(AssertionError):
        merged("--resume")
    monkeypatch.setattr(segments.SegmentWriter, "write", write)
    (tmp_path / "work" / "rendered.db").unlink()
    after, seen, err = merged("--resume", frames=FRAMES - 24)
    assert "goes on at frame 24" in err
    assert seen == list(range(16, FRAMES))
    assert same(whole, after)
    after, seen, _ = merged()
    assert same(whole, after)
    assert seen == list(range(32))  # 24 and later were kept, 16 to 23 not
