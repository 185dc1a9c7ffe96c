"""What the rendering commands say at the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..jobs.render import Rendered
from .building import with_sheet


def with_extras(function: Callable[..., Any]) -> Callable[..., Any]:
    """The flags for what a render makes besides its clip: the fields of `jobs.swap.Extras`."""
    options = (
        click.option(
            "--masks",
            default="",
            metavar="PATH",
            help="Also write the alpha that was used, grey and lossless: a clip or a folder",
        ),
        click.option(
            "--patches",
            type=click.Path(path_type=Path),
            metavar="FOLDER",
            help="Also write every new face as a picture, with its place in patches.json",
        ),
        click.option(
            "--resume",
            is_flag=True,
            help="Go on with an unfinished render of the same work, and leave one to go on with",
        ),
    )
    for option in options:
        function = option(function)
    return with_sheet(function)


def say_rendered(done: Rendered, as_json: bool) -> None:
    """The result on stdout, as a sentence or as JSON."""
    rate = done.frames / done.report.seconds if done.report.seconds else 0.0
    if as_json:
        facts = {
            "output": str(done.path),
            "frames": done.frames,
            "resumed_at": done.resumed_at,
            "layers": [str(path) for path in done.layers],
            "frames_with_face": done.with_face,
            "frames_swapped": done.swapped,
            "frames_failed": {str(frame): reason for frame, reason in done.failed.items()},
            "seconds": round(done.report.seconds, 3),
            "frames_per_second": round(rate, 2),
            "sheet": str(done.sheet) if done.sheet else None,
            "steps": {
                step.name: round(step.seconds / max(step.items, 1) * 1000, 3)
                for step in done.report.steps
            },
        }
        click.echo(json.dumps(facts))
        return
    there = f" behind the {done.resumed_at} that were there" if done.resumed_at else ""
    click.echo(
        f"{done.path}: {done.frames} frames{there}, {done.swapped} with the new face, "
        f"{rate:.1f} frames a second"
    )
    for path in done.layers:
        click.echo(f"beside it: {path}")
    if done.sheet:
        click.echo(f"contact sheet: {done.sheet}")
