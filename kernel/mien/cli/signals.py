"""Signals of the system that a command understands."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import click

_TOLD_AGAIN = 5.0
"""Seconds within which signals of torchrun are the same one."""


@contextlib.contextmanager
def touched_on_signal(path: Path) -> Iterator[None]:
    """While this lasts, SIGUSR1 makes an empty file at `path`; nothing where the system has no such
    signal, or in a thread that gets none."""
    number = getattr(signal, "SIGUSR1", None)
    if number is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(OSError):
            path.touch()

    before = signal.signal(number, on_signal)
    try:
        yield
    finally:
        signal.signal(number, before)


@contextlib.contextmanager
def interruptible(cancel: threading.Event) -> Iterator[None]:
    """The first Ctrl-C asks for a clean end, the second ends at once.

    torchrun passes on what the terminal has said already, twice: that is one Ctrl-C.
    """
    same = _TOLD_AGAIN if "TORCHELASTIC_RUN_ID" in os.environ else 0.0
    asked = [0.0]
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(number: int, frame: FrameType | None) -> None:
        if cancel.is_set():
            if time.monotonic() - asked[0] >= same:
                raise KeyboardInterrupt
            return
        asked[0] = time.monotonic()
        cancel.set()
        if os.environ.get("RANK", "0") == "0":
            click.echo("stopping: finishing what was begun (again to end at once)", err=True)

    before = {kind: signal.signal(kind, on_signal) for kind in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
