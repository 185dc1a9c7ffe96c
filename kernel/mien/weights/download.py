"""Downloads a weight file: goes on where it was cut, checks the hash, appears whole or not at all.

The unfinished file is ``NAME.part``, always a beginning of the file.  Bytes are written at their
own offsets, so that two processes fetching the same file write the same bytes to the same places.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from ssl import SSLError
from typing import Any, BinaryIO, TypeAlias

from ..stages import WeightFile

Opener: TypeAlias = Callable[[urllib.request.Request], AbstractContextManager[Any]]
Progress: TypeAlias = Callable[[int, int], None]

_CHUNK = 1 << 18
_SECONDS = 30
# A server that cuts a connection is asked again as long as each answer brings something new.
_FRUITLESS = 2
_CUT = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, SSLError)


class DownloadError(Exception):
    """No address gave the file; the text says why, address by address."""


def open_url(request: urllib.request.Request) -> AbstractContextManager[Any]:
    """Open an http(s) address; `file:` and the like are refused by `download`."""
    answer: AbstractContextManager[Any] = urllib.request.urlopen(request, timeout=_SECONDS)
    return answer


def download(
    file: WeightFile, target: Path, opener: Opener, progress: Progress | None = None
) -> Path:
    """Fetch `file` from the first of its addresses that gives it, verified, as `target`.

    Raises DownloadError where none does, OSError where the disk refuses.
    """
    part = target.with_name(target.name + ".part")
    reasons = []
    for url in file.urls:
        if not url.startswith(("https://", "http://")):
            reasons.append(f"{url}: not a web address")
            continue
        try:
            _fetch(url, file, part, opener, progress)
        except _Refused as error:
            reasons.append(f"{url}: {error}")
            continue
        return _install(part, target)
    raise DownloadError("; ".join(reasons))


class _Refused(Exception):
    """This address does not give the file."""


def _fetch(
    url: str, file: WeightFile, part: Path, opener: Opener, progress: Progress | None
) -> None:
    """Complete and verify `part` from one address, in as many requests as bring something new."""
    fruitless = furthest = 0
    while fruitless < _FRUITLESS:
        before = _size(part)
        reason = ""
        if before < file.size:
            try:
                _receive(url, file, part, opener, progress)
            except urllib.error.HTTPError as error:
                error.close()
                if error.code != 416 or not before:
                    raise _Refused(f"HTTP {error.code} {error.reason}") from error
                part.unlink()  # 416: our beginning is longer than all that this server has
            except _CUT as error:
                reason = f": {getattr(error, 'reason', error)}"
        there = _size(part)
        if there >= file.size:
            found = _digest(part)
            if there == file.size and found == file.sha256:
                return
            part.unlink()
            if not before:
                raise _Refused(_wrong(file, there, found))
            # The beginning may have come from another address: once more, from zero.
        fruitless = 0 if there > furthest else fruitless + 1
        furthest = max(furthest, there)
    raise _Refused(f"the connection ended after {there} of {file.size} bytes{reason}")


def _receive(
    url: str, file: WeightFile, part: Path, opener: Opener, progress: Progress | None
) -> None:
    """One request for what is still missing, written into `part` at its place."""
    done = _size(part)
    request = urllib.request.Request(url, headers={"User-Agent": "mien"})
    if done:
        request.add_header("Range", f"bytes={done}-")
    with opener(request) as answer:
        # 200 instead of 206: this server cannot go on in the middle and sends everything.
        offset = done if answer.status == 206 else 0
        part.touch()
        with part.open("r+b") as out:
            _copy(answer, out, offset, file.size, progress)


def _copy(answer: Any, out: BinaryIO, offset: int, size: int, progress: Progress | None) -> None:
    out.seek(offset)
    # One byte more than is due shows a file that is too long, without reading it to its end.
    while offset <= size and (chunk := answer.read(min(_CHUNK, size + 1 - offset))):
        out.write(chunk)
        offset += len(chunk)
        if progress is not None:
            progress(min(offset, size), size)


def _wrong(file: WeightFile, size: int, found: str) -> str:
    if size > file.size:
        return f"sends more than the {file.size} bytes that the file has"
    return f"sends another file: its SHA-256 is {found}, must be {file.sha256}"


def _install(part: Path, target: Path) -> Path:
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.replace(target)
    return target


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
