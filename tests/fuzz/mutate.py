"""Reads mutated files of every format, and says what became of them.

    python tests/fuzz/mutate.py --format dfl-jpeg --count 10000

Each file is read as a user would: opened, decoded, its masks decoded, its metadata given back.  A
file may be read or refused with a sentence; anything else ends the run with the file kept: another
exception, more processor time or memory than the limits, or anything that looks as if the file was
obeyed (an import, a compilation, a process, a connection, a file opened to be written).
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import mien_dfl
import mien_faceswap
from formats import Format, formats
from mien.errors import MienError

SECONDS = 5.0
MEGABYTES = 1500
FORBIDDEN = (
    "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.remove", "os.rename", "subprocess.",
    "socket.", "pickle.find_class", "ctypes.", "compile", "exec", "import", "shutil.", "pty.",
    "webbrowser.", "urllib.",
)  # fmt: skip
WRITING = ("os.rename", "os.remove")


class Obeyed(BaseException):
    """Something happened that no file may cause."""


class TooSlow(BaseException):
    """A file took longer than the limit."""


def main() -> int:
    """Run; 0 where nothing but reading and refusing happened."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--format", default="all")
    words.add_argument("--count", type=int, default=10_000)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--shared", type=Path, help="folder with the reference files")
    args = words.parse_args()
    with tempfile.TemporaryDirectory(dir=args_place()) as folder:
        place, beside = Path(folder) / "read", Path(folder) / "beside"
        place.mkdir()
        beside.mkdir()
        known = formats(args.shared, beside)
        chosen = list(known) if args.format == "all" else [args.format]
        for codec in ("raw_unicode_escape", "unicode_escape", "latin-1", "ascii"):
            "".encode(codec)  # all that is imported late
        mien_dfl.mien_open_faceset(path=place)
        mien_faceswap.mien_open_faceset(path=place)
        guard = Guard(Path(folder))
        for name in chosen:
            print(json.dumps(run(name, known[name], args.count, args.seed, place, guard)))
    return 0


def args_place() -> str | None:
    """Memory where there is a file system in it: thousands of files are no work for a disk."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


class Guard:
    """Listens to what Python does while a file is read.

    allowed  the folder in which a format that writes may do so
    """

    def __init__(self, allowed: Path) -> None:
        self.watching = self.may_write = False
        self._allowed = f"{allowed}/"
        sys.addaudithook(self._hear)
        signal.signal(signal.SIGPROF, self._ring)

    def _hear(self, event: str, values: tuple[Any, ...]) -> None:
        if not self.watching:
            return
        writes = event == "open" and isinstance(values[1], str) and set(values[1]) & set("wax+")
        if not writes and not event.startswith(FORBIDDEN):
            return
        # The types of our own options are written as text, which `typing` compiles and runs.
        if event in ("compile", "exec") and sys._getframe(1).f_globals.get("__name__") == "typing":
            return
        if self.may_write and (writes or event in WRITING) and self._inside(values[0]):
            return
        self.watching = False
        raise Obeyed(f"{event} {values!r:.200}")

    def _inside(self, place: Any) -> bool:
        return str(place).startswith(self._allowed)

    def _ring(self, number: int, frame: FrameType | None) -> None:
        raise TooSlow(f"took more than {SECONDS} s of the processor")


def run(
    name: str, form: Format, count: int, seed: int, folder: Path, guard: Guard
) -> dict[str, Any]:
    """Read `count` mutated files; figures."""
    path = folder / form.suffix
    for data in form.good:  # lazy imports happen now, and good files are good
        path.write_bytes(data)
        assert form.read(path) > 0, name
    resource.setrlimit(resource.RLIMIT_AS, (address_space() + (MEGABYTES << 20), -1))
    outcomes: Counter[str] = Counter()
    slowest, began = 0.0, time.perf_counter()
    for number in range(count):
        data = form.bad(random.Random(f"{name} {seed} {number}"))
        path.write_bytes(data)
        outcome, took = attempt(form, path, guard)
        outcomes[outcome] += 1
        slowest = max(slowest, took)
        if outcome not in ("read", "refused"):
            kept = Path(tempfile.gettempdir()) / f"mutated-{name}-{seed}-{number}"
            kept.write_bytes(data)
            raise SystemExit(f"{name}, seed {seed}, file {number}: {outcome}; kept as {kept}")
    path.unlink()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {
        "format": name,
        "files": count,
        "seed": seed,
        "read": outcomes["read"],
        "refused": outcomes["refused"],
        "seconds": round(time.perf_counter() - began, 1),
        "slowest_ms": round(1000 * slowest, 1),
        "peak_mb": peak,
    }


def attempt(form: Format, path: Path, guard: Guard) -> tuple[str, float]:
    """What became of one file, and the seconds of the processor that it took."""
    began = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    guard.watching, guard.may_write = True, form.writes
    try:
        form.read(path)
        outcome = "read"
    except MienError:
        outcome = "refused"
    except (Exception, Obeyed, TooSlow) as error:
        outcome = f"{type(error).__name__}: {error!s:.300}"
    finally:
        guard.watching = False
        signal.setitimer(signal.ITIMER_PROF, 0)
    return outcome, time.process_time() - began


def address_space() -> int:
    """Bytes of memory that this process has mapped now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    sys.exit(main())
