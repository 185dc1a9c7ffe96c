"""`mien preview`: a few frames of a swap, for a look."""

from __future__ import annotations

import json
from pathlib import Path

import click

from .building import begin, job, with_json


@job(
    "preview",
    sections=("merge", "find", "runtime"),
    kinds=("detector", "aligner", "embedder", "masker", "enhancer", "color", "blend"),
)
@click.argument("target")
@click.argument("frames", nargs=-1, required=True, type=click.IntRange(min=0), metavar="FRAME...")
@click.option("--model", "-m", metavar="FOLDER", help="Folder of the trained model, or a DFM file")
@click.option(
    "--workspace",
    "-w",
    type=click.Path(path_type=Path),
    help="Use the faces and keyframes of this workspace instead of looking for faces",
)
@click.option(
    "--sheet",
    type=click.Path(path_type=Path),
    default=Path("preview.png"),
    show_default=True,
    help="The contact sheet: before, mask, swap, after; a row for every frame",
)
@click.option(
    "--output",
    "-o",
    "folder",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Also write the finished frames as pictures",
)
@with_json
def command(
    ctx: click.Context,
    target: str,
    frames: tuple[int, ...],
    model: str | None,
    workspace: Path | None,
    sheet: Path,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Render a few FRAMEs of TARGET, counted from 0, into a contact sheet.

    Only these frames and the neighbours that stages look at are read.

    \b
    mien preview clip.mp4 0 120 240 -m models/anna -w work --erode 4
    """
    from ..jobs.preview import preview

    with begin(ctx, {"input": target, "model_folder": model}) as run:
        done = preview(run, frames, workspace=workspace, sheet=sheet, folder=folder)
    if as_json:
        facts = {
            "sheet": str(done.sheet),
            "frames": [str(path) for path in done.frames],
            "frames_swapped": done.swapped,
            "frames_failed": {str(frame): why for frame, why in done.failed.items()},
            "seconds": round(done.seconds, 3),
        }
        click.echo(json.dumps(facts))
        return
    click.echo(f"contact sheet: {done.sheet}; {done.swapped} frames with the new face")
    for frame, why in done.failed.items():
        click.echo(f"frame {frame} keeps the plate's face: {why}")
    if done.frames:
        click.echo(f"frames: {folder}")
