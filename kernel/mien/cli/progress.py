"""Draws the events of a job: a panel on a terminal, plain lines in a log, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from time import monotonic
from typing import Any, Literal, TextIO

from ..jobs import Events

Style = Literal["auto", "bar", "plain", "json", "none"]
STYLES: tuple[Style, ...] = ("auto", "bar", "plain", "json", "none")

PLAIN_SECONDS = 10.0
JSON_SECONDS = 0.5
SHOWN_NOTES = 3


def make_events(style: Style, stream: TextIO | None = None) -> Events:
    """The drawer for `--progress`; `auto` is a bar on a terminal and plain lines elsewhere."""
    out = stream or sys.stderr
    if style == "auto":
        style = "bar" if out.isatty() else "plain"
    if style == "bar":
        return Bar(out)
    if style == "json":
        return JsonLines(out)
    return Plain(out, quiet=style == "none")


class _Clock:
    """Rate and remaining time of the work that was started."""

    def __init__(self) -> None:
        self.label, self.total, self.unit = "", 0, ""
        self.began = self.said = monotonic()
        self.first = -1

    def start(self, label: str, total: int, unit: str) -> None:
        self.label, self.total, self.unit = label, total, unit
        self.began = self.said = monotonic()
        self.first = -1

    def rate(self, done: int) -> float:
        """Units a second, counted from the first: loading the nets is no work done."""
        if self.first < 0:
            self.first, self.began = done, monotonic()
        passed = monotonic() - self.began
        return (done - self.first) / passed if passed > 0 else 0.0

    def left(self, done: int) -> float:
        """Seconds to go; -1 where nobody knows."""
        rate = self.rate(done)
        return (self.total - done) / rate if self.total and rate > 0 else -1.0

    def due(self, seconds: float) -> bool:
        if monotonic() - self.said < seconds:
            return False
        self.said = monotonic()
        return True


class Plain:
    """A line every few seconds; notes at once."""

    def __init__(self, stream: TextIO, *, quiet: bool = False) -> None:
        self._stream, self._quiet = stream, quiet
        self._clock = _Clock()
        self._done = 0
        self._facts: Mapping[str, float] = {}

    def start(self, label: str, total: int, unit: str) -> None:
        """Remember what begins."""
        self._clock.start(label, total, unit)
        self._done, self._facts = 0, {}

    def advance(self, done: int, facts: Mapping[str, float] | None = None) -> None:
        """Write a line when one is due."""
        self._done, self._facts = done, facts or {}
        self._clock.rate(done)
        if self._clock.due(PLAIN_SECONDS):
            self._line()

    def note(self, text: str) -> None:
        """Write the sentence."""
        print(f"note: {text}", file=self._stream, flush=True)

    def end(self) -> None:
        """Write the last line."""
        if self._done:
            self._line()

    def _line(self) -> None:
        if not self._quiet:
            clock, done = self._clock, self._done
            words = describe(clock.label, done, clock.total, clock.unit, clock.rate(done))
            left = clock.left(done)
            words += f", {duration(left)} left" if left > 0 else ""
            words += "".join(
                f", {label_of(name)} {figure(name, value)}" for name, value in self._facts.items()
            )
            print(words, file=self._stream, flush=True)


class JsonLines:
    """One JSON object a line: start, progress, note, end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._clock = _Clock()
        self._done = 0

    def start(self, label: str, total: int, unit: str) -> None:
        """Say what begins."""
        self._clock.start(label, total, unit)
        self._done = 0
        self._say(event="start", work=label, total=total, unit=unit)

    def advance(self, done: int, facts: Mapping[str, float] | None = None) -> None:
        """Say how far it is, twice a second."""
        self._done = done
        rate = self._clock.rate(done)
        if self._clock.due(JSON_SECONDS):
            left = self._clock.left(done)
            self._say(
                event="progress",
                work=self._clock.label,
                done=done,
                total=self._clock.total,
                rate=round(rate, 3),
                eta=round(left, 1) if left >= 0 else None,
                **({"facts": dict(facts)} if facts else {}),
            )

    def note(self, text: str) -> None:
        """Say the sentence."""
        self._say(event="note", text=text)

    def end(self) -> None:
        """Say that the work is over."""
        self._say(event="end", work=self._clock.label, done=self._done)

    def _say(self, **values: Any) -> None:
        print(json.dumps(values, ensure_ascii=False), file=self._stream, flush=True)


