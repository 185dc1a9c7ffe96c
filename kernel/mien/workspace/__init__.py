"""The folder of one project: `mien.toml`, `workspace.db` and what commands put beside them."""

from __future__ import annotations

from .store import Workspace

__all__ = ["Workspace"]
