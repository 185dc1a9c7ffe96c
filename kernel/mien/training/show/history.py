"""``history.jsonl``: one line an iteration, ``{"iteration": 7, "losses": {...}, "ms": 41.2}``.

A line also holds `figures` where the held-out faces were measured, `rate` where the learning rate
changed, and `notes` where something was said.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ...atomic import reason
from ...errors import OutputError


class History:
    """The losses so far; lines are appended in blocks and survive a crash up to the last one."""

    def __init__(
        self, path: Path, last: int, each: Callable[[Mapping[str, Any]], None] = lambda line: None
    ) -> None:
        """Open, and drop what was learned after iteration `last`, the one training goes on from.

        each  gets every line that is kept
        """
        self._path = path
        self._waiting: list[dict[str, Any]] = []
        self._notes: list[str] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a+b") as stream:
                stream.truncate(_end_of(path, last, each))
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({reason(error)})") from error

    def add(
        self, iteration: int, losses: Mapping[str, float], ms: float, rate: float | None = None
    ) -> Mapping[str, Any]:
        """Note one iteration, and return its line; `rate` where it is another than before."""
        line: dict[str, Any] = {
            "iteration": iteration,
            "losses": _rounded(losses),
            "ms": round(ms, 2),
        }
        if rate is not None:
            line["rate"] = float(f"{rate:.6g}")
        if self._notes:
            line["notes"], self._notes = self._notes, []
        self._waiting.append(line)
        return line

    def measured(self, figures: Mapping[str, float]) -> None:
        """Put figures into the line of the iteration that was noted last."""
        if self._waiting:
            self._waiting[-1]["figures"] = _rounded(figures)

    def note(self, text: str) -> None:
        """Put a sentence into the line of the next iteration."""
        self._notes.append(text)

    def flush(self) -> None:
        """Write what waits.  Raises OutputError where the disk is full."""
        try:
            with self._path.open("a", encoding="utf-8") as stream:
                stream.writelines(json.dumps(line) + "\n" for line in self._waiting)
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written ({reason(error)})") from error
        self._waiting.clear()


def read_history(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a history; the last one is left out if a crash cut it off."""
    for _, line in _lines(path):
        yield line


def _end_of(path: Path, last: int, each: Callable[[Mapping[str, Any]], None]) -> int:
    """Where in the file the line of iteration `last` ends."""
    end = 0
    for after, line in _lines(path):
        if line["iteration"] > last:
            break
        end = after
        each(line)
    return end


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(offset of its end, content) of every whole line."""
    end = 0
    with path.open("rb") as stream:
        for line in stream:
            end += len(line)
            try:
                content = json.loads(line)
            except ValueError:
                return
            if not line.endswith(b"\n") or not _is_line(content):
                return
            yield end, content


def _is_line(content: Any) -> bool:
    return (
        isinstance(content, dict)
        and type(content.get("iteration")) is int
        and isinstance(content.get("losses"), dict)
    )


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.6g}") for name, value in values.items()}
