"""``history.jsonl``: one line an iteration, ``{"iteration": 7, "losses": {...}, "ms": 41.2}``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import OutputError


class History:
    """The losses so far; lines are appended in blocks and survive a crash up to the last one."""

    def __init__(self, path: Path, last: int) -> None:
        """Open, and drop what was learned after iteration `last`, the one training goes on from."""
        self._path = path
        self._waiting: list[str] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a+b") as stream:
                stream.truncate(_end_of(path, last))
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({error.strerror})") from error

    def add(self, iteration: int, losses: Mapping[str, float], ms: float) -> None:
        """Note one iteration."""
        rounded = {name: float(f"{value:.6g}") for name, value in losses.items()}
        line = {"iteration": iteration, "losses": rounded, "ms": round(ms, 2)}
        self._waiting.append(json.dumps(line) + "\n")

    def flush(self) -> None:
        """Write what waits.  Raises OutputError where the disk is full."""
        try:
            with self._path.open("a", encoding="utf-8") as stream:
                stream.writelines(self._waiting)
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written ({error.strerror})") from error
        self._waiting.clear()


def read_history(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a history; the last one is left out if a crash cut it off."""
    for _, line in _lines(path):
        yield line


def _end_of(path: Path, last: int) -> int:
    """Where in the file the line of iteration `last` ends."""
    end = 0
    for after, line in _lines(path):
        if line["iteration"] > last:
            break
        end = after
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
            if not line.endswith(b"\n") or "iteration" not in content:
                return
            yield end, content
