"""The keyframes of a clip in its workspace and beside it: kept, edited by hand, undone."""

from fractions import Fraction

import pytest
from mien.errors import ConfigError
from mien.keyframes import Book, Timeline, entries_of
from mien.media.base import ClipInfo
from mien.testing import face_at, frames
from mien.types import Packet, replace
from mien.workspace import Workspace


@pytest.fixture
def work(tmp_path):
    """A workspace with a clip of 20 frames, two shots and the tracks 0 and 1."""
    with Workspace(tmp_path / "work") as store:
        enter(store, "a/clip.mp4", "one")
        yield store


def enter(store, uri, fingerprint):
    info = ClipInfo(uri=uri, width=8, height=8, rate=Fraction(25), fingerprint=fingerprint)
    clip = store.clip_id(info)
    packets = []
    for frame in frames(20, width=8, height=8):
        shot = 0 if frame.index < 12 else 12
        face = replace(face_at(4, 4, 4), track=int(shot > 0))
        packets.append(Packet(frame=frame, faces=(face,), shot=shot))
    store.put(clip, packets)
    return clip


def book(store, clip=1):
    return Book(store, clip, title="clip.mp4", frames=20)


def put(book, at, **values):
    return book.change(lambda line: line.put(entries_of("key", at, values)), f"set at {at}")


def test_a_change_is_kept_in_the_workspace_and_readable_beside_it(work):
    first = book(work)
    line = put(first, 3, erode=12)
    assert first.path.name == "clip.keyframes.toml"
    assert first.path.parent == work.folder
    text = first.path.read_text()
    assert text.startswith("# Keyframes of clip.mp4.\n")
    assert text.endswith("[[key]]\nat = 3\nerode = 12\n")
    with Workspace(work.folder) as again:
        assert book(again).read() == line


def test_nothing_is_written_where_nothing_is_set(work):
    assert book(work).read() == Timeline()
    assert not book(work).path.exists()
    assert book(work).undo() is None


def test_the_same_again_is_no_change(work):
    put(book(work), 3, erode=12)
    put(book(work), 3, erode=12)
    assert book(work).position == 1


def test_an_edit_by_hand_is_taken_in_as_one_change(work):
    before = put(book(work), 3, erode=12)
    path = book(work).path
    path.write_text("# mine\r\n[[key]]\r\nat = 5\r\nblur = 30\r\n[[key]]\r\nat=9\r\nblur = 3\r\n")
    line = book(work).read()
    assert line == Timeline(
        [*entries_of("key", 5, {"blur": 30}), *entries_of("key", 9, {"blur": 3})]
    )
    assert path.read_text().startswith("# mine")
    assert book(work).undo().what == "edited clip.keyframes.toml"
    assert book(work).read() == before
    assert book(work).redo().what == "edited clip.keyframes.toml"
    assert book(work).read() == line
    assert path.read_text().startswith("# mine")


def test_a_file_written_by_hand_from_nothing_is_taken_in(work):
    book(work).path.write_text("[[shot]]\nat = 3\nscale = 4\n")
    assert len(book(work).read()) == 1


def test_other_words_for_the_same_are_no_change(work):
    line = put(book(work), 3, erode=12)
    path = book(work).path
    path.write_text("# a remark\n" + path.read_text())
    assert book(work).read() == line
    assert book(work).position == 1
    assert path.read_text().startswith("# a remark")


def test_a_deleted_file_is_written_again(work):
    line = put(book(work), 3, erode=12)
    path = book(work).path
    path.unlink()
    assert book(work).read() == line
    assert path.read_text().endswith("erode = 12\n")


def test_a_change_comes_on_top_of_an_edit_by_hand(work):
    put(book(work), 3, erode=12)
    path = book(work).path
    path.write_text("[[key]]\nat = 5\nblur = 30\n")
    line = put(book(work), 7, grain=5)
    assert [(entry.at, entry.option) for entry in line] == [(5, "blur"), (7, "grain")]
    assert [each.what for each in book(work).revisions()] == [
        "set at 3",
        "edited clip.keyframes.toml",
        "set at 7",
    ]


def test_undo_and_redo_survive_the_process_and_go_all_the_way(work):
    lines = [Timeline()]
    for at in range(4):
        lines.append(put(book(work), at, erode=at))
    work.close()
    with Workspace(work.folder) as again:
        for number in (3, 2, 1, 0):
            assert book(again).undo().what == f"set at {number}"
            assert book(again).read() == lines[number]
        assert book(again).undo() is None
        assert book(again).path.read_text().startswith("# Keyframes of clip.mp4.")
        for number in range(4):
            assert book(again).redo().what == f"set at {number}"
            assert book(again).read() == lines[number + 1]
        assert book(again).redo() is None


