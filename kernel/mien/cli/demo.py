"""`mien demo`: a finished swap from nothing but installed packages."""

from __future__ import annotations

from pathlib import Path

import click

from .building import begin, job


@job("demo", sections=("runtime",))
@click.option(
    "--folder",
    "-o",
    type=click.Path(path_type=Path),
    default=Path("demo-output"),
    show_default=True,
    help="Where clips, faces, model and result go",
)
@click.option(
    "--minutes", type=float, default=3.0, show_default=True, help="How long the model learns"
)
def command(ctx: click.Context, folder: Path, minutes: float) -> None:
    """Make a finished swap from nothing but installed packages.

    Two photographs become short clips; their faces are extracted, a small model learns both, and
    one face is put on the other clip, sound and all.  Takes about five minutes on two cores.
    """
    from ..jobs.demo import demo

    with begin(ctx, {}) as run:
        done = demo(run, folder, minutes=minutes)
    click.echo(f"finished clip:  {done.rendered.path}")
    click.echo(f"contact sheet:  {done.rendered.sheet}")
    click.echo(f"model preview:  {done.model / 'preview' / 'latest.png'}")
