"""Downloads a weight file: goes on where it was cut, checks the hash, appears whole or not at all.

The unfinished file is ``NAME.part``, always a beginning of the file.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
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
# Where neither the maker nor the server says how large the file is.
_LARGEST = 4 << 30
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

    file  with a SHA-256 or the beginning of one; where its size is not known, the server's counts
    Raises DownloadError where no address does, OSError where the disk refuses.
    """
    if not file.sha256:
        raise DownloadError("its SHA-256 is not known")
    part = target.with_name(target.name + ".part")
    reasons = []
    for url in file.urls:
        if not url.startswith(("https://", "http://")):
            reasons.append(f"{url}: not a web address")
            continue
        try:
            _Fetch(url, file, part, opener, progress).run()
        except _Refused as error:
            reasons.append(f"{url}: {error}")
            continue
        return _install(part, target)
    raise DownloadError("; ".join(reasons))


class _Refused(Exception):
    """This address does not give the file."""


class _Fetch:
    """Completes and verifies `part` from one address."""

    def __init__(
        self, url: str, file: WeightFile, part: Path, opener: Opener, progress: Progress | None
    ) -> None:
        self._url, self._file, self._part = url, file, part
        self._opener, self._progress = opener, progress
        self._size = file.size  # 0 until the server says it

    def run(self) -> None:
        """In as many requests as bring something new.  Raises _Refused."""
        part = self._part
        fruitless = furthest = 0
        while fruitless < _FRUITLESS:
            before = _length(part)
            reason = ""
            if not self._size or before < self._size:
                reason = self._ask(before)
            there = _length(part)
            if there >= self._size and not reason:
                found = _digest(part)
                if there == (self._size or there) and found.startswith(self._file.sha256):
                    return
                part.unlink(missing_ok=True)
                if not before:
                    raise _Refused(self._wrong(there, found))
                # The beginning may have come from another address: once more, from zero.
            fruitless = 0 if there > furthest else fruitless + 1
            furthest = max(furthest, there)
        of_all = f" of {self._size}" if self._size else ""
        raise _Refused(f"the connection ended after {there}{of_all} bytes{reason}")

    def _ask(self, before: int) -> str:
        """Receive what is missing; why that ended early, empty where it did not."""
        try:
            self._receive(before)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != 416 or not before:
                raise _Refused(f"HTTP {error.code} {error.reason}") from error
            # Our beginning is as long as all that this server has, or longer.
            if self._size:
                self._part.unlink()
        except _CUT as error:
            return f": {getattr(error, 'reason', error)}"
        return ""

    def _receive(self, done: int) -> None:
        """One request for what is still missing, written into `part` at its place."""
        request = urllib.request.Request(self._url, headers={"User-Agent": "mien"})
        if done:
            request.add_header("Range", f"bytes={done}-")
        with self._opener(request) as answer:
            # 200 instead of 206: this server cannot go on in the middle and sends everything.
            offset = done if answer.status == 206 else 0
            self._size = self._size or _told_size(answer)
            if self._size > max(self._file.size, _LARGEST):
                raise _Refused(f"says that the file has {self._size} bytes")
            self._part.touch()
            with self._part.open("r+b") as out:
                self._copy(answer, out, offset)

    def _copy(self, answer: Any, out: BinaryIO, offset: int) -> None:
        size = self._size or _LARGEST
        out.seek(offset)
        # One byte more than is due shows a file that is too long, without reading it to its end.
        while offset <= size and (chunk := answer.read(min(_CHUNK, size + 1 - offset))):
            out.write(chunk)
            offset += len(chunk)
            if self._progress is not None:
                self._progress(min(offset, size), self._size)

    def _wrong(self, size: int, found: str) -> str:
        if self._size and size > self._size:
            return f"sends more than the {self._size} bytes that the file has"
        must = "begin with" if len(self._file.sha256) < len(found) else "be"
        return f"sends another file: its SHA-256 is {found}, must {must} {self._file.sha256}"


def _told_size(answer: Any) -> int:
    """How large the whole file is by the server's word, 0 where it gives none."""
    ranged = re.fullmatch(r"bytes \d+-\d+/(\d+)", answer.headers.get("Content-Range") or "")
    if ranged:
        return int(ranged[1])
    told = answer.headers.get("Content-Length") or ""
    return int(told) if told.isdecimal() and answer.status == 200 else 0


def _install(part: Path, target: Path) -> Path:
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.replace(target)
    return target


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _digest(path: Path) -> str:
    if not path.exists():
        return hashlib.sha256().hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
