"""`NAME_state.json`: what a model of faceswap remembers beside its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.atomic import write_whole
from mien.errors import InputError

SUFFIX = "_state.json"
_MOST_BYTES = 1 << 26


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A model's standing: its plugin, iterations, settings; `values` is the whole file."""

    name: str
    iterations: int
    config: Mapping[str, Any]
    values: Mapping[str, Any]


def find_states(folder: Path) -> list[Path]:
    """The state files of a folder, by name."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def read_state(path: Path) -> State:
    """A state file.  Raises InputError where it is damaged."""
    where = f"faceswap's state '{path}'"
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{where}: is larger than any state")
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{where}: cannot be read ({error})") from error
    if not isinstance(values, dict):
        raise InputError(f"{where}: is no table")
    iterations, config = values.get("iterations"), values.get("config", {})
    if type(iterations) is not int or iterations < 0 or not isinstance(config, dict):
        raise InputError(f"{where}: does not say how many iterations were done, or with what")
    return State(
        name=str(values.get("name") or path.name.removesuffix(SUFFIX)),
        iterations=iterations,
        config=config,
        values=values,
    )


def write_state(path: Path, values: Mapping[str, Any]) -> None:
    """Write a state file, whole or not at all.  Raises OutputError, or ValueError for no JSON."""
    write_whole(path, json.dumps(dict(values), allow_nan=False).encode())
