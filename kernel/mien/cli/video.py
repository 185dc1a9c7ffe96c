"""`mien video`: tools around clips."""

from __future__ import annotations

import json

import click

from ..jobs.video import Copied, copy, denoised, moment
from ..jobs.video import join as join_clips
from .building import begin, job, with_json


@click.group("video")
def command() -> None:
    """Tools around clips: frames, cut, denoise, join."""


def _say(done: Copied, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"output": str(done.path), "frames": done.frames}))
    else:
        click.echo(f"{done.path}: {done.frames} frames")


_output = click.option("--output", "-o", metavar="PATH", help="The result: a file or a folder")
_start = click.option("--start", metavar="PLACE", help="First frame: 120, 4.8s or 1:02.5")
_stop = click.option("--stop", metavar="PLACE", help="Where it ends, before this frame or time")


@job("frames", sections=("encode",))
@click.argument("clip", required=False)
@_output
@_start
@_stop
@click.option("--every", type=click.IntRange(min=1), default=1, help="Take every n-th frame")
@with_json
def frames(
    ctx: click.Context,
    clip: str | None,
    output: str | None,
    start: str | None,
    stop: str | None,
    every: int,
    as_json: bool,
) -> None:
    """Write CLIP as pictures, or pictures as a clip.

    \b
    mien video frames clip.mp4 -o shot --picture tif --bits 16
    mien video frames shot -o clip.mkv --codec ffv1 --lossless
    """
    places = [moment(each) if each else None for each in (start, stop)]
    with begin(ctx, {"input": clip, "output": output}) as run:
        done = copy(run, start=places[0], stop=places[1], every=every)
    _say(done, as_json)


@job("cut", sections=("encode",))
@click.argument("clip", required=False)
@_output
@_start
@_stop
@with_json
def cut(
    ctx: click.Context,
    clip: str | None,
    output: str | None,
    start: str | None,
    stop: str | None,
    as_json: bool,
) -> None:
    """Write a piece of CLIP, encoded anew, with its own sound.

    \b
    mien video cut clip.mp4 -o piece.mp4 --start 1:02.5 --stop 1:10
    mien video cut clip.mp4 -o piece.mkv --start 120 --stop 360 --codec ffv1
    """
    places = [moment(each) if each else None for each in (start, stop)]
    with begin(ctx, {"input": clip, "output": output}) as run:
        done = copy(run, start=places[0], stop=places[1])
    _say(done, as_json)


@job("denoise", sections=("encode",))
@click.argument("clip", required=False)
@_output
@click.option(
    "--strength",
    type=click.FloatRange(0, 50),
    default=4.0,
    show_default=True,
    help="How strong the noise is: its standard deviation in levels of 255",
)
@click.option(
    "--reach",
    type=click.IntRange(0, 8),
    default=2,
    show_default=True,
    help="How many frames before and after are looked at",
)
@with_json
def denoise(
    ctx: click.Context,
    clip: str | None,
    output: str | None,
    strength: float,
    reach: int,
    as_json: bool,
) -> None:
    """Take noise out of CLIP by looking at neighbouring frames.

    What moves keeps its own pixels, so nothing is smeared.

    \b
    mien video denoise clip.mp4 -o calm.mp4 --strength 6
    """
    with begin(ctx, {"input": clip, "output": output}) as run:
        done = copy(run, change=denoised(strength, reach))
    _say(done, as_json)


@job("join", sections=("encode",))
@click.argument("clips", nargs=-1, required=True)
@_output
@with_json
def join(ctx: click.Context, clips: tuple[str, ...], output: str | None, as_json: bool) -> None:
    """Put CLIPS of one encoding one behind the other, without encoding anew.

    \b
    mien video join one.mp4 two.mp4 -o both.mp4
    """
    with begin(ctx, {"output": output}) as run:
        done = join_clips(run, clips)
    _say(done, as_json)


for _each in (frames, cut, denoise, join):
    command.add_command(_each)
