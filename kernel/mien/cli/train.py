"""`mien train`: a model learns two people."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..config import Setting
from ..errors import StoppedError
from .building import begin, job, with_json
from .old_words import TRAIN, refuse

if TYPE_CHECKING:
    from ..training.progress import TrainReport

SESSION = ("faces_per_second", "figures", "verdict")
"""What `--json` tells of the session besides."""


def _with_batch(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    """`--batch auto` is `--batch-size 0`."""
    if value is None:
        return
    if value != "auto" and not value.isdecimal():
        raise click.UsageError(f"--batch {value}: must be a number of faces, or auto", ctx)
    count = 0 if value == "auto" else int(value)
    ctx.obj.settings.append(Setting(key="train.batch_size", value=count, origin=f"--batch {value}"))


@refuse(TRAIN)
@job("train", sections=("train", "runtime"), kinds=("model",))
@click.argument("model", required=False)
@click.option(
    "--source",
    required=True,
    type=click.Path(path_type=Path),
    help="Faceset of the person whose face is put in",
)
@click.option(
    "--target",
    required=True,
    type=click.Path(path_type=Path),
    help="Faceset of the person in the clip that receives it",
)
@click.option(
    "--output", "-o", metavar="FOLDER", help="The model's folder; one that exists goes on"
)
@click.option(
    "--restore",
    type=int,
    metavar="ITERATION",
    help="Go back to this saved iteration first; later ones are set aside",
)
@click.option(
    "--batch",
    metavar="N|auto",
    expose_value=False,
    callback=_with_batch,
    help="Faces of each person in one iteration, or as many as fit into the GPU's memory",
)
@with_json
def command(
    ctx: click.Context,
    model: str | None,
    source: Path,
    target: Path,
    output: str | None,
    restore: int | None,
    as_json: bool,
) -> None:
    """Train MODEL on two facesets, or go on with a training.

    MODEL is the name of a model plugin (`mien plugins list`).  Ctrl-C saves and leaves; the same
    command goes on.  Look at FOLDER/preview/latest.png to see how far it is: source, its
    reconstruction, target, its reconstruction, swap.

    \b
    mien train original --source faces/anna --target faces/bert -o models/anna
    mien train original --source a --target b -o m --minutes 30 --original-width 0.5
    """
    from ..jobs.train import train
    from ..training.options_show import REQUEST
    from .signals import touched_on_signal

    said = [each.origin for each in ctx.obj.settings if each.key == "train.batch_size"]
    if len(said) > 1:
        raise click.UsageError(f"{' and '.join(said)} are the same setting; give one of them", ctx)
    leads = os.environ.get("RANK", "0") == "0"
    if not leads:  # beside the process that saves and shows
        ctx.meta["mien.progress"] = "none"
    with begin(ctx, {"output": output}, chosen={"model": model}) as run:
        folder = run.config.job().output
        if not folder:
            raise click.UsageError("say where the model lives: -o FOLDER")
        with touched_on_signal(Path(folder) / REQUEST):
            done = train(run, source=source, target=target, folder=Path(folder), restore=restore)
    if leads:
        _tell(folder, done, as_json=as_json)
    if done.ended == "cancelled" and not leads:
        ctx.exit(StoppedError.exit_code)
    if done.ended == "cancelled":
        raise StoppedError(f"stopped at iteration {done.iteration}; it is saved, and goes on")


def _tell(folder: str, done: TrainReport, *, as_json: bool) -> None:
    """How it ended, for people or for programs."""
    losses = {name: round(value, 6) for name, value in done.losses.items()}
    if as_json:
        facts = {
            "model": folder,
            "iteration": done.iteration,
            "steps": done.steps,
            "seconds": round(done.seconds, 2),
            "losses": losses,
            "ended": done.ended,
            **{key: done.session[key] for key in SESSION if key in done.session},
        }
        click.echo(json.dumps(facts))
    else:
        words = [f"{name} {value:.4f}" for name, value in losses.items()]
        stands = f"{folder}: iteration {done.iteration} ({done.steps} in this run)"
        click.echo(", ".join([stands, *words]))
        if "verdict" in done.session:
            click.echo(done.session["verdict"])
        sheet = Path(folder) / "preview" / "latest.png"
        if sheet.exists():
            click.echo(f"look at it: {sheet}")
