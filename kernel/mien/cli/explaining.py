"""`mien merge --explain FRAME`: every value of a frame, and where it comes from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..jobs import Run
    from ..keyframes import Found


def say_explained(run: Run, workspace: Path, frames: Sequence[int], as_json: bool) -> None:
    """The values on stdout, as a table or as JSON."""
    from ..jobs.explain import explain

    found = explain(run, workspace, frames)
    if as_json:
        facts = {
            "frames": [
                {
                    "frame": each.frame,
                    "track": None if each.track < 0 else each.track,
                    "merge": _facts(each.values),
                    "plugins": _facts(each.plugins),
                }
                for each in found.faces
            ],
            "plugins": _facts(found.everywhere),
        }
        click.echo(json.dumps(facts, indent=1))
        return
    for each in found.faces:
        whose = f", track {each.track}" if each.track >= 0 else ""
        click.echo(f"frame {each.frame}{whose}")
        _table([*each.values, *each.plugins])
    click.echo("every frame")
    _table(found.everywhere)


def _table(values: Sequence[Found]) -> None:
    wide = max((len(each.name) for each in values), default=0)
    for each in values:
        click.echo(f"  {each.name:<{wide}}  {_shown(each.value):<12}  {each.origin}")


def _facts(values: Sequence[Found]) -> dict[str, Any]:
    return {each.name: {"value": each.value, "from": each.origin} for each in values}


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ",".join(str(part) for part in value) or "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
