"""Every run of a training leaves a line of statistics."""

from __future__ import annotations

from pathlib import Path

from mien.training.show.sessions import Sessions, read_sessions


def test_a_session_tells_what_it_did_and_how_fast(tmp_path: Path) -> None:
    path = tmp_path / "sessions.jsonl"
    session = Sessions(path, 200, {"batch_size": 4})
    for _ in range(10):
        session.step(8, 0.25)
    session.write("iterations", 210, {"losses": {"source": 0.1}})
    (line,) = read_sessions(path)
    assert line["end"] >= line["start"]
    known = {name: value for name, value in line.items() if name not in ("start", "end")}
    assert known == {
        "session": 1,
        "ended": "iterations",
        "first": 201,
        "last": 210,
        "iterations": 10,
        "seconds": 2.5,
        "faces": 80,
        "faces_per_second": 32.0,
        "losses": {"source": 0.1},
        "settings": {"batch_size": 4},
    }


def test_the_line_of_a_running_session_is_renewed(tmp_path: Path) -> None:
    path = tmp_path / "sessions.jsonl"
    session = Sessions(path, 0, {})
    for iteration in (1, 2):
        session.step(2, 0.1)
        session.write("running", iteration, {})
    assert [line["last"] for line in read_sessions(path)] == [2]


def test_a_session_that_was_killed_is_called_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "sessions.jsonl"
    killed = Sessions(path, 0, {})
    killed.step(2, 0.1)
    killed.write("running", 1, {})
    Sessions(path, 1, {}).write("cancelled", 5, {})
    assert [(line["session"], line["ended"]) for line in read_sessions(path)] == [
        (1, "cut off"),
        (2, "cancelled"),
    ]


def test_a_session_that_learned_nothing_leaves_no_line(tmp_path: Path) -> None:
    line = Sessions(tmp_path / "sessions.jsonl", 7, {}).write("iterations", 7, {})
    assert line["iterations"] == 0
    assert not list(tmp_path.iterdir())


def test_damaged_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "sessions.jsonl"
    path.write_text('{"session": 3, "ended": "minutes"}\n{"sess\n[1]\n')
    session = Sessions(path, 0, {})
    session.step(1, 1.0)
    assert session.write("iterations", 1, {})["session"] == 4
