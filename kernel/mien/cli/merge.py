"""`mien merge`: a model's face on faces that are known already."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import click

from .building import JobCommand, begin, job, with_json
from .explaining import say_explained
from .report import say_rendered, with_extras


class _MergeCommand(JobCommand):
    """Tells whoever says `--set frame=120 erode=12`, and means a keyframe, how to set it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Look before a word too many is complained of."""
        for flag, word in pairwise(args):
            place, _, number = word.partition("=")
            if flag in ("--set", "-s") and place in ("frame", "shot", "track"):
                raise click.UsageError(
                    f"{flag} {word}: is no setting of the whole run; what changes over the clip "
                    f"is said to `mien keys set CLIP -w WORKSPACE --{place} {number} "
                    "CONTROL=VALUE...`",
                    ctx,
                )
        return super().parse_args(ctx, args)


@job(
    "merge",
    sections=("merge", "encode", "runtime"),
    kinds=("masker", "enhancer", "color", "blend"),
    cls=_MergeCommand,
)
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
@click.option(
    "--explain",
    type=click.IntRange(min=0),
    multiple=True,
    metavar="FRAME",
    help="Render nothing; print where each value of this frame comes from; may be repeated",
)
@click.option(
    "--cache/--no-cache",
    default=True,
    help="Take the frames that no change touches from the last merge, and keep this one's "
    "(rendered.db of the workspace)  [default: yes]",
)
@with_extras
@with_json
def command(
    ctx: click.Context,
    target: str | None,
    workspace: Path,
    model: str | None,
    output: str | None,
    explain: tuple[int, ...],
    cache: bool,
    as_json: bool,
    **extras: Any,
) -> None:
    """Put a trained face on the faces that a workspace knows of TARGET.

    Nothing is detected again: what was found, and what was corrected since, is used as it is.
    `mien keys` sets what changes over the clip.

    \b
    mien extract clip.mp4 --workspace work
    mien merge clip.mp4 --workspace work --model models/anna -o swapped.mp4
    """
    if explain:
        with begin(ctx, {"input": target, "model_folder": model, "output": output}) as run:
            say_explained(run, workspace, explain, as_json)
        return
    from ..jobs.swap import Extras, merge

    with begin(ctx, {"input": target, "model_folder": model, "output": output}) as run:
        done = merge(run, workspace, extras=Extras(**extras), cache=cache)
    say_rendered(done, as_json)
