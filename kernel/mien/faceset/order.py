"""The order in which a person would count files."""

from __future__ import annotations

import re
from pathlib import Path

_WORDS = re.compile(r"\d+|\D+")

Key = tuple[tuple[int, str], ...]


def natural_key(path: Path) -> Key:
    """Sorts `face_2` before `face_10`; names that differ only in case stay apart."""
    return name_key(path.name)


def name_key(name: str) -> Key:
    """`natural_key` of a name."""
    words = [
        (int(word), "") if word.isdecimal() else (-1, word.lower()) for word in _WORDS.findall(name)
    ]
    return (*words, (-2, name))
