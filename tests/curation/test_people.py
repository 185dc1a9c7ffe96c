"""People are told apart by the vectors of an embedder, whichever it is."""

from __future__ import annotations

import numpy as np
import pytest
from mien.curation import (
    METHODS,
    Embedder,
    Group,
    Table,
    by_person,
    grouped,
    likeness,
    measure_faces,
    tell_apart,
)
from mien.faceset import Faceset
from mien.stages import StageBase
from mien.types import CropSpec, FaceType

from .conftest import write_one


class Light(StageBase):
    """Tells people by how bright they are; counts what it is asked."""

    spec = CropSpec(face_type=FaceType.HALF, size=16)
    batch_size = 2

    def __init__(self):
        self.asked, self.batches, self.opened = 0, [], 0

    def open(self):
        self.opened += 1

    def close(self):
        self.opened -= 1

    def __call__(self, batch, /):
        assert self.opened == 1
        self.asked += len(batch)
        self.batches.append(len(batch))
        means = [float(crop.image.mean()) for crop in batch]
        return [np.array([1, 0] if mean > 0.3 else [0, 1], np.float32) * 3 for mean in means]


def people(rng, counts, size=32, noise=0.03):
    """Unit vectors of people with so many faces each, and whose each is."""
    middles = rng.normal(size=(len(counts), size))
    who = np.repeat(np.arange(len(counts)), counts)
    rows = middles[who] / np.linalg.norm(middles[who], axis=1, keepdims=True)
    rows = rows + rng.normal(0, noise, rows.shape)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), who


def table_of(identities):
    names = tuple(f"{number:05d}" for number in range(len(identities)))
    return Table(names, names, {"identity": identities})


def test_people_are_told_apart_the_most_frequent_first():
    rng = np.random.default_rng(0)
    rows, who = people(rng, [5, 40, 12])
    order = rng.permutation(len(rows))
    numbers, middles = tell_apart(rows[order], 0.6)
    assert middles.shape == (3, 32)
    for person, number in ((1, 0), (2, 1), (0, 2)):
        assert (numbers[who[order] == person] == number).all()


def test_a_face_of_which_nothing_is_known_is_nobody():
    rng = np.random.default_rng(1)
    rows, _ = people(rng, [3, 2])
    rows[1] = 0
    numbers, _ = tell_apart(rows, 0.6)
    assert numbers.tolist() == [0, -1, 0, 1, 1] or numbers.tolist() == [1, -1, 1, 0, 0]
    assert likeness(rows, rows[3:])[1] == 0
    order = by_person(table_of(rows), 0.6)
    assert order.kept[-1] == 1
    assert np.isnan(order.scores[1])
    assert sorted(order.kept.tolist()) == [0, 1, 2, 3, 4]


def test_nobody_at_all_is_no_group():
    numbers, middles = tell_apart(np.zeros((3, 4), np.float32), 0.6)
    assert (numbers == -1).all()
    assert len(middles) == 0
    assert by_person(table_of(np.zeros((3, 4), np.float32)), 0.6).kept.tolist() == [0, 1, 2]
    assert likeness(np.zeros((3, 1), np.float32), np.ones((2, 8), np.float32)).tolist() == [0] * 3


def test_groups_are_people_and_the_last_takes_the_others():
    rows, who = people(np.random.default_rng(2), [9, 7, 5, 3])
    order = METHODS["identity"].run(table_of(rows), 0)
    groups = grouped("identity", order, table_of(rows), 3)
    assert [sorted(set(who[group].tolist())) for group in groups] == [[0], [1], [2, 3]]
    assert [len(group) for group in grouped("identity", order, table_of(rows), 9)] == [9, 7, 5, 3]
    scores = order.scores[groups[0]]
    assert (np.diff(scores) <= 0).all()


def test_identities_are_asked_for_once(tmp_path):
    for number in range(5):
        write_one(tmp_path / "set", str(number), number, light=1.0 if number % 2 else 0.2)
    stage = Light()
    first = measure_faces(Faceset(tmp_path / "set"), Group.IDENTITY, embedder=Embedder("a", stage))
    assert first["identity"] == pytest.approx(
        np.array([[0, 1], [1, 0], [0, 1], [1, 0], [0, 1]], np.float32)
    )
    assert (stage.asked, stage.batches, stage.opened) == (5, [2, 2, 1], 0)
    measure_faces(Faceset(tmp_path / "set"), Group.PICTURE)
    again = measure_faces(Faceset(tmp_path / "set"), Group.IDENTITY, embedder=Embedder("a", stage))
    assert stage.asked == 5
    np.testing.assert_array_equal(first["identity"], again["identity"])
    other = Light()
    measure_faces(Faceset(tmp_path / "set"), Group.IDENTITY, embedder=Embedder("b", other))
    assert other.asked == 5


def test_identities_without_an_embedder_are_a_mistake_of_the_caller(tmp_path):
    write_one(tmp_path / "set", "0", 0)
    with pytest.raises(ValueError, match="need an embedder"):
        measure_faces(Faceset(tmp_path / "set"), Group.IDENTITY)
