"""`mien extract`: faces out of clips."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..errors import ConfigError
from .building import begin, job, with_json, with_sheet


@job(
    "extract",
    sections=("extract", "find", "runtime"),
    kinds=("detector", "aligner", "embedder", "masker"),
)
@click.argument("clip", required=False)
@click.option("--output", "-o", metavar="FOLDER", help="Faceset: a folder of face pictures")
@click.option(
    "--workspace",
    "-w",
    type=click.Path(path_type=Path),
    help="Also, or only, remember the faces in this workspace, for `mien merge`",
)
@click.option("--fresh", is_flag=True, help="Begin anew instead of going on where it stopped")
@click.option(
    "--drawings",
    type=click.Path(path_type=Path),
    help="Also write every frame with its boxes, points, crops and masks into this folder",
)
@with_sheet
@with_json
def command(
    ctx: click.Context,
    clip: str | None,
    output: str | None,
    workspace: Path | None,
    fresh: bool,
    drawings: Path | None,
    sheet: Path | None,
    as_json: bool,
) -> None:
    """Take the faces out of CLIP.

    CLIP is a video file, a folder of pictures, a numbered pattern or a glob.  Every face is
    written as a picture that carries its landmarks, masks and origin.  Stopped or crashed, the
    same command goes on where it was.

    \b
    mien extract anna.mp4 -o faces/anna
    mien extract clip.mp4 -o faces/bert --workspace work --every 2 --max-faces 1
    """
    from ..jobs.extract import extract

    with begin(ctx, {"input": clip, "output": output}) as run:
        folder = run.config.job().output
        if not folder and workspace is None:
            raise ConfigError("say where the faces go: -o FOLDER, --workspace FOLDER, or both")
        done = extract(
            run,
            faceset=Path(folder) if folder else None,
            workspace=workspace,
            fresh=fresh,
            sheet=sheet,
            drawings=drawings,
        )
    if as_json:
        facts = {
            "frames": done.frames,
            "faces": done.faces,
            "resumed_at": done.resumed_at,
            "faceset": str(done.faceset) if done.faceset else None,
            "workspace": str(done.workspace) if done.workspace else None,
            "shots": list(done.shots),
            "tracks": done.tracks,
            "jitter": list(done.jitter) if done.jitter else None,
            "sheet": str(done.sheet) if done.sheet else None,
        }
        click.echo(json.dumps(facts))
        return
    if done.resumed_at and not done.frames:
        click.echo("nothing left to do; --fresh begins anew")
        return
    places = " and ".join(str(place) for place in (done.faceset, done.workspace) if place)
    click.echo(f"{done.faces} faces of {done.frames} frames are in {places}")
    if done.tracks:
        click.echo(f"tracks: {done.tracks} in {len(done.shots)} shots")
    if done.jitter:
        before, after = done.jitter
        click.echo(
            f"jitter: {before:.2f} % of the eye distance before smoothing, {after:.2f} % after"
        )
    if done.sheet:
        click.echo(f"contact sheet: {done.sheet}")
