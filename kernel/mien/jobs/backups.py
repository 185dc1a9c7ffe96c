"""Workspaces opened with care, backed up, and brought back.

Whatever changes a workspace first writes a backup beside it, with a time stamp in its name.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from ..atomic import reason
from ..errors import InputError, OutputError
from ..workspace import Workspace, WorkspaceEditor
from ..workspace.editing import check_backup
from ..workspace.store import DATABASE

BACKUPS = "backups"


@contextmanager
def opened(workspace: Path) -> Iterator[WorkspaceEditor]:
    """The workspace, closed afterwards; damage that shows only while reading is a sentence."""
    with closing(WorkspaceEditor(workspace)) as store:
        try:
            yield store
        except sqlite3.OperationalError as error:
            raise OutputError(f"{workspace}: {error}") from error
        except (sqlite3.DatabaseError, ZeroDivisionError) as error:
            raise InputError(
                f"{workspace}: its workspace.db is damaged ({error}); backups lie in "
                f"{workspace / BACKUPS}, if there are any"
            ) from error


def backup(workspace: Path) -> Path:
    """Write the whole workspace into a file of its own, named after the time.

    Raises InputError where the workspace is damaged, as then its backup is.
    """
    with opened(workspace) as store:
        path = back_up(store)
    check_backup(path)
    return path


def back_up(store: WorkspaceEditor) -> Path:
    """As `backup`, of an open workspace."""
    stamp = _stamp()
    place = store.folder / BACKUPS
    path, number = place / f"workspace-{stamp}.db", 1
    while path.exists():
        number += 1
        path = place / f"workspace-{stamp}-{number}.db"
    store.backup(path)
    return path


def backups(workspace: Path) -> list[Path]:
    """The backups of a workspace, the oldest first."""
    found = (workspace / BACKUPS).glob("workspace-*.db")
    return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name))


def restore(workspace: Path, name: str) -> tuple[Path, Path]:
    """Go back to a backup, by its file's name or path; what was there is backed up before.

    Returns what was restored, and the backup of what was there.
    """
    path = next((each for each in backups(workspace) if each.name == name), Path(name))
    if not path.is_file():
        there = ", ".join(each.name for each in backups(workspace)) or "none"
        raise InputError(f"{workspace}: has no backup '{name}' (there: {there})")
    try:
        store = WorkspaceEditor(workspace)
    except InputError:
        if not (workspace / DATABASE).is_file():
            raise
        return path, _replace_damaged(workspace, path)
    with closing(store):
        before = back_up(store)
        store.restore(path)
    return path, before


def _replace_damaged(workspace: Path, path: Path) -> Path:
    """Put a backup in the place of a database that cannot be opened; where that lies now."""
    check_backup(path)
    aside = workspace / BACKUPS / f"damaged-{_stamp()}.db"
    try:
        aside.parent.mkdir(exist_ok=True)
        for ending in ("-wal", "-shm"):  # they would be taken for the new one's
            (workspace / f"{DATABASE}{ending}").unlink(missing_ok=True)
        (workspace / DATABASE).replace(aside)
    except OSError as error:
        raise OutputError(f"{workspace}: cannot be written ({reason(error)})") from error
    Workspace(workspace).close()
    with opened(workspace) as store:
        store.restore(path)
    return aside


def _stamp() -> str:
    return datetime.now().astimezone().strftime("%Y-%m-%dT%H.%M.%S")
