"""Which faces of a faceset are shown all the time, and which are held out of the learning.

The choice stands in the model's ``faces.json`` by file name, so that it stays the same where a
faceset grows: a face that a net has learned from can measure nothing any more.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...atomic import write_whole
from ...errors import ConfigError
from ..options_show import ShowOptions

FILE = "faces.json"
SMALL = 100
"""A faceset of fewer faces loses none to a share."""
MOST = 64
"""Faces that a share holds out at most: more only cost time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Places in the faceset: `shown` on the sheets, `held_out`, and `learned`, all the others."""

    shown: tuple[int, ...]
    held_out: tuple[int, ...]
    learned: tuple[int, ...]


def choose_faces(
    folder: Path, faceset: Path, names: Sequence[str], options: ShowOptions, *, keep: bool = True
) -> tuple[Chosen, str]:
    """The faces of one person, and a sentence where an earlier choice could not be kept.

    folder  the model's;  names  of the faceset's files, in order;  keep  the choice in the folder

    Raises ConfigError where more faces are to be held out than learned from.
    """
    count = count_held_out(len(names), options.held_out, faceset)
    held_out = spread_inside(len(names), count)
    shown = spread(len(names), options.preview_rows)
    known = _read(folder).get(str(faceset), {})
    places = {name: place for place, name in enumerate(names)}
    kept = [places[name] for name in known.get("held_out", ()) if name in places]
    note = ""
    if known.get("rule") == options.held_out and 2 * len(kept) >= len(known["held_out"]):
        held_out = kept
    elif known and set(known["held_out"]) != {names[place] for place in held_out}:
        note = (
            f"faceset '{faceset}': other faces are held out now; the model may have learned from "
            "them before, so their figures look better than they are"
        )
    if len(known.get("shown", ())) == len(shown) and all(n in places for n in known["shown"]):
        shown = [places[name] for name in known["shown"]]
    apart = set(held_out)
    chosen = Chosen(
        shown=tuple(shown),
        held_out=tuple(held_out),
        learned=tuple(place for place in range(len(names)) if place not in apart),
    )
    entry = {
        "rule": options.held_out,
        "shown": [names[place] for place in shown],
        "held_out": [names[place] for place in held_out],
    }
    if keep and entry != known:
        _write(folder, {**_read(folder), str(faceset): entry})
    return chosen, note


def count_held_out(count: int, rule: float, faceset: Path) -> int:
    """How many of `count` faces to hold out: a number as it is, a share of large facesets only.

    Raises ConfigError where a number leaves fewer to learn from than it takes.
    """
    if rule < 1:
        return 0 if count < SMALL else min(MOST, round(count * rule))
    if rule > count // 2:
        raise ConfigError(
            f"train.held_out: {rule:g} faces are to be held out, but faceset '{faceset}' holds "
            f"{count}; take at most {count // 2}, or 0 for none"
        )
    return int(rule)


def spread(count: int, wanted: int) -> list[int]:
    """At most `wanted` of `count` places, from the first to the last."""
    if wanted >= count:
        return list(range(count))
    return [round(i * (count - 1) / max(1, wanted - 1)) for i in range(wanted)]


def spread_inside(count: int, wanted: int) -> list[int]:
    """`wanted` of `count` places, each in the middle of an equal part."""
    return [int((i + 0.5) * count / wanted) for i in range(wanted)]


def _read(folder: Path) -> dict[str, Any]:
    """What was chosen before; nothing where the file is not there or damaged."""
    try:
        values = json.loads((folder / FILE).read_text("utf-8"))
        return {name: entry for name, entry in values.items() if _is_entry(entry)}
    except (OSError, ValueError, AttributeError):
        return {}


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, dict) and all(
        isinstance(entry.get(key), list) for key in ("shown", "held_out")
    )


def _write(folder: Path, values: dict[str, Any]) -> None:
    write_whole(folder / FILE, (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode())
