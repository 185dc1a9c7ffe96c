"""The weight files of this machine.

A file is known by its SHA-256, not by its name: published weights share names (two different nets
are both called ``mobilenet0.25_Final.pth``), and users rename what they download.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import WeightsError
from ..lock import one_at_a_time
from ..stages import WeightFile
from .download import DownloadError, Opener, Progress, download, open_url

_log = logging.getLogger(__name__)

FOLDERS_VARIABLE = "MIEN_WEIGHTS"
# Hex digits of a SHA-256: all of them, and so many that a file is sure to be the right one.
_WHOLE, _SURE = 64, 8


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

    state  `unverified` is a file of the right name, of which nobody published the SHA-256
    path   the file, or for `damaged` the one that has its name but not its content
    found  SHA-256 of the file, empty where it was not read because already its size is wrong
    """

    file: WeightFile
    state: Literal["ready", "unverified", "missing", "damaged"]
    path: Path | None = None
    found: str = ""

    @property
    def usable(self) -> bool:
        """Whether a stage may be given the file."""
        return self.state in ("ready", "unverified")


class WeightStore:
    """Finds, checks and fetches weight files.

    folders  searched in order, each by name and then by content, without sub-folders
    cache    searched last; where `pull` puts files
    offline  `pull` refuses
    opener   opens a urllib Request; another one may add a proxy, or stand in for the network

    A file that a package ships is taken from there before all else.
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
        """The file, verified as far as its maker published how.

        Raises WeightsError that names the file, its size, licence and address, and what to do.
        """
        status = self.status(file)
        if status.path is None or not status.usable:
            damaged = status.state == "damaged"
            raise WeightsError(tell_damage(status) if damaged else self._missing(file))
        if status.state == "unverified":
            _log.info("%s: nobody published its SHA-256; it has %s", status.path, status.found)
        return status.path

    def status(self, file: WeightFile, *, afresh: bool = False) -> WeightStatus:
        """Whether the file is here; a damaged copy counts only where no good one is found.

        afresh  read the file anew, even where it seems not to have changed
        """
        if afresh:
            _sha256.cache_clear()
        damaged: WeightStatus | None = None
        for path in self._candidates(file):
            right_size = file.size in (0, path.stat().st_size)
            found = file_sha256(path) if right_size else ""
            if right_size and found.startswith(file.sha256):
                # What a package ships was checked when it was installed.
                sure = can_verify(file) or path == _shipped(file)
                state: Literal["ready", "unverified"] = "ready" if sure else "unverified"
                return WeightStatus(file=file, state=state, path=path, found=found)
            if path.name == file.name and damaged is None:
                damaged = WeightStatus(file=file, state="damaged", path=path, found=found)
        return damaged or WeightStatus(file=file, state="missing")

    def pull(
        self,
        file: WeightFile,
        progress: Progress | None = None,
        *,
        accept_non_commercial: bool = False,
    ) -> Path:
        """The verified file, downloaded into the cache where it is not here yet.

        progress  called with (bytes there, bytes in all; 0 while nobody knows)
        accept_non_commercial  the user was shown the licence and agrees
        A broken download is continued by the next call; of several processes one downloads, and
        the others wait for it.  Raises WeightsError.
        """
        status = self.status(file)
        if status.path is not None and status.usable:
            return status.path
        self._may_pull(file, accept_non_commercial)
        target = self.cache / file.name
        try:
            self.cache.mkdir(parents=True, exist_ok=True)
            with one_at_a_time(target.with_name(target.name + ".lock")):
                status = self.status(file)  # another process may have fetched it meanwhile
                if status.path is not None and status.state == "ready":
                    return status.path
                return download(file, target, self._opener, progress)
        except (DownloadError, OSError) as error:
            raise WeightsError(
                f"weights '{file.name}' could not be fetched: {error}; "
                f"run 'mien weights pull {file.name}' again to go on, or {_offline_way()}"
            ) from error

    def _may_pull(self, file: WeightFile, accept_non_commercial: bool) -> None:
        """Raise WeightsError where the file is not to be downloaded."""
        if self.offline:
            raise WeightsError(f"{self._missing(file)} (downloads are switched off: offline)")
        if file.package or not file.urls:
            raise WeightsError(f"{self._missing(file)} (no address is known for it)")
        if not can_verify(file):
            raise WeightsError(
                f"weights {_describe(file)} are not downloaded by the program, because nobody "
                f"published a SHA-256 to check them by; fetch the file by hand, and "
                f"{_offline_way()}"
            )
        if file.non_commercial and not accept_non_commercial:
            raise WeightsError(
                f"weights {_describe(file)} are for non-commercial use only; if that is your use, "
                f"run 'mien weights pull --accept-non-commercial {file.name}'"
            )

    def _candidates(self, file: WeightFile) -> Iterator[Path]:
        """Files that may be `file`, best first: shipped, by name, then whatever has its size."""
        shipped = _shipped(file)
        if shipped is not None:
            yield shipped
        names = [file.name]
        if not file.sha256:  # by its content nobody could know it, so by the name of its download
            names += [url.rpartition("/")[2] for url in file.urls]
        for folder in (*self.folders, self.cache):
            named = [folder / name for name in names]
            yield from (path for path in named if path.is_file())
            if folder.is_dir() and file.size and file.sha256:
                yield from (
                    path
                    for path in sorted(folder.iterdir())
                    if path not in named and path.is_file() and path.stat().st_size == file.size
                )

    def _missing(self, file: WeightFile) -> str:
        if file.package:
            return (
                f"weights {_describe(file)} are missing from the package '{file.package}' that "
                "ships them; install it again"
            )
        return f"weights {_describe(file)} are not on this machine; {way_to_get(file)}"


def can_verify(file: WeightFile) -> bool:
    """Whether enough of the file's SHA-256 is known to tell it from others."""
    return len(file.sha256) >= _SURE


