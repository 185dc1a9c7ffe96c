"""``sessions.jsonl``: one line for each run of a training, with what it did and how fast.

``{"session": 2, "start": "2026-03-01T10:00:00+00:00", "end": ..., "ended": "iterations", "first":
1201, "last": 4000, "iterations": 2800, "seconds": 912.4, "faces": 89600, "faces_per_second": 98.2,
"losses": {...}, "figures": {...}, "verdict": "...", "settings": {...}}``
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...atomic import write_whole


class Sessions:
    """The runs of a model; the line of the one in progress is renewed at every save."""

    def __init__(self, path: Path, iteration: int, settings: Mapping[str, Any]) -> None:
        """Begin a session after `iteration`; one that says it is running was cut off."""
        self._path = path
        self._before = list(read_sessions(path))
        for line in self._before:
            if line.get("ended") == "running":
                line["ended"] = "cut off"
        number = max((int(line.get("session", 0)) for line in self._before), default=0) + 1
        self._first = iteration + 1
        self._line: dict[str, Any] = {
            "session": number,
            "start": _now(),
            "settings": dict(settings),
        }
        self._faces, self._seconds = 0, 0.0

    def step(self, faces: int, seconds: float) -> None:
        """Count one iteration; `seconds` of learning, without previews and saves."""
        self._faces += faces
        self._seconds += seconds

    def write(self, ended: str, iteration: int, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Renew this session's line, and return it.

        ended  `running`, or why it is over;  facts  losses, figures and whatever else is known
        """
        pace = self._faces / self._seconds if self._seconds else 0.0
        line = {
            **{key: self._line[key] for key in ("session", "start")},
            "end": _now(),
            "ended": ended,
            "first": self._first,
            "last": iteration,
            "iterations": max(0, iteration - self._first + 1),
            "seconds": round(self._seconds, 2),
            "faces": self._faces,
            "faces_per_second": round(pace, 2),
            **facts,
            "settings": self._line["settings"],
        }
        if line["iterations"]:
            lines = [*self._before, line]
            text = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in lines)
            write_whole(self._path, text.encode())
        return line


def read_sessions(path: Path) -> list[dict[str, Any]]:
    """The sessions of a model, oldest first; a line that is damaged is left out."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    found = []
    for line in text.splitlines():
        try:
            content = json.loads(line)
        except ValueError:
            continue
        if isinstance(content, dict):
            found.append(content)
    return found


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
