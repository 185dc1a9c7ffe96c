"""`mien swap`: the main job."""

from __future__ import annotations

from typing import Any

import click

from .building import begin, job, with_json
from .report import say_rendered, with_extras


@job(
    "swap",
    sections=("merge", "find", "encode", "runtime"),
    kinds=("detector", "aligner", "embedder", "masker", "enhancer", "color", "blend"),
)
@click.argument("target", required=False)
@click.option("--model", "-m", metavar="FOLDER", help="Folder of the trained model, or a DFM file")
@click.option("--output", "-o", metavar="PATH", help="The finished clip, a folder or a pattern")
@with_extras
@with_json
def command(
    ctx: click.Context,
    target: str | None,
    model: str | None,
    output: str | None,
    as_json: bool,
    **extras: Any,
) -> None:
    """Put a trained face into TARGET, in one pass.

    TARGET is a video file, a folder of pictures, a numbered pattern such as shot_%04d.png or a
    glob such as 'shots/*.png'.  Sound, timestamps and colour tags of TARGET are kept.  Beside the
    result lies RESULT.mien.toml: `mien swap --config RESULT.mien.toml` does it again.

    \b
    mien swap clip.mp4 --model models/anna -o swapped.mp4
    mien swap clip.mp4 -m models/anna -o out.mov --codec prores --erode 4 --color none
    """
    from ..jobs.swap import Extras, swap

    with begin(ctx, {"input": target, "model_folder": model, "output": output}) as run:
        done = swap(run, extras=Extras(**extras))
    say_rendered(done, as_json)
