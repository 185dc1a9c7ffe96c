"""How many cores there are, and who leaves them to whom.

The runner gives every step a thread, so on few cores a library that makes threads of its own takes
them from the next step, and pays for waking them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

STEPS_AT_WORK = 4
"""Steps of a run that work at the same time, more or less."""


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def opencv_shares_cores() -> Iterator[None]:
    """Inside, OpenCV takes no more threads than a step's share of the cores.

    On two cores an extraction costs 4 % less processor time by it; a swap, where a large net does
    most of the work, gained nothing.  The setting is the process's own: OpenCV knows no other.
    """
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(max(1, usable_cores() // STEPS_AT_WORK))
    try:
        yield
    finally:
        cv2.setNumThreads(before)
