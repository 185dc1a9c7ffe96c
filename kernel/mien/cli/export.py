"""`mien export`: a trained model for other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from .building import begin, job, with_json


@click.group("export")
def command() -> None:
    """A trained model for other programs: DFM, ONNX, tensors, DeepFaceLab's files.

    The newest whole generation of the model is taken.
    """


with_output = click.option(
    "--output",
    "-o",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write",
)
of_model = click.argument("model", metavar="MODEL_FOLDER", type=click.Path(path_type=Path))


@job("dfm")
@of_model
@with_output
@click.option("--half", is_flag=True, help="Convolutions in float16: half the size, for GPUs")
@with_json
def dfm(ctx: click.Context, model: Path, output: Path, half: bool, as_json: bool) -> None:
    """Write MODEL_FOLDER as a DFM file, which live programs load.

    What the file gives is compared with what the model gives before it gets its name.  Of AMP
    models the file has the second input `morph_value:0`.

    \b
    mien export dfm models/anna-bert -o anna-bert.dfm
    mien swap bert.mp4 --model anna-bert.dfm -o out.mp4
    """
    _export(ctx, model, output, as_json, form="dfm", half=half)


@job("onnx")
@of_model
@with_output
@click.option("--half", is_flag=True, help="Compute in float16 inside: half the size, for GPUs")
@with_json
def onnx(ctx: click.Context, model: Path, output: Path, half: bool, as_json: bool) -> None:
    """Write the swap net of MODEL_FOLDER as an ONNX file.

    It takes `face`, (N, 3, S, S), and gives `image` and, where the model learned them, `swap_mask`
    and `target_mask`.  Order and range of the numbers stand in the file's metadata, under `mien`.

    \b
    mien export onnx models/anna-bert -o anna-bert.onnx
    """
    _export(ctx, model, output, as_json, form="onnx", half=half)


@job("safetensors")
@of_model
@with_output
@with_json
def safetensors(ctx: click.Context, model: Path, output: Path, as_json: bool) -> None:
    """Write the weights of MODEL_FOLDER as one file of named tensors.

    What net they belong to stands in the file's metadata, under `mien`.

    \b
    mien export safetensors models/anna-bert -o anna-bert.safetensors
    """
    _export(ctx, model, output, as_json, form="safetensors")


@job("dfl-model")
@of_model
@click.option(
    "--output",
    "-o",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="DeepFaceLab's folder of models",
)
@click.option("--name", metavar="NAME", help="What the model is called there  [default: as here]")
@with_json
def dfl_model(
    ctx: click.Context, model: Path, output: Path, name: str | None, as_json: bool
) -> None:
    """Write MODEL_FOLDER as DeepFaceLab keeps it: weights, optimizer, options, losses.

    For models of saehd, amp and quick96; `mien import dfl-model` is the way back.

    \b
    mien export dfl-model models/anna-bert -o workspace/model
    """
    from ..jobs.dfl import export_folder

    with begin(ctx, {}) as run:
        done = export_folder(run, folder=model, place=output, name=name or model.resolve().name)
    if as_json:
        files = [str(path) for path in done.files]
        click.echo(json.dumps({"files": files, "iteration": done.iteration}))
        return
    words = f"{len(done.files)} files, iteration {done.iteration}"
    click.echo(f"{done.base}_*: {words}")


def _export(
    ctx: click.Context, model: Path, output: Path, as_json: bool, *, form: Any, half: bool = False
) -> None:
    from ..jobs.export import export

    with begin(ctx, {}) as run:
        done = export(run, folder=model, path=output, form=form, half=half)
    if as_json:
        facts = {
            "output": str(done.path),
            "plugin": done.plugin,
            "iteration": done.iteration,
            "bytes": done.bytes,
            "difference": done.difference,
        }
        click.echo(json.dumps(facts))
        return
    checked = "" if done.difference is None else f", {done.difference:.1g} from the model's own"
    words = f"{done.plugin}, iteration {done.iteration}, {done.bytes:,} bytes{checked}"
    click.echo(f"{done.path}: {words}")


for each in (dfm, onnx, safetensors, dfl_model):
    command.add_command(each)
