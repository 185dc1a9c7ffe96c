"""Files that appear whole or not at all: written beside their place, synced, renamed.

Everything that the program leaves behind goes through here, so that a crash or a full disk never
leaves half a file under a name that somebody will read.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from .errors import OutputError


def write_whole(path: Path, data: bytes) -> None:
    """A small file in one go; makes its folder.  Raises OutputError, with nothing left behind."""
    try:
        try:
            _write(path, data)
        except FileNotFoundError:  # asking for the folder each time would take as long as writing
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, data)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({reason(error)})") from error


def write_changed(path: Path, data: bytes) -> bool:
    """As `write_whole`; False where the very same file is there already, which is left alone."""
    if holds(path, data):
        return False
    write_whole(path, data)
    return True


def write_new(path: Path, data: bytes) -> bool:
    """As `write_changed`; raises OutputError where another file is there, which is left alone."""
    there = holds(path, data)
    if there is False:
        raise OutputError(f"{path}: is there already and is another file; name a new folder")
    if there is None:
        write_whole(path, data)
    return there is None


def holds(path: Path, data: bytes) -> bool | None:
    """Whether a file holds these bytes; None where there is none.  Raises OutputError."""
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({reason(error)})") from error


def _write(path: Path, data: bytes) -> None:
    beside = _beside(path)
    try:
        with beside.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.stem[:80]}-{secrets.token_hex(4)}{path.suffix}")


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary name beside `path`, which takes its place where the block ends well."""
    beside = _beside(path)
    try:
        yield beside
        sync(beside)
        beside.replace(path)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def publish(partial: Path, path: Path) -> None:
    """Give a finished file or folder its name, by one rename that survives a power cut."""
    sync(partial)
    if partial.is_dir() and path.is_dir():
        path.rmdir()  # it is empty, or the writer would have refused it
    partial.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Make sure that the file, or the folder's list of files, survives a power cut."""
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open folders, and orders renames by itself
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def reason(error: OSError) -> str:
    """Why the system refused, in a user's words."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "no space left on the disk"
    return (error.strerror or str(error)).lower()
