"""Whole commands as functions: what `mien swap` does, for a script or another program.

Each job takes a `Run` (registry, configuration, context, cancellation, progress) and plain
arguments, and gives a frozen result.  Nothing here prints: the command line draws the events.
"""

from __future__ import annotations

from .run import Events, Run, Silent

__all__ = ["Events", "Run", "Silent"]
