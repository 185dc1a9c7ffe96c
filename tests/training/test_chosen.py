"""Faces that are shown or held out stay the same while a training goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mien.errors import ConfigError
from mien.training.options_show import ShowOptions
from mien.training.show.chosen import choose_faces, count_held_out, spread, spread_inside

FACES = Path("faces")


def names(count: int, start: int = 0) -> list[str]:
    return [f"{number:05d}.png" for number in range(start, start + count)]


@pytest.mark.parametrize(
    ("count", "rule", "wanted"),
    [
        *((99, 0.5, 0), (100, 0.03, 3), (1000, 0.03, 30), (10_000, 0.03, 64), (500, 0.0, 0)),
        *((10, 5, 5), (10, 1, 1), (2, 1, 1)),
    ],
)
def test_a_share_is_for_large_facesets_and_a_number_is_a_number(
    count: int, rule: float, wanted: int
) -> None:
    assert count_held_out(count, rule, FACES) == wanted


def test_more_held_out_than_learned_is_refused() -> None:
    with pytest.raises(ConfigError) as error:
        count_held_out(10, 6, FACES)
    assert str(error.value) == (
        "train.held_out: 6 faces are to be held out, but faceset 'faces' holds 10; take at most 5, "
        "or 0 for none"
    )


@given(st.integers(1, 5000), st.integers(1, 200))
def test_places_are_different_and_spread(count: int, wanted: int) -> None:
    shown = spread(count, wanted)
    assert shown == sorted(set(shown))
    assert len(shown) == min(count, wanted)
    if wanted <= count:
        inside = spread_inside(count, wanted)
        assert inside == sorted(set(inside))
        assert inside[0] >= 0
        assert inside[-1] < count


def test_held_out_faces_are_not_learned_from(tmp_path: Path) -> None:
    chosen, note = choose_faces(tmp_path, FACES, names(200), ShowOptions(held_out=0.05))
    assert len(chosen.held_out) == 10
    assert sorted((*chosen.held_out, *chosen.learned)) == list(range(200))
    assert len(chosen.shown) == 6
    assert not note


def test_the_choice_stays_with_its_faces_when_the_faceset_grows(tmp_path: Path) -> None:
    options = ShowOptions(held_out=0.05)
    first, _ = choose_faces(tmp_path, FACES, names(200, 50), options)
    grown = names(400)
    again, note = choose_faces(tmp_path, FACES, grown, options)
    assert [grown[place] for place in again.held_out] == [
        names(200, 50)[place] for place in first.held_out
    ]
    assert [grown[place] for place in again.shown] == [
        names(200, 50)[place] for place in first.shown
    ]
    assert not note


def test_another_choice_is_said(tmp_path: Path) -> None:
    choose_faces(tmp_path, FACES, names(200), ShowOptions(held_out=0.05))
    chosen, note = choose_faces(tmp_path, FACES, names(200), ShowOptions(held_out=0.1))
    assert len(chosen.held_out) == 20
    assert note.startswith("faceset 'faces': other faces are held out now")
    _, note = choose_faces(tmp_path, FACES, names(200), ShowOptions(held_out=0.1))
    assert not note


def test_other_rows_are_chosen_where_more_are_asked_for_or_some_are_gone(tmp_path: Path) -> None:
    choose_faces(tmp_path, FACES, names(50), ShowOptions())
    more, _ = choose_faces(tmp_path, FACES, names(50), ShowOptions(preview_rows=8))
    assert len(more.shown) == 8
    fewer, _ = choose_faces(tmp_path, FACES, names(5), ShowOptions(preview_rows=8))
    assert fewer.shown == (0, 1, 2, 3, 4)


def test_faces_are_held_out_anew_where_most_of_them_are_gone(tmp_path: Path) -> None:
    options = ShowOptions(held_out=0.05)
    choose_faces(tmp_path, FACES, names(200), options)
    chosen, note = choose_faces(tmp_path, FACES, names(200, 1000), options)
    assert len(chosen.held_out) == 10
    assert "other faces are held out now" in note


def test_facesets_are_kept_apart(tmp_path: Path) -> None:
    for side in ("one", "other"):
        choose_faces(tmp_path, Path(side), names(200), ShowOptions())
    assert list(json.loads((tmp_path / "faces.json").read_text())) == ["one", "other"]


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"faces": 3}', '{"faces": {"shown": 1}}'])
def test_a_damaged_choice_is_made_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "faces.json").write_text(text)
    chosen, note = choose_faces(tmp_path, FACES, names(200), ShowOptions())
    assert len(chosen.held_out) == 6
    assert not note


def test_a_process_that_only_helps_writes_nothing(tmp_path: Path) -> None:
    choose_faces(tmp_path, FACES, names(200), ShowOptions(), keep=False)
    assert not list(tmp_path.iterdir())
