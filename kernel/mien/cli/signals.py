"""Signals of the system that a command understands besides Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType


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