class Bar:
    """A bar with rate and remaining time; below it the figures and the last notes.

    All notes are written once more when the bar is gone: they are worth keeping.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._clock = _Clock()
        self._notes: list[str] = []
        self._facts: Mapping[str, float] = {}
        self._live: Any = None
        self._bar: Any = None
        self._task: Any = None

    def start(self, label: str, total: int, unit: str) -> None:
        """Draw the empty bar."""
        from rich.console import Console
        from rich.live import Live
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._clock.start(label, total, unit)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[words]}"),
            TimeElapsedColumn(),
        )
        self._task = self._bar.add_task(label, total=total or None, words="starting")
        self._facts = {}
        console = Console(file=self._stream)
        self._live = Live(get_renderable=self._drawn, console=console, refresh_per_second=4)
        self._live.start()

    def advance(self, done: int, facts: Mapping[str, float] | None = None) -> None:
        """Move the bar, renew the figures."""
        if self._bar is None:
            return
        rate, left = self._clock.rate(done), self._clock.left(done)
        words = describe("", done, self._clock.total, self._clock.unit, rate)
        words += f", {duration(left)} left" if left > 0 else ""
        self._facts = facts or {}
        self._bar.update(self._task, completed=done, words=words.lstrip(": "))

    def note(self, text: str) -> None:
        """Show the sentence below the bar, or write it where there is none."""
        self._notes.append(text)
        if self._live is None:
            self._say_notes()

    def end(self) -> None:
        """Leave the bar and the figures as they are, and write the notes."""
        told, self._notes = self._notes, []
        if self._live is not None:
            self._live.stop()
            self._live = self._bar = None
        self._notes = told
        self._say_notes()

    def _drawn(self) -> Any:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        parts: list[Any] = [self._bar]
        if self._facts:
            table = Table.grid(padding=(0, 2))
            for name, value in self._facts.items():
                table.add_row(Text(f"  {label_of(name)}"), Text(figure(name, value)))
            parts.append(table)
        parts += [Text(f"  note: {text}") for text in self._notes[-SHOWN_NOTES:]]
        return Group(*parts)

    def _say_notes(self) -> None:
        for text in self._notes:
            print(f"note: {text}", file=self._stream, flush=True)
        self._notes.clear()


def describe(label: str, done: int, total: int, unit: str, rate: float) -> str:
    """`swap: 50 of 125 frames, 23.1 a second`."""
    of = f" of {total}" if total else ""
    pace = f", {rate:.1f} a second" if rate > 0 else ""
    return f"{label}: {done}{of} {unit}{pace}"


def label_of(name: str) -> str:
    """The name of a figure without the unit that `figure` writes with its value."""
    for unit in ("seconds ", "minutes "):
        name = name.removeprefix(unit)
    return name.removesuffix(" MB")


def figure(name: str, value: float) -> str:
    """A figure in a reader's words: `1.2 GB`, `4:30`, `0.0123`."""
    for unit, seconds in (("seconds ", 1), ("minutes ", 60)):
        if name.startswith(unit):
            return duration(value * seconds)
    if name.endswith(" MB"):
        return f"{value / 1000:.1f} GB" if value >= 1000 else f"{value:.0f} MB"
    return f"{value:.4g}"


def duration(seconds: float) -> str:
    """`1:05:09`, `4:30`, `12 s`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d}"
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
