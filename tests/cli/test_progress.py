"""Progress is a panel on a terminal, a line in a log, and JSON for programs."""

from __future__ import annotations

import io
import json
import re

import pytest
from mien.cli import progress
from mien.cli.progress import Bar, JsonLines, Plain, figure, label_of, make_events

FACTS = {
    "source": 0.0123456,
    "ms an iteration": 41.2,
    "memory MB": 1234.0,
    "seconds since the save": 75.0,
    "minutes left": 1.5,
}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def plain_text(stream: io.StringIO) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())


@pytest.mark.parametrize(
    ("name", "value", "label", "words"),
    [
        ("source", 0.0123456, "source", "0.01235"),
        ("memory MB", 812.4, "memory", "812 MB"),
        ("GPU memory MB", 40_100.0, "GPU memory", "40.1 GB"),
        ("seconds since the save", 75.0, "since the save", "1:15"),
        ("minutes left", 61.0, "left", "1:01:00"),
        ("ms an iteration", 0.5, "ms an iteration", "0.5"),
    ],
)
def test_figures_are_said_in_a_readers_words(
    name: str, value: float, label: str, words: str
) -> None:
    assert (label_of(name), figure(name, value)) == (label, words)


def test_the_style_is_what_the_stream_can_show() -> None:
    assert isinstance(make_events("auto", Terminal()), Bar)
    assert isinstance(make_events("auto", io.StringIO()), Plain)
    assert isinstance(make_events("json", io.StringIO()), JsonLines)


def test_the_panel_shows_figures_and_the_last_notes_and_leaves_all_notes_once() -> None:
    stream = Terminal()
    bar = Bar(stream)
    bar.start("train", 1000, "iterations")
    for number in range(5):
        bar.note(f"note {number}")
    bar.advance(10, FACTS)
    bar.end()
    text = plain_text(stream)
    last = text[text.rindex("train") :]
    for words in ("10 of 1000 iterations", "0.01235", "1.2 GB", "since the save", "1:15"):
        assert words in last
    tail = [line for line in last.splitlines() if line.startswith("note: ")]
    assert tail == [f"note: note {number}" for number in range(5)]


def test_the_panel_shows_three_notes_while_it_runs() -> None:
    bar = Bar(Terminal())
    bar.start("train", 10, "iterations")
    for number in range(5):
        bar.note(f"note {number}")
    shown = [str(part) for part in bar._drawn().renderables if "note" in str(part)]
    bar.end()
    assert shown == [f"  note: note {number}" for number in (2, 3, 4)]


def test_work_without_figures_is_one_bar() -> None:
    stream = Terminal()
    bar = Bar(stream)
    bar.start("swap", 10, "frames")
    bar.advance(5)
    bar.end()
    assert "5 of 10 frames" in plain_text(stream)
    bar.note("later")
    assert plain_text(stream).endswith("note: later\n")


def test_a_log_gets_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.0)
    stream = io.StringIO()
    events = Plain(stream)
    events.start("train", 1000, "iterations")
    events.advance(10, FACTS)
    (line,) = stream.getvalue().splitlines()
    assert line.startswith("train: 10 of 1000 iterations")
    assert line.endswith(
        "source 0.01235, ms an iteration 41.2, memory 1.2 GB, since the save 1:15, left 1:30"
    )


def test_programs_get_the_figures_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "JSON_SECONDS", 0.0)
    stream = io.StringIO()
    events = JsonLines(stream)
    events.start("train", 0, "iterations")
    events.advance(10, FACTS)
    assert json.loads(stream.getvalue().splitlines()[-1])["facts"] == FACTS
