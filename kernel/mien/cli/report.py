"""What the rendering commands say at the end."""

from __future__ import annotations

import json

import click

from ..jobs.render import Rendered


def say_rendered(done: Rendered, as_json: bool) -> None:
    """The result on stdout, as a sentence or as JSON."""
    rate = done.frames / done.report.seconds if done.report.seconds else 0.0
    if as_json:
        facts = {
            "output": str(done.path),
            "frames": done.frames,
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
    click.echo(
        f"{done.path}: {done.frames} frames, {done.swapped} with the new face, "
        f"{rate:.1f} frames a second"
    )
    if done.sheet:
        click.echo(f"contact sheet: {done.sheet}")
