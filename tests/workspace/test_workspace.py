"""The workspace: what goes in comes out, whole batches survive, strangers are refused."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import textwrap
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mien.errors import InputError, OutputError
from mien.media.base import ClipInfo
from mien.types import Face, FaceMask, Frame, Packet
from mien.workspace import Workspace

INFO = ClipInfo(uri="a.mp4", width=8, height=6, fingerprint="f" * 64)


def packet(index: int, faces: int = 1, seed: int = 0) -> Packet:
    rng = np.random.default_rng([index, seed])
    made = tuple(
        Face(
            box=tuple(float(v) for v in rng.uniform(0, 50, 4)),
            score=float(rng.uniform()),
            points5=rng.uniform(0, 50, (5, 2)).astype(np.float32),
            landmarks=rng.uniform(0, 50, (68, 2)).astype(np.float32),
            masks={
                "hull": FaceMask(
                    mask=(rng.integers(0, 256, (16, 16, 1)) / 255).astype(np.float32),
                    matrix=rng.uniform(-1, 1, (2, 3)),
                )
            },
            track=number,
            identity=rng.uniform(-1, 1, 8).astype(np.float32),
        )
        for number in range(faces)
    )
    frame = Frame(
        index=index,
        pts=index * 512,
        time_base=Fraction(1, 12800),
        image=np.zeros((6, 8, 3), np.uint8),
        name=f"n{index}",
    )
    return Packet(frame=frame, faces=made)


def same(one: Face, other: Face) -> None:
    assert one.box == pytest.approx(other.box)
    assert one.score == pytest.approx(other.score)
    assert one.track == other.track
    for name in ("points5", "landmarks", "identity"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert set(one.masks) == set(other.masks)
    for name, placed in one.masks.items():
        np.testing.assert_allclose(placed.mask, other.masks[name].mask, atol=1e-6)
        np.testing.assert_array_equal(placed.matrix, other.masks[name].matrix)


def test_faces_come_back_as_they_went_in(tmp_path):
    packets = [packet(0), packet(1, faces=0), packet(2, faces=3)]
    with Workspace(tmp_path) as store:
        clip = store.clip_id(INFO)
        store.put(clip, packets)
    with Workspace(tmp_path, create=False) as store:
        assert store.find_clip(INFO) == clip
        assert store.known_frames(clip) == {0, 1, 2}
        assert store.count_faces(clip) == 4
        assert store.timestamps(clip)[2] == Fraction(2 * 512, 12800)
        for sent in packets:
            found = store.faces(clip, sent.frame.index)
            assert len(found) == len(sent.faces)
            for one, other in zip(found, sent.faces, strict=True):
                same(one, other)


@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.integers(0, 3), st.integers(0, 9)),
        min_size=1,
        max_size=20,
    )
)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_last_word_about_a_frame_counts(tmp_path_factory, story):
    folder = tmp_path_factory.mktemp("w")
    last: dict[int, Packet] = {}
    with Workspace(folder) as store:
        clip = store.clip_id(INFO)
        for index, faces, seed in story:
            last[index] = packet(index, faces, seed)
            store.put(clip, [last[index]])
        assert store.known_frames(clip) == set(last)
        assert store.count_faces(clip) == sum(len(each.faces) for each in last.values())
        for index, sent in last.items():
            for one, other in zip(store.faces(clip, index), sent.faces, strict=True):
                same(one, other)


def test_work_is_remembered_with_its_frames(tmp_path):
    with Workspace(tmp_path) as store:
        clip = store.clip_id(INFO)
        assert store.next_frame(clip, "k") == 0
        store.put(clip, [packet(0), packet(1)], work="k")
        store.put(clip, [packet(2)], work="k")
        assert store.next_frame(clip, "k") == 3
        assert store.next_frame(clip, "other") == 0


def test_a_moved_clip_is_still_known(tmp_path):
    from dataclasses import replace

    with Workspace(tmp_path) as store:
        clip = store.clip_id(INFO)
        assert store.clip_id(replace(INFO, uri="moved/b.mp4")) == clip
        assert store.clip_id(replace(INFO, fingerprint="0" * 64)) != clip


def test_an_unknown_clip_is_answered_with_the_known_ones(tmp_path):
    from dataclasses import replace

    with Workspace(tmp_path) as store:
        store.clip_id(INFO)
        with pytest.raises(InputError, match=r"c.mp4: .*knows nothing .*it knows: a.mp4"):
            store.find_clip(replace(INFO, uri="c.mp4", fingerprint="1" * 64))


def test_a_folder_without_a_workspace_is_said(tmp_path):
    with pytest.raises(InputError, match="is no workspace"):
        Workspace(tmp_path, create=False)


def test_a_file_that_is_no_database_is_said(tmp_path):
    (tmp_path / "workspace.db").write_text("hello " * 1000)
    with pytest.raises(InputError, match="cannot be used as a workspace"):
        Workspace(tmp_path)


def test_a_workspace_of_a_newer_program_is_refused(tmp_path):
    Workspace(tmp_path).close()
    db = sqlite3.connect(tmp_path / "workspace.db")
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(InputError, match="newer mien"):
        Workspace(tmp_path)


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot make a workspace here"):
        Workspace(tmp_path / "file" / "w")


def test_a_batch_that_fails_leaves_nothing_behind(tmp_path):
    with Workspace(tmp_path) as store:
        clip = store.clip_id(INFO)
        store.put(clip, [packet(0)])
        broken = object()
        with pytest.raises(AttributeError):
            store.put(clip, [packet(1), broken])
        assert store.known_frames(clip) == {0}


def test_runs_are_remembered(tmp_path):
    with Workspace(tmp_path) as store:
        store.start_run("r1", "extract", {"a": 1})
        store.end_run("r1", "done")
        row = store._db.execute("SELECT command, outcome, settings FROM runs").fetchone()
    assert row == ("extract", "done", '{"a": 1}')


def test_kill_9_loses_no_committed_batch(tmp_path):
    code = textwrap.dedent(
        f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        from test_workspace import INFO, Workspace, packet
        store = Workspace(Path({str(tmp_path)!r}))
        clip = store.clip_id(INFO)
        for n in range(10**6):
            store.put(clip, [packet(2 * n), packet(2 * n + 1)], work="k")
            print(2 * n + 1, flush=True)
        """
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    said = [int(child.stdout.readline()) for _ in range(5)][-1]
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    with Workspace(tmp_path, create=False) as store:
        clip = store.find_clip(INFO)
        known = store.known_frames(clip)
        assert set(range(said + 1)) <= known
        assert len(known) % 2 == 0
        assert store.next_frame(clip, "k") == max(known) + 1
        assert store.count_faces(clip) == len(known)
