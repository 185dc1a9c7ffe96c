"""The history is a line an iteration, and survives a crash."""

from __future__ import annotations

from pathlib import Path

from mien.training.show.history import History, read_history


def test_a_line_holds_what_happened_in_its_iteration(tmp_path: Path) -> None:
    path = tmp_path / "model" / "history.jsonl"
    history = History(path, 0)
    history.note("it begins")
    history.add(1, {"source": 0.123456789}, 41.2345, 5e-5)
    history.measured({"error": 0.25})
    history.add(2, {"source": 0.1}, 40.0)
    history.flush()
    assert list(read_history(path)) == [
        {
            "iteration": 1,
            "losses": {"source": 0.123457},
            "ms": 41.23,
            "rate": 5e-5,
            "notes": ["it begins"],
            "figures": {"error": 0.25},
        },
        {"iteration": 2, "losses": {"source": 0.1}, "ms": 40.0},
    ]


def test_what_came_after_the_saved_iteration_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    history = History(path, 0)
    for iteration in range(1, 6):
        history.add(iteration, {"source": 0.1}, 1.0)
    history.flush()
    heard = list[int]()
    again = History(path, 3, lambda line: heard.append(line["iteration"]))
    again.add(4, {"source": 0.5}, 1.0)
    again.flush()
    assert heard == [1, 2, 3]
    assert [line["losses"]["source"] for line in read_history(path)] == [0.1, 0.1, 0.1, 0.5]


def test_a_line_that_was_cut_off_ends_the_history(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    good = '{"iteration": 1, "losses": {}, "ms": 1}\n'
    for bad in (
        '{"iteration": 2, "losses": {}',
        "[3]\n",
        '{"iteration": "2"}\n',
        '{"losses": {}}\n',
    ):
        path.write_text(good + bad + good)
        assert [line["iteration"] for line in read_history(path)] == [1]


def test_figures_without_an_iteration_are_not_kept(tmp_path: Path) -> None:
    history = History(tmp_path / "history.jsonl", 0)
    history.measured({"error": 1.0})
    history.flush()
    assert list(read_history(tmp_path / "history.jsonl")) == []