def way_to_get(file: WeightFile) -> str:
    """What a user can do to have the file."""
    if not file.urls:
        return _offline_way()
    if not can_verify(file):
        return f"fetch it by hand from {file.urls[0]}, and {_offline_way()}"
    return f"get it with 'mien weights pull {file.name}', or {_offline_way()}"


def tell_damage(status: WeightStatus) -> str:
    """What is wrong with a file that has the right name, and what to do."""
    file = status.file
    must = "must be" if len(file.sha256) == _WHOLE else "must begin with"
    seen = f"its SHA-256 is {status.found}, {must} {file.sha256}"
    if not status.found and status.path is not None:
        seen = f"it has {status.path.stat().st_size} bytes, must have {file.size}"
    way = f"remove it and run 'mien weights pull {file.name}'"
    if file.package:
        way = f"install the package '{file.package}' again"
    elif not can_verify(file):
        way = "remove it and fetch it again"
    return f"{status.path}: not the weights '{file.name}': {seen}; {way}"


def _shipped(file: WeightFile) -> Path | None:
    """The file inside of the package that ships it, found without importing the package."""
    spec = importlib.util.find_spec(file.package) if file.package else None
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(folder) / "weights" / file.name
        if path.is_file():
            return path
    return None


def _describe(file: WeightFile) -> str:
    """Name, size, licence and first address, as they stand in every message."""
    licence = f"licence: {file.licence}{', non-commercial' if file.non_commercial else ''}"
    origin = f", from {file.urls[0]}" if file.urls else ""
    return f"'{file.name}' ({tell_size(file.size)}, {licence}{origin})"


def tell_size(size: int) -> str:
    """Megabytes, or bytes where it is small."""
    if not size:
        return "size not known"
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size} bytes"


def _offline_way() -> str:
    return f"put the file into a folder named by {FOLDERS_VARIABLE} or by [weights] folders"
