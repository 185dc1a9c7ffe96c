"""Pictures get new names, all of them or, after a break, on the next call; nothing is lost."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from mien.curation.moving import (
    Move,
    apply,
    back,
    finish,
    from_trash,
    into_groups,
    numbered,
    original_names,
    to_trash,
    trash_folder,
)
from mien.errors import InputError, OutputError


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "set ü"
    made.mkdir()
    for name in ("b.jpg", "a.jpg", "00001.jpg", "c.png"):
        (made / name).write_text(name)
    return made


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name[0] != "."
    }


def test_numbers_are_given_and_names_come_back(folder):
    before = contents(folder)
    order = [folder / name for name in ("c.png", "a.jpg", "00001.jpg", "b.jpg")]
    apply(folder, numbered(order, folder))
    assert contents(folder) == {
        "00000.png": "c.png",
        "00001.jpg": "a.jpg",
        "00002.jpg": "00001.jpg",
        "00003.jpg": "b.jpg",
    }
    again = [folder / name for name in ("00003.jpg", "00000.png", "00002.jpg", "00001.jpg")]
    apply(folder, numbered(again, folder))
    apply(folder, back(folder))
    assert contents(folder) == before
    assert original_names(folder) == {}


def test_groups_and_the_way_back(folder):
    before = contents(folder)
    groups = [[folder / "a.jpg"], [], [folder / "c.png", folder / "b.jpg"]]
    apply(folder, into_groups(groups, folder, "blur"))
    assert set(contents(folder)) == {
        "00001.jpg",
        "blur_000/00000.jpg",
        "blur_002/00000.png",
        "blur_002/00001.jpg",
    }
    apply(folder, back(folder))
    assert contents(folder) == before
    assert not (folder / "blur_000").exists()


def test_the_trash_is_never_written_over(folder):
    trash = trash_folder(folder)
    trash.mkdir()
    (trash / "a.jpg").write_text("older")
    apply(folder, to_trash([folder / "a.jpg"], folder))
    assert contents(trash) == {"a.jpg": "older", "a-2.jpg": "a.jpg"}


def test_a_name_that_stays_is_not_taken(folder):
    apply(folder, [Move("a.jpg", "b.jpg")])
    assert contents(folder) == {
        "b.jpg": "b.jpg",
        "b-2.jpg": "a.jpg",
        "00001.jpg": "00001.jpg",
        "c.png": "c.png",
    }


def broken_off(folder, step, done):
    """The state that a break leaves in the middle of a step."""
    moves = [("a.jpg", "b.jpg"), ("b.jpg", "a.jpg")]
    stored = {"step": step, "moves": moves, "names": {"b.jpg": "a.jpg", "a.jpg": "b.jpg"}}
    (folder / ".mien-moves.json").write_text(json.dumps(stored))
    for number, (now, _) in enumerate(moves):
        between = folder / f".mien-move-{number:06d}"
        if step == 2 or number < done:
            (folder / now).rename(between)
    if step == 2:
        for number, (_, then) in enumerate(moves[:done]):
            (folder / f".mien-move-{number:06d}").rename(folder / then)


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("done", [0, 1, 2])
def test_moves_that_were_broken_off_are_finished(folder, step, done):
    broken_off(folder, step, done)
    assert finish(folder)
    assert contents(folder) == {
        "a.jpg": "b.jpg",
        "b.jpg": "a.jpg",
        "00001.jpg": "00001.jpg",
        "c.png": "c.png",
    }
    assert original_names(folder) == {"b.jpg": "a.jpg", "a.jpg": "b.jpg"}
    assert not finish(folder)


@pytest.mark.parametrize("place", ["../outside.jpg", "/etc/x", "..", "a/../../b.jpg", "a\\b"])
def test_a_note_about_other_places_is_refused(folder, place):
    stored = {"step": 1, "moves": [("a.jpg", place)], "names": {}}
    (folder / ".mien-moves.json").write_text(json.dumps(stored))
    with pytest.raises(InputError, match="names places outside of the faceset"):
        finish(folder)
    assert (folder / "a.jpg").exists()


@pytest.mark.parametrize("text", ["", "[]", '{"step": 1}', "[" * 100000])
def test_a_damaged_note_is_told(folder, text):
    (folder / ".mien-moves.json").write_text(text)
    with pytest.raises(InputError, match="cannot be understood"):
        finish(folder)


@pytest.mark.parametrize("text", ["", "[]", '{"a.jpg": "../x"}', '{"a.jpg": 3}'])
def test_damaged_names_lead_nowhere(folder, text):
    (folder / ".mien-names.json").write_text(text)
    assert all(".." not in move.then for move in back(folder))


def test_a_picture_that_lies_elsewhere_cannot_be_moved(folder, tmp_path):
    with pytest.raises(OutputError, match="unpack the set first"):
        numbered([tmp_path / "x.jpg"], folder)


@pytest.fixture
def drawn(folder):
    (folder / "labels").mkdir()
    for name in ("b.jpg", "c.png"):
        (folder / "labels" / f"{name}.json").write_text(f"on {name}")
    (folder / "a.json").write_text("of LabelMe on a.jpg")
    return folder


def test_drawings_go_where_their_pictures_go_and_come_back(drawn):
    before = contents(drawn)
    order = [drawn / name for name in ("c.png", "a.jpg", "00001.jpg", "b.jpg")]
    apply(drawn, numbered(order, drawn))
    assert contents(drawn) == {
        "00000.png": "c.png",
        "00001.json": "of LabelMe on a.jpg",
        "00001.jpg": "a.jpg",
        "00002.jpg": "00001.jpg",
        "00003.jpg": "b.jpg",
        "labels/00000.png.json": "on c.png",
        "labels/00003.jpg.json": "on b.jpg",
    }
    apply(drawn, back(drawn))
    assert contents(drawn) == before
    assert original_names(drawn) == {}


def test_drawings_go_into_groups_and_into_the_trash(drawn):
    before = contents(drawn)
    groups = [[drawn / "b.jpg"], [drawn / "a.jpg"]]
    apply(drawn, [*into_groups(groups, drawn, "hue"), *to_trash([drawn / "c.png"], drawn)])
    assert set(contents(drawn)) == {
        "00001.jpg",
        "hue_000/00000.jpg",
        "hue_000/labels/00000.jpg.json",
        "hue_001/00000.jpg",
        "hue_001/00000.json",
    }
    assert contents(trash_folder(drawn)) == {"c.png": "c.png", "labels/c.png.json": "on c.png"}
    apply(drawn, back(drawn))
    assert contents(drawn).items() < before.items()
    assert not (drawn / "hue_000").exists()


def test_a_drawing_that_nobody_owns_is_not_written_over(drawn):
    (drawn / "labels" / "00000.jpg.json").write_text("a lost one")
    apply(drawn, [Move("b.jpg", "00000.jpg")])
    found = contents(drawn)
    assert found["labels/00000.jpg.json"] == "a lost one"
    assert found["00000-2.jpg"] == "b.jpg"
    assert found["labels/00000-2.jpg.json"] == "on b.jpg"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_set_is_left_alone_and_the_way_out_told(folder):
    folder.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="copy the set with 'mien faces merge"):
            apply(folder, [Move("a.jpg", "z.jpg")])
    finally:
        folder.chmod(0o700)
    assert (folder / "a.jpg").exists()


def test_names_that_are_no_text_are_moved_and_come_back(folder):
    (folder / os.fsdecode(b"bad\xff.jpg")).write_text("bad")
    apply(folder, [Move(os.fsdecode(b"bad\xff.jpg"), "00000.jpg")])
    assert contents(folder)["00000.jpg"] == "bad"
    apply(folder, back(folder))
    assert contents(folder)[os.fsdecode(b"bad\xff.jpg")] == "bad"


def test_the_trash_comes_back_under_the_first_names(drawn):
    before = contents(drawn)
    apply(drawn, numbered([drawn / name for name in ("b.jpg", "a.jpg", "c.png")], drawn))
    moved = {path.name for path in drawn.iterdir()}
    apply(drawn, to_trash([drawn / "00000.jpg", drawn / "00001-2.jpg"], drawn))
    trash = trash_folder(drawn)
    apply(drawn, from_trash(sorted(trash.glob("*.jpg")), drawn))
    assert not trash.exists()
    apply(drawn, back(drawn))
    assert contents(drawn) == before
    assert "00000.jpg" in moved
    assert original_names(drawn) == {}


def test_what_went_first_comes_back_beside_what_took_its_name(folder):
    apply(folder, to_trash([folder / "a.jpg"], folder))
    (folder / "a.jpg").write_text("another")
    apply(folder, from_trash([trash_folder(folder) / "a.jpg"], folder))
    assert contents(folder)["a.jpg"] == "another"
    assert contents(folder)["a-2.jpg"] == "a.jpg"
    (folder / "a.jpg").unlink()
    apply(folder, back(folder))
    assert contents(folder)["a.jpg"] == "a.jpg"


def test_names_are_given_back_without_emptying_the_trash(folder):
    apply(folder, numbered([folder / "b.jpg"], folder))
    apply(folder, to_trash([folder / "00000.jpg"], folder))
    assert back(folder) == []
    assert contents(trash_folder(folder)) == {"00000.jpg": "b.jpg"}


def test_a_trash_that_cannot_be_made_stops_all_before_it_begins(folder):
    before = contents(folder)
    trash_folder(folder).write_text("no folder")
    with pytest.raises(OutputError, match="cannot be made"):
        apply(folder, to_trash([folder / "a.jpg"], folder))
    assert contents(folder) == before
    assert not finish(folder)


def test_pictures_reach_a_trash_on_another_disk(folder, monkeypatch):
    rename = Path.rename

    def on_one_disk(self, target):
        if self.parent.resolve() != Path(target).parent.resolve():
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", on_one_disk)
    apply(folder, to_trash([folder / "a.jpg"], folder))
    assert contents(trash_folder(folder)) == {"a.jpg": "a.jpg"}
    assert "a.jpg" not in contents(folder)
    apply(folder, from_trash([trash_folder(folder) / "a.jpg"], folder))
    assert contents(folder)["a.jpg"] == "a.jpg"


@pytest.mark.parametrize("way", [".", "link"])
def test_the_trash_lies_beside_the_folder_itself(folder, tmp_path, monkeypatch, way):
    monkeypatch.chdir(folder)
    place = Path()
    if way == "link":
        place = tmp_path / "elsewhere" / "link"
        place.parent.mkdir()
        place.symlink_to(folder)
    apply(place, to_trash([place / "a.jpg"], place))
    assert trash_folder(place) == trash_folder(folder)
    assert contents(trash_folder(folder)) == {"a.jpg": "a.jpg"}
