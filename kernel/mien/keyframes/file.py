"""The readable form of a timeline: TOML that a hand can write.

[[key]]                 # on the time line
at = 120
track = 3               # left out: the faces of all tracks
ease = "smooth"         # hold, linear (if left out) or smooth, up to the next key
erode = 12
mask = "xseg * swap"

[[frame]]               # one frame alone
at = 121
grain = 0
color.sot.steps = 20    # an option of a plugin

[[shot]]                # the shot that holds the frame
at = 96
scale = 4
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from ..errors import ConfigError
from ..options import nearest
from .controls import MERGE, Controls
from .timeline import ALL, EASES, PLACES, Ease, Entry, Place, Timeline, entries_of

_NAMES = r"""[\w"'-][\w"'. -]*?"""
_OWN = {"key": ("at", "track", "ease"), "frame": ("at", "track"), "shot": ("at",)}


def write_text(timeline: Timeline, heading: str = "") -> str:
    """The timeline as TOML; `read_text` gives the same one back."""
    lines = [f"# {line}" for line in heading.splitlines()]
    for (place, at, track, ease), group in _blocks(timeline):
        lines += ["", f"[[{place}]]", f"at = {at}"]
        if track != ALL:
            lines.append(f"track = {track}")
        if ease != "linear":
            lines.append(f'ease = "{ease}"')
        lines += [f"{_key(entry.option)} = {_value(entry.value)}" for entry in group]
    return "\n".join(lines).lstrip("\n") + "\n"


def read_text(text: str, name: str, controls: Controls = MERGE) -> Timeline:
    """The timeline that a text holds.

    name  the file's, for problems;  controls  what can be set
    Options of plugins that are not installed are taken as they stand.
    Raises ConfigError with all problems, each with its line.
    """
    import tomli

    try:
        tree = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise ConfigError(f"{name}: is not valid TOML: {error}") from None
    lines, problems = _Lines(text, name), []
    seen: dict[Any, str] = {}
    entries: list[Entry] = []
    for place, blocks in tree.items():
        if place not in PLACES or not _are_tables(blocks):
            known = tuple(f"[[{each}]]" for each in PLACES)
            problems.append(f"{lines.of(place)}: {place}: must be one of {', '.join(known)}")
            continue
        for number, block in enumerate(blocks):
            try:
                found = _read_block(
                    place, block, lambda key, n=number, p=place: lines.of(p, n, key), controls
                )
            except ConfigError as error:
                problems += error.problems
                continue
            for entry in found:
                stands = lines.of(place, number, entry.option)
                if entry.identity in seen:
                    problems.append(f"{stands}: is set already: {seen[entry.identity]}")
                seen[entry.identity] = stands
            entries += found
    if problems:
        raise ConfigError(problems)
    return Timeline(entries)


def _read_block(
    place: Place, block: Mapping[str, Any], where: Any, controls: Controls
) -> list[Entry]:
    problems = []
    numbers = {"at": -1, "track": ALL}
    for key in numbers:
        if key not in block or key not in _OWN[place]:
            continue
        value = block[key]
        if type(value) is int and value >= 0:
            numbers[key] = value
        else:
            problems.append(f"{where(key)}: must be a whole number from 0 up, is {value!r}")
    if "at" not in block:
        problems.append(f"{where('')}: says no frame; write one as in: at = 120")
    ease: Ease = "linear"
    if "ease" in _OWN[place] and "ease" in block:
        if block["ease"] in EASES:
            ease = block["ease"]
        else:
            words = nearest(str(block["ease"]), EASES).partition("; there is")[0]
            problems.append(
                f"{where('ease')}: must be one of {', '.join(EASES)}, is {block['ease']!r}{words}"
            )
    alien = set(_OWN["key"]) - set(_OWN[place])
    problems += [f"{where(key)}: [[{place}]] has none" for key in block if key in alien]
    values = dict(_leaves({k: v for k, v in block.items() if k not in _OWN["key"]}))
    try:
        found = entries_of(
            place,
            numbers["at"],
            values,
            track=numbers["track"],
            ease=ease,
            where=where,
            controls=controls,
            foreign=True,
        )
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(problems)
    return found


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a table and of those in it, by their dotted keys."""
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _blocks(timeline: Timeline) -> Iterator[tuple[tuple[Place, int, int, Ease], list[Entry]]]:
    """Entries that can stand in one block of the file: words have no way of their own."""

    def block(entry: Entry) -> tuple[Place, int, int]:
        return entry.place, entry.at, entry.track

    for (place, at, track), group in groupby(timeline, key=block):
        by_ease: dict[Ease, list[Entry]] = {}
        entries = list(group)
        moving = [entry for entry in entries if place == "key" and _is_number(entry.value)]
        for entry in moving:
            by_ease.setdefault(entry.ease, []).append(entry)
        first: Ease = next(iter(by_ease), "linear")
        for entry in entries:
            if entry not in moving:
                by_ease.setdefault(first, []).append(entry)
        for ease, found in by_ease.items():
            yield (place, at, track, ease), sorted(found, key=lambda entry: entry.option)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _are_tables(blocks: Any) -> bool:
    return isinstance(blocks, list) and all(isinstance(block, dict) for block in blocks)


def _value(value: bool | int | float | str) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    # TOML forbids this one control character, which JSON lets stand.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    """A dotted name as TOML writes it."""
    parts = name.split(".")
    return ".".join(
        part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else _value(part) for part in parts
    )


def _bare(name: str) -> str:
    """A dotted name as it was written, without quotes and spaces."""
    return ".".join(part.strip().strip("\"'") for part in name.split("."))


class _Lines:
    """Where blocks and their keys stand in a text, as far as they have lines of their own."""

    def __init__(self, text: str, name: str) -> None:
        self._name = name
        self._known: dict[tuple[str, int, str], int] = {}
        place = ""
        counts: dict[str, int] = {}
        below = ""  # what `[key.color.sot]` puts before its keys
        for number, line in enumerate(text.splitlines(), start=1):
            header = re.match(rf"\s*\[+\s*({_NAMES})\s*(\]|$)", line)
            key = re.match(rf"\s*({_NAMES})\s*=", line)
            if header:
                place, _, below = _bare(header[1]).partition(".")
                if not below:
                    counts[place] = counts.get(place, -1) + 1
                below = f"{below}." if below else ""
                self._known.setdefault((place, counts.get(place, 0), ""), number)
            elif key:
                name = below + _bare(key[1])
                where = (place, counts.get(place, 0), name) if place else (name, 0, "")
                self._known.setdefault(where, number)

    def of(self, place: str, number: int = 0, key: str = "") -> str:
        """File, line, and the key's name."""
        line = self._known.get((place, number, key)) or self._known.get((place, number, ""))
        where = f"{self._name}, line {line}" if line else self._name
        return f"{where}: {place}.{key}" if key else where
