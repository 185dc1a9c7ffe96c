"""`mien import`: what other programs made, as this one keeps it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from .building import begin, job, with_json


@click.group("import")
def command() -> None:
    """Models of other programs, to go on with here."""


@job("dfl-model")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name", metavar="NAME", help="Which of the models in FOLDER, where it has several")
@click.option(
    "--output",
    "-o",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The model's folder, which must not hold one yet",
)
@with_json
def dfl_model(
    ctx: click.Context, folder: Path, name: str | None, output: Path, as_json: bool
) -> None:
    """Make a model of DeepFaceLab's, in FOLDER, one of ours that goes on from where it stands.

    SAEHD, AMP and Quick96: weights, optimizer, judges, iteration, options and losses.  FOLDER is
    read, never changed, and nothing in its files is ever run.

    \b
    mien import dfl-model workspace/model -o models/anna-bert
    mien train saehd --source faces/anna --target faces/bert -o models/anna-bert
    """
    from ..jobs.dfl import import_folder

    with begin(ctx, {}) as run:
        done = import_folder(run, place=folder, name=name, folder=output)
    if as_json:
        facts = {"model": str(output), "plugin": done.plugin, "iteration": done.iteration}
        click.echo(json.dumps(facts))
        return
    click.echo(f"{output}: {done.plugin}, iteration {done.iteration}")


command.add_command(dfl_model)
