"""One process at a time: a lock by a file, for what two may not fetch or change at once.

The system holds the lock and frees it when its process ends, however that happens, so no lock is
ever stale.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_log = logging.getLogger(__name__)

_SECONDS = 0.2


@contextlib.contextmanager
def one_at_a_time(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Wait until no other process or thread is inside with the same path, a file made for this.

    Where the file system knows no locks, nobody waits.  Raises OSError where the file cannot be
    made, BlockingIOError where it is taken and `wait` is false.
    """
    handle = _take(path, wait)
    try:
        yield
    finally:
        # Who waits finds another file in its place, or none, and begins anew.  Windows removes no
        # file that is open, so there it may stay behind, empty.
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(handle)


def _take(path: Path, wait: bool) -> int:
    told = False
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if _locked(handle) and _is(handle, path):
            return handle
        os.close(handle)
        if not wait:
            raise BlockingIOError(f"{path}: another process is at it")
        if not told:
            told = True
            _log.info("another process is at %s; waiting for it", path.stem)
        time.sleep(_SECONDS)


def _is(handle: int, path: Path) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False


if sys.platform == "win32":
    import msvcrt

    def _locked(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _locked(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # some network drives
            _log.debug("this file system knows no locks")
        return True
