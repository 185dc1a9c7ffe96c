"""`mien merge`: a model's face on faces that are known already."""

from __future__ import annotations

from pathlib import Path

import click

from .building import begin, job, with_json, with_sheet
from .report import say_rendered


@job("merge", sections=("merge", "encode", "runtime"), kinds=("masker", "color", "blend"))
@click.argument("target", required=False)
@click.option(
    "--workspace",
    "-w",
    required=True,
    type=click.Path(path_type=Path),
    help="The workspace that `mien extract TARGET --workspace` filled",
)
@click.option("--model", "-m", metavar="FOLDER", help="Folder of the trained model, or a DFM file")
@click.option("--output", "-o", metavar="PATH", help="The finished clip, a folder or a pattern")
@with_sheet
@with_json
def command(
    ctx: click.Context,
    target: str | None,
    workspace: Path,
    model: str | None,
    output: str | None,
    sheet: Path | None,
    as_json: bool,
) -> None:
    """Put a trained face on the faces that a workspace knows of TARGET.

    Nothing is detected again: what was found, and what was corrected since, is used as it is.

    \b
    mien extract clip.mp4 --workspace work
    mien merge clip.mp4 --workspace work --model models/anna -o swapped.mp4
    """
    from ..jobs.swap import merge

    with begin(ctx, {"input": target, "model_folder": model, "output": output}) as run:
        done = merge(run, workspace, sheet=sheet)
    say_rendered(done, as_json)
