"""The weight files of this machine.

A file is known by its SHA-256, not by its name: published weights share names (two different nets
are both called ``mobilenet0.25_Final.pth``), and users rename what they download.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import WeightsError
from ..stages import WeightFile
from .download import DownloadError, Opener, Progress, download, open_url

FOLDERS_VARIABLE = "MIEN_WEIGHTS"


def default_cache(environ: Mapping[str, str]) -> Path:
    """The program's cache folder: ``$XDG_CACHE_HOME/mien``, else ``~/.cache/mien``."""
    base = environ.get("XDG_CACHE_HOME", "")
    # The XDG rules: a relative path in the variable is to be ignored.
    root = Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache"
    return root / "mien"


def default_folders(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The folders that the variable MIEN_WEIGHTS lists, in the form of PATH."""
    listed = environ.get(FOLDERS_VARIABLE, "").split(os.pathsep)
    return tuple(Path(part).expanduser() for part in listed if part)


def file_sha256(path: Path) -> str:
    """Lower-case hex SHA-256 of a file, read once per process as long as it does not change."""
    facts = path.stat()
    return _sha256(path.resolve(), facts.st_size, facts.st_mtime_ns)


@functools.lru_cache(maxsize=256)
def _sha256(path: Path, _size: int, _mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightStatus:
    """Whether a weight file is here.

    path   the file, or for `damaged` the one that has its name but not its content
    found  SHA-256 of a damaged file, empty where already its size is wrong
    """

    file: WeightFile
    state: Literal["ready", "missing", "damaged"]
    path: Path | None = None
    found: str = ""


class WeightStore:
    """Finds, checks and fetches weight files.

    folders  searched in order, each by name and then by content, without sub-folders
    cache    searched last; where `pull` puts files
    offline  `pull` refuses
    opener   opens a urllib Request; another one may add a proxy, or stand in for the network
    """

    def __init__(
        self,
        folders: Sequence[Path] = (),
        cache: Path | None = None,
        offline: bool = False,
        opener: Opener = open_url,
    ) -> None:
        self.folders = tuple(folders)
        self.cache = cache if cache is not None else default_cache(os.environ) / "weights"
        self.offline = offline
        self._opener = opener

    def find(self, file: WeightFile) -> Path:
        """The verified file.

        Raises WeightsError that names the file, its size, licence and address, and what to do.
        """
        status = self.status(file)
        if status.state == "ready" and status.path is not None:
            return status.path
        raise WeightsError(_damaged(status) if status.state == "damaged" else self._missing(file))

    def status(self, file: WeightFile) -> WeightStatus:
        """Whether the file is here; a damaged copy counts only where no good one is found."""
        damaged: WeightStatus | None = None
        for path in self._candidates(file):
            found = file_sha256(path) if path.stat().st_size == file.size else ""
            if found == file.sha256:
                return WeightStatus(file=file, state="ready", path=path, found=found)
            if path.name == file.name and damaged is None:
                damaged = WeightStatus(file=file, state="damaged", path=path, found=found)
        return damaged or WeightStatus(file=file, state="missing")

    def verify(self, file: WeightFile) -> Path:
        """Like `find`, but reads the file anew from the disk.  Raises WeightsError."""
        _sha256.cache_clear()
        return self.find(file)

    def pull(self, file: WeightFile, progress: Progress | None = None) -> Path:
        """The verified file, downloaded into the cache where it is not here yet.

        progress  called with (bytes there, bytes in all)
        A broken download is continued by the next call.  Raises WeightsError.
        """
        status = self.status(file)
        if status.state == "ready" and status.path is not None:
            return status.path
        if self.offline:
            raise WeightsError(f"{self._missing(file)} (downloads are switched off: offline)")
        if not file.urls:
            raise WeightsError(f"{self._missing(file)} (no address is known for it)")
        try:
            self.cache.mkdir(parents=True, exist_ok=True)
            return download(file, self.cache / file.name, self._opener, progress)
        except (DownloadError, OSError) as error:
            raise WeightsError(
                f"weights '{file.name}' could not be fetched: {error}; "
                f"run 'mien weights pull {file.name}' again to go on, or {_offline_way()}"
            ) from error

    def _candidates(self, file: WeightFile) -> Iterator[Path]:
        """Files that may be `file`, best first: by name, then whatever has its size."""
        for folder in (*self.folders, self.cache):
            named = folder / file.name
            if named.is_file():
                yield named
            if folder.is_dir():
                yield from (
                    path
                    for path in sorted(folder.iterdir())
                    if path != named and path.is_file() and path.stat().st_size == file.size
                )

    def _missing(self, file: WeightFile) -> str:
        way = f"get it with 'mien weights pull {file.name}', or {_offline_way()}"
        if not file.urls:
            way = _offline_way()
        return f"weights {_describe(file)} are not on this machine; {way}"


def _describe(file: WeightFile) -> str:
    """Name, size, licence and first address, as they stand in every message."""
    licence = f"licence: {file.licence}{', non-commercial' if file.non_commercial else ''}"
    origin = f", from {file.urls[0]}" if file.urls else ""
    return f"'{file.name}' ({_megabytes(file.size)}, {licence}{origin})"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size} bytes"


def _offline_way() -> str:
    return f"put the file into a folder named by {FOLDERS_VARIABLE} or by [weights] folders"


def _damaged(status: WeightStatus) -> str:
    file = status.file
    seen = f"its SHA-256 is {status.found}, must be {file.sha256}"
    if not status.found and status.path is not None:
        seen = f"it has {status.path.stat().st_size} bytes, must have {file.size}"
    return (
        f"{status.path}: not the weights '{file.name}': {seen}; "
        f"remove it and run 'mien weights pull {file.name}'"
    )