def test_a_change_after_an_undo_forgets_what_was_undone(work):
    for at in range(3):
        put(book(work), at, erode=at)
    book(work).undo()
    book(work).undo()
    line = put(book(work), 9, blur=1)
    assert book(work).redo() is None
    assert [entry.at for entry in line] == [0, 9]
    assert [each.what for each in book(work).revisions()] == ["set at 0", "set at 9"]


def test_a_long_history_forgets_its_beginning_and_says_so_by_stopping(work, monkeypatch):
    monkeypatch.setattr("mien.workspace.history._KEPT", 3)
    for at in range(6):
        put(book(work), at, erode=at)
    assert [book(work).undo() is not None for _ in range(4)] == [True, True, False, False]
    assert len(book(work).read()) == 4


@pytest.mark.parametrize(
    ("place", "at", "track", "problem"),
    [
        ("key", 20, -1, "key 20: lies outside the clip, which has the frames 0..19"),
        ("frame", 99, 1, "frame 99: lies outside the clip, which has the frames 0..19"),
        ("key", 3, 7, "key 3: track 7: the clip has no such track; it has 0, 1"),
    ],
)
def test_what_lies_outside_the_clip_is_refused(work, place, at, track, problem):
    entries = entries_of(place, at, {"erode": 1}, track=track)
    with pytest.raises(ConfigError) as caught:
        book(work).change(lambda line: line.put(entries), "set")
    assert str(caught.value) == problem
    assert book(work).position == 0
    assert not book(work).path.exists()


def test_a_file_with_keys_outside_the_clip_is_refused_and_stays_as_it_is(work):
    line = put(book(work), 3, erode=12)
    path = book(work).path
    path.write_text("[[key]]\nat = 50\nerode = 1\nblur = 3\n")
    with pytest.raises(ConfigError) as caught:
        put(book(work), 4, erode=1)
    assert str(caught.value) == (
        f"{path}: key 50: lies outside the clip, which has the frames 0..19"
    )
    assert "at = 50" in path.read_text()
    path.unlink()
    assert book(work).read() == line


def test_a_file_that_is_no_text_is_refused(work):
    book(work).path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not a text file in UTF-8"):
        book(work).read()


def test_tracks_that_vanished_stray_and_block_nothing(work):
    entries = entries_of("key", 3, {"erode": 1}, track=1)
    line = book(work).change(lambda old: old.put(entries), "set")
    assert book(work).stray(line) == ()
    work.put(1, [Packet(frame=frame) for frame in frames(20, width=8, height=8)])
    assert book(work).stray(book(work).read()) == (1,)
    put(book(work), 5, blur=3)


def test_shots_and_tracks_are_known_by_the_frames_they_hold(work):
    assert [book(work).shot(frame) for frame in (0, 11, 12, 19)] == [0, 0, 12, 12]
    assert book(work).first_frame(1) == 12
    with pytest.raises(ConfigError, match=r"^shot 20: lies outside the clip"):
        book(work).shot(20)
    with pytest.raises(ConfigError, match=r"^track 2: the clip has no such track; it has 0, 1$"):
        book(work).first_frame(2)


def test_clips_of_one_name_have_files_of_their_own(work):
    other = enter(work, "b/clip.mp4", "two")
    put(book(work), 3, erode=12)
    assert book(work, other).read() == Timeline()
    put(book(work, other), 3, blur=12)
    assert book(work, other).path.name == "clip-2.keyframes.toml"
    assert [entry.option for entry in book(work).read()] == ["erode"]


def test_the_file_keeps_its_name_when_the_clip_gets_another(work):
    put(book(work), 3, erode=12)
    enter(work, "b/moved.mp4", "one")
    assert book(work).path.name == "clip.keyframes.toml"


def test_a_crash_between_file_and_database_loses_no_change(work, monkeypatch):
    put(book(work), 3, erode=12)

    def crash(*words):
        raise KeyboardInterrupt

    monkeypatch.setattr("mien.workspace.history.History.put", crash)
    with pytest.raises(KeyboardInterrupt):
        put(book(work), 5, erode=4)
    monkeypatch.undo()
    assert [entry.at for entry in book(work).read()] == [3, 5]


def test_a_plugin_whose_options_changed_can_be_put_right_in_the_file(work, monkeypatch):
    put(book(work), 3, erode=20)
    monkeypatch.setattr("mien.keyframes.timeline.MERGE.checked", _only_small, raising=False)
    with pytest.raises(ConfigError, match=r"clip\.keyframes\.toml, line 6: key\.erode: too large"):
        book(work).read()
    path = book(work).path
    path.write_text("[[key]]\nat = 3\nerode = 2\n")
    assert [entry.value for entry in book(work).read()] == [2]


def _only_small(name, value):
    if value > 9:
        raise ValueError("too large")
    return value
