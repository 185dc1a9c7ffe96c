"""Names and safety of files: fingerprints, partial names, and names given by one rename."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

VIDEO_OUTPUTS = (".mp4", ".mov", ".mkv", ".avi")
PICTURES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".tif", ".tiff", ".bmp", ".dib", ".webp", ".jp2",
    ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".exr", ".hdr",
)  # fmt: skip
_SAMPLE = 1 << 20
_COUNTER = re.compile(r"%(0?)(\d*)d")


def fingerprint(paths: Sequence[Path]) -> str:
    """SHA-256 over the sizes of all files, and the first and last MiB of three of them."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.stat().st_size.to_bytes(8, "little"))
    for path in dict.fromkeys((paths[0], paths[len(paths) // 2], paths[-1])):
        with path.open("rb") as file:
            digest.update(file.read(_SAMPLE))
            file.seek(max(0, path.stat().st_size - _SAMPLE))
            digest.update(file.read(_SAMPLE))
    return digest.hexdigest()


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key by which `shot_2` comes before `shot_10`."""
    parts = re.split(r"(\d+)", name.casefold())
    return tuple(
        (1, int(part), part) if part.isdecimal() else (0, 0, part) for part in parts if part
    )


def counter(pattern: str) -> re.Pattern[str] | None:
    """What file names a numbered pattern such as `frame_%05d.png` stands for; None if none."""
    found = _COUNTER.search(pattern)
    if found is None:
        return None
    digits = rf"\d{{{int(found[2])},}}" if found[1] and found[2] else r"\d+"
    before, after = pattern[: found.start()], pattern[found.end() :]
    return re.compile(f"{re.escape(before)}(?P<number>{digits}){re.escape(after)}")


def partial_name(path: Path) -> Path:
    """Where an unfinished result lies: `clip.partial.mp4`, `folder.partial`."""
    return path.with_name(f"{path.stem}.partial{path.suffix}")
