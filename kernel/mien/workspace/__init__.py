"""The folder of one project: `mien.toml`, `workspace.db` and what commands put beside them."""

from __future__ import annotations

from .editing import KnownClip, KnownFrame, Place, WorkspaceEditor
from .history import History, Revision
from .store import Workspace

__all__ = [
    "History",
    "KnownClip",
    "KnownFrame",
    "Place",
    "Revision",
    "Workspace",
    "WorkspaceEditor",
]
