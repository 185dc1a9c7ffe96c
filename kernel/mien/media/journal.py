"""What is finished in a folder that is being filled with pictures, so that another run can go on.

The journal is the folder's mark, too: a folder that has one may be thrown away, one that has none
is a user's own.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..atomic import reason
from ..errors import OutputError

NAME = ".mien-partial"
ANEW = "input, settings or versions have changed: the render begins anew"


class Journal:
    """A line for every frame whose files are whole on the disk."""

    def __init__(self, folder: Path, work: str = "") -> None:
        """Take the folder up where it was left, or make it anew.

        work  names what makes the pictures; what another work left is thrown away, and where it is
              empty, everything
        Raises OutputError where the folder holds other files or cannot be made.
        """
        self.folder, self._path = folder, folder / NAME
        self.lines: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self._prepare(work)
        try:
            folder.mkdir(exist_ok=True)
            with self._path.open("w", encoding="utf-8") as file:
                file.writelines(json.dumps(line) + "\n" for line in [{"work": work}, *self.lines])
        except OSError as err:
            raise OutputError(f"{folder}: cannot be made ({reason(err)})") from err

    @property
    def resumes_at(self) -> int:
        """The index of the first frame that is not finished."""
        return self.lines[-1]["frame"] + 1 if self.lines else 0

    def add(
        self, frame: int, files: Sequence[tuple[str, bytes]], facts: Mapping[str, Any] | None = None
    ) -> None:
        """Store the files of a frame, by name, and remember them with the facts.

        Raises OutputError where the disk is full; the frame's files are gone then.
        """
        try:
            for name, data in files:
                self._store(name, data)
            sizes = {name: len(data) for name, data in files}
            line = {"frame": frame, "files": sizes, **(facts or {})}
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as err:
            for name, _ in files:
                (self.folder / name).unlink(missing_ok=True)
            kept = "; the pictures before it are kept" if self.lines else ""
            raise OutputError(
                f"{self.folder / files[0][0] if files else self._path}: frame {frame} cannot be "
                f"written ({reason(err)}){kept}"
            ) from err
        self.lines.append(line)

    def remove(self) -> None:
        """Take the journal away: the folder is finished."""
        self._path.unlink(missing_ok=True)

    def throw_away(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _store(self, name: str, data: bytes) -> None:
        """A file that has its name only when it is whole, even after a power cut."""
        beside = self.folder / f".{name}"
        try:
            with beside.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.folder / name)
        finally:
            beside.unlink(missing_ok=True)

    def _prepare(self, work: str) -> None:
        if not self.folder.exists():
            return
        if not self._path.is_file():
            raise OutputError(
                f"{self.folder}: is needed for the unfinished pictures, but holds other files; "
                "move them away"
            )
        head, *lines = _read(self._path) or [{}]
        if work and head.get("work") == work:
            self.lines = self._whole(lines)
            self._remove_others()
            return
        if work and head.get("work"):
            self.notes.append(ANEW)
        shutil.rmtree(self.folder)

    def _whole(self, lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The lines of the frames that follow each other from the first, with all their files."""
        kept: list[dict[str, Any]] = []
        for line in lines:
            if line.get("frame") != len(kept) or not all(
                _size(self.folder / name) == size for name, size in line["files"].items()
            ):
                break
            kept.append(line)
        return kept

    def _remove_others(self) -> None:
        known = {NAME, *(name for line in self.lines for name in line["files"])}
        for path in self.folder.iterdir():
            if path.name not in known and path.is_file():
                path.unlink()


def _read(path: Path) -> list[dict[str, Any]]:
    """The lines up to the first that is damaged: the last one may have been cut off."""
    lines = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            break
        if not isinstance(line, dict):
            break
        lines.append(line)
    return lines


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
