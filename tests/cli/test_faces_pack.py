"""`mien faces pack` and `unpack`: one file for a set, and the set again."""

from __future__ import annotations

from pathlib import Path

import pytest

from .test_faces import names, write


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".mien")
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(4):
        write(tmp_path / "faces", f"f {number}", number, form="png" if number == 3 else "jpg")
    (tmp_path / "faces" / "labels").mkdir()
    (tmp_path / "faces" / "labels" / "f 1.jpg.json").write_text('{"version": 1}')
    return tmp_path / "faces"


def test_a_set_is_packed_and_unpacked_byte_by_byte(mien, folder, tmp_path):
    code, out, err = mien("faces", "pack", folder, "-o", tmp_path / "p.zip")
    assert (code, "4 faces written" in out) == (0, True), err
    code, out, err = mien("faces", "unpack", tmp_path / "p.zip", "-o", tmp_path / "back")
    assert (code, "4 faces written" in out) == (0, True), err
    assert contents(tmp_path / "back") == contents(folder)
    code, _, err = mien("faces", "unpack", tmp_path / "p.zip", "-o", tmp_path / "back")
    assert code == 0, err


def test_a_pack_is_sorted_compared_and_copied_from(mien, folder, tmp_path):
    assert mien("faces", "pack", folder, "-o", tmp_path / "p.zip")[0] == 0
    code, out, err = mien("faces", "sort", tmp_path / "p.zip", "--by", "face-source-rect-size")
    assert code == 0, err
    assert [Path(line.split("\t")[0]).stem for line in out.splitlines()] == [
        *("f 3", "f 2", "f 1", "f 0")
    ]
    code, _, err = mien("faces", "best", tmp_path / "p.zip", 2, "-o", tmp_path / "two")
    assert (code, len(names(tmp_path / "two"))) == (0, 2), err
    code, _, err = mien("faces", "coverage", tmp_path / "p.zip", folder)
    assert code == 0, err
    code, _, err = mien("faces", "sort", tmp_path / "p.zip", "--by", "blur-fft", "--rename")
    assert code != 0
    assert "unpack the set first" in err


def test_a_truncated_picture_is_packed_as_it_is(mien, folder, tmp_path):
    (folder / "f 0.jpg").write_bytes((folder / "f 0.jpg").read_bytes()[:-300])
    assert mien("faces", "pack", folder, "-o", tmp_path / "p.zip")[0] == 0
    code, _, err = mien("faces", "sort", tmp_path / "p.zip", "--by", "hue")
    assert code == 0
    assert "f 0.jpg': the picture breaks off" in err


def test_another_picture_of_the_name_is_not_written_over(mien, folder, tmp_path):
    assert mien("faces", "pack", folder, "-o", tmp_path / "p.zip")[0] == 0
    write(tmp_path / "back", "f 2", 9)
    before = contents(tmp_path / "back")
    for words in (("unpack", tmp_path / "p.zip"), ("merge", folder)):
        code, _, err = mien("faces", *words, "-o", tmp_path / "back")
        assert code == 6
        assert "f 2.jpg: is there already and is another file; name a new folder" in err
    assert contents(tmp_path / "back")["f 2.jpg"] == before["f 2.jpg"]


def test_wrong_places_are_told(mien, folder, tmp_path):
    code, _, err = mien("faces", "pack", folder, "-o", tmp_path)
    assert (code, "is a folder; name the file to write" in err) == (2, True)
    code, _, err = mien("faces", "unpack", tmp_path / "none.zip", "-o", tmp_path / "x")
    assert (code, "there is no such pack" in err) == (5, True)
    code, _, err = mien("faces", "unpack", folder / "f 0.jpg", "-o", tmp_path / "x")
    assert (code, "is no whole faceset pack" in err) == (5, True)
