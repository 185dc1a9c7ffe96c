"""One pass measures a set; what was measured is never decoded again; damage is told, not fatal."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from mien.curation import ALL, Group, compare, draw_coverage, measure_faces
from mien.curation.coverage import _nearest
from mien.curation.store import NAME, Measures, cache_path, follow
from mien.curation.table import columns_of
from mien.errors import InputError, StoppedError
from mien.faceset import Faceset

from .conftest import write_one


class Counting:
    """A store that counts what is read of it."""

    def __init__(self, store):
        self._store, self.decoded, self.headers = store, 0, 0
        self.paths = store.paths

    def record(self, path):
        self.headers += 1
        return self._store.record(path)

    def read(self, path):
        self.decoded += 1
        return self._store.read(path)


def counted(folder):
    return Faceset(folder, Counting(Faceset(folder).store))


def test_a_second_pass_reads_nothing(faces):
    folder = faces(3)
    first = measure_faces(counted(folder), ALL)
    again = counted(folder)
    second = measure_faces(again, ALL)
    assert (again.store.decoded, again.store.headers) == (0, 0)
    assert first.paths == second.paths
    assert first.origins == second.origins
    for name in columns_of(ALL):
        np.testing.assert_array_equal(first[name], second[name])


def test_what_stands_in_the_record_decodes_nothing(faces):
    faceset = counted(faces(3))
    table = measure_faces(faceset, Group.RECORD)
    assert (faceset.store.decoded, faceset.store.headers) == (0, 3)
    assert np.all(np.diff(table["yaw"]) != 0)


def test_a_later_question_measures_only_what_is_lacking(faces):
    folder = faces(3)
    measure_faces(counted(folder), Group.PICTURE)
    more = counted(folder)
    table = measure_faces(more, ALL)
    assert more.store.decoded == 3
    assert set(table.values) == set(columns_of(ALL))
    last = counted(folder)
    measure_faces(last, Group.PICTURE)
    assert last.store.decoded == 0


def test_a_changed_and_a_new_picture_are_measured_again(faces):
    folder = faces(3)
    before = measure_faces(counted(folder), Group.PICTURE)
    write_one(folder, "face 001", 99)
    write_one(folder, "face 003", 98)
    faceset = counted(folder)
    after = measure_faces(faceset, Group.PICTURE)
    assert faceset.store.decoded == 2
    assert after["brightness"][0] == before["brightness"][0]
    assert after["brightness"][1] != before["brightness"][1]


@pytest.mark.parametrize("data", [b"", b"no archive", None])
def test_a_damaged_cache_is_made_anew(faces, data):
    folder = faces(2)
    measure_faces(counted(folder), Group.PICTURE)
    place = cache_path(folder)
    place.write_bytes(place.read_bytes()[:-600] if data is None else data)
    faceset = counted(folder)
    measure_faces(faceset, Group.PICTURE)
    assert faceset.store.decoded == 2
    assert Measures.load(place).rows


def test_a_cache_with_a_column_of_another_shape_is_made_anew(faces):
    folder = faces(2)
    measure_faces(counted(folder), Group.PICTURE)
    known = Measures.load(cache_path(folder))
    known.columns["hue"] = np.zeros((2, 9))
    known.save(cache_path(folder))
    assert not Measures.load(cache_path(folder)).rows


def test_a_broken_and_a_vanished_picture_are_noted(faces):
    folder = faces(4)
    whole = (folder / "face 001.jpg").read_bytes()
    (folder / "face 001.jpg").write_bytes(whole[: len(whole) // 2])
    faceset = counted(folder)
    (folder / "face 002.jpg").unlink()
    table = measure_faces(faceset, ALL)
    assert [path.name for path in table.paths] == ["face 000.jpg", "face 003.jpg"]
    assert any("face 001" in note and "breaks off" in note for note in faceset.notes)
    assert any("face 002" in note and "no longer there" in note for note in faceset.notes)


def test_a_set_without_any_readable_face_says_why(faces):
    folder = faces(1)
    (folder / "face 000.jpg").write_bytes(b"\xff\xd8 nothing")
    with pytest.raises(InputError, match="holds no readable face; the first: face"):
        measure_faces(counted(folder), ALL)


def test_a_stopped_pass_keeps_what_it_measured(faces, monkeypatch):
    monkeypatch.setattr("mien.curation.cached._AT_ONCE", 2)
    folder, cancel = faces(4), threading.Event()
    with pytest.raises(StoppedError, match="stopped after 2 of 4 faces; run it again"):
        measure_faces(
            counted(folder),
            Group.PICTURE,
            cancel=cancel,
            advance=lambda done: cancel.set() if done == 2 else None,
        )
    faceset = counted(folder)
    measure_faces(faceset, Group.PICTURE)
    assert faceset.store.decoded == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_set_is_remembered_elsewhere(faces, tmp_path):
    folder = faces(2)
    folder.chmod(0o500)
    try:
        measure_faces(counted(folder), Group.PICTURE, elsewhere=tmp_path / "cache")
        again = counted(folder)
        measure_faces(again, Group.PICTURE, elsewhere=tmp_path / "cache")
    finally:
        folder.chmod(0o700)
    assert again.store.decoded == 0


def test_a_cache_that_cannot_lie_in_the_set_lies_elsewhere(faces, tmp_path):
    folder = faces(2)
    (folder / NAME).mkdir()
    for decoded in (2, 0):
        faceset = counted(folder)
        measure_faces(faceset, Group.PICTURE, elsewhere=tmp_path / "cache")
        assert faceset.store.decoded == decoded


def test_names_of_all_kinds_are_measured(tmp_path):
    names = ["größe ü 1", "名前", "x" * 200, "a b  c", "-dash"]
    for number, name in enumerate(names):
        write_one(tmp_path / "set", name, number)
    table = measure_faces(Faceset(tmp_path / "set"), ALL)
    assert {path.stem for path in table.paths} == set(names)
    assert len(measure_faces(Faceset(tmp_path / "set"), ALL)) == 5


def test_measurements_follow_what_they_measure(tmp_path):
    write_one(tmp_path / "set", "0", 1, yaw=0.5)
    write_one(tmp_path / "set", "1", 1, yaw=-0.5, blur=6.0)
    write_one(tmp_path / "set", "2", 1, light=0.4, gap=12.0)
    table = measure_faces(Faceset(tmp_path / "set"), ALL)
    assert table["yaw"][0] * table["yaw"][1] < 0
    for name in ("sharpness", "motion-blur", "blur-fft"):
        assert table[name][0] > table[name][1], name
    assert table["brightness"][2] < 0.6 * table["brightness"][0]
    assert table["light"][2] < 0.6 * table["light"][0]
    assert table["mouth"][2] > table["mouth"][0] + 0.1
    assert table.origins == ("clip one_000001",) * 3


def test_sixteen_bits_are_measured_as_eight(tmp_path):
    path = write_one(tmp_path / "set", "0", 1)
    from mien.curation import measure
    from mien.faceset import read_face

    image, record = read_face(path)
    deep = image.astype(np.uint16) * 257
    one, other = measure(image, record, ALL), measure(deep, record, ALL)
    for name in columns_of(ALL):
        np.testing.assert_array_equal(one[name], other[name])


def test_coverage_names_what_is_missing(tmp_path):
    for number, yaw in enumerate(np.linspace(-0.2, 0.2, 8)):
        write_one(tmp_path / "source", f"{number}", 1, yaw=float(yaw))
        write_one(tmp_path / "target", f"{number}", 1, yaw=float(yaw))
    write_one(tmp_path / "target", "far", 1, yaw=1.0)
    shutil.copy(tmp_path / "source" / "3.jpg", tmp_path / "source" / "3 again.jpg")
    ours, theirs = (measure_faces(Faceset(tmp_path / name), ALL) for name in ("source", "target"))
    found = compare(ours, theirs)
    worst = found.worst()
    assert [theirs.paths[row].stem for row in worst] == ["far"]
    assert found.reasons[worst[0]] in ("more to the left", "more to the right")
    assert found.covered == pytest.approx(8 / 9)
    assert found.uncovered == pytest.approx(1 / 9)
    assert (found.repeats >= 0).sum() >= 1
    yaw = next(line for line in found.lines if line.name == "yaw")
    assert yaw.missing == pytest.approx(1 / 9)
    assert draw_coverage(found, ours, theirs).dtype == np.uint8


def test_a_set_covers_itself(faces):
    table = measure_faces(Faceset(faces(5)), ALL)
    found = compare(table, table)
    assert found.covered == 1
    assert found.away == pytest.approx(np.zeros(5), abs=1e-6)
    assert not found.unused.any()


def test_the_cache_of_a_packed_file_lies_beside_it(tmp_path):
    place = tmp_path / "faceset.pak"
    place.write_bytes(b"")
    assert cache_path(place) == Path(tmp_path / f".faceset.pak{NAME}")


def test_only_the_columns_that_are_wanted_are_loaded(faces):
    folder = faces(3)
    for _ in range(2):
        table = measure_faces(Faceset(folder), ALL, columns=("yaw", "hash"))
        assert set(table.values) == {"yaw", "hash"}
    assert set(measure_faces(Faceset(folder), ALL).values) == set(columns_of(ALL))


@pytest.mark.parametrize("spread", [0.01, 0.4, 30.0])
def test_the_nearest_is_the_nearest_of_all(spread):
    rng = np.random.default_rng(0)
    rows, among = rng.normal(0, spread, (200, 6)), rng.normal(0, spread, (150, 6))
    among[:20] = rows[:20]
    places, away = _nearest(rows, among)
    every = np.linalg.norm(rows[:, None] - among[None], axis=2)
    np.testing.assert_array_equal(places, every.argmin(axis=1))
    assert away == pytest.approx(every.min(axis=1))


def test_measurements_follow_their_pictures_without_being_read(faces):
    folder = faces(3)
    before = measure_faces(Faceset(folder), ALL)
    (folder / "face 001.jpg").rename(folder / "x.jpg")
    follow(folder, {"face 001.jpg": "x.jpg"})
    known = Measures.load(cache_path(folder))
    assert [name for name, _, _ in known.rows] == ["face 000.jpg", "x.jpg", "face 002.jpg"]
    for name, values in known.columns.items():
        np.testing.assert_array_equal(values, before[name])


@pytest.mark.parametrize("size", [0, 40, 2000])
def test_a_damaged_file_of_measurements_stays_where_pictures_move(faces, size):
    folder = faces(2)
    measure_faces(Faceset(folder), ALL)
    damaged = cache_path(folder).read_bytes()[:size]
    cache_path(folder).write_bytes(damaged)
    follow(folder, {"face 001.jpg": "x.jpg"})
    assert cache_path(folder).read_bytes() == damaged
    assert [path.name for path in folder.glob(".*")] == [NAME]
