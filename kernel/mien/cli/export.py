"""`mien export`: a trained model for other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .building import begin, job, with_json

if TYPE_CHECKING:
    from ..jobs.export_faces import ExportedFaces


@click.group("export")
def command() -> None:
    """Models and faces for other programs: DFM, ONNX, tensors, files of DeepFaceLab and faceswap.

    The newest whole generation of a model is taken.
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

    For models of saehd, amp, quick96 and xseg; `mien import dfl-model` is the way back.

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


with_folder = click.option(
    "--output",
    "-o",
    required=True,
    type=click.Path(path_type=Path),
    help="Where to write; what lies there already is not written again",
)


@job("dfl-workspace")
@click.option("--source", type=click.Path(path_type=Path), help="Faceset that becomes data_src")
@click.option("--target", type=click.Path(path_type=Path), help="Faceset that becomes data_dst")
@click.option("--model", type=click.Path(path_type=Path), help="Model's folder, as well")
@click.option("--name", metavar="NAME", help="What the model is called there  [default: as here]")
@click.option("--pak", is_flag=True, help="Each faceset as one faceset.pak")
@with_folder
@with_json
def dfl_workspace(
    ctx: click.Context,
    source: Path | None,
    target: Path | None,
    model: Path | None,
    name: str | None,
    pak: bool,
    output: Path,
    as_json: bool,
) -> None:
    """Write facesets and a model into a workspace of DeepFaceLab's.

    Pictures are not encoded anew where they are JPEG files; `mien import dfl` is the way back.

    \b
    mien export dfl-workspace --source faces/anna --target faces/bert -o workspace
    mien export dfl-workspace --target faces/bert --model models/anna-bert --pak -o workspace
    """
    from ..jobs.export_faces import export_dfl_workspace

    with begin(ctx, {}) as run:
        done = export_dfl_workspace(
            run, place=output, source=source, target=target, model=model, name=name, packed=pak
        )
    if as_json:
        facts: dict[str, Any] = {"facesets": [_faces_json(each) for each in done.facesets]}
        if done.model is not None:
            facts["model"] = [str(path) for path in done.model.files]
        click.echo(json.dumps(facts))
        return
    for faces in done.facesets:
        click.echo(_faces_line(faces))
    if done.model is not None:
        words = f"{len(done.model.files)} files, iteration {done.model.iteration}"
        click.echo(f"{done.model.base}_*: {words}")


@job("dfl-meta")
@click.argument("faceset", type=click.Path(path_type=Path))
@with_folder
@with_json
def dfl_meta(ctx: click.Context, faceset: Path, output: Path, as_json: bool) -> None:
    """Write what is known of the faces of FACESET as a meta.dat, into the folder OUTPUT.

    DeepFaceLab saves it before the pictures are edited elsewhere, and takes it from there
    afterwards; so does mien, when it reads a folder in which it lies.

    \b
    mien export dfl-meta workspace/data_src/aligned -o workspace/data_src/aligned
    """
    from ..jobs.export_faces import export_faceset

    with begin(ctx, {}) as run:
        faces = export_faceset(run, faceset=faceset, folder=output, form="dfl-meta")
    click.echo(json.dumps(_faces_json(faces)) if as_json else _faces_line(faces))


@job("faceswap")
@click.argument("faceset", type=click.Path(path_type=Path))
@click.option("--clip", metavar="CLIP", help="The clip of which a workspace's faces are written")
@with_folder
@with_json
def faceswap(
    ctx: click.Context, faceset: Path, clip: str | None, output: Path, as_json: bool
) -> None:
    """Write FACESET as faceswap's face pictures, or with --clip a workspace as alignments (.fsa).

    \b
    mien export faceswap faces/anna -o faces_a
    mien export faceswap work --clip clip.mp4 -o clip_alignments.fsa
    """
    from ..jobs.export_faces import export_alignments, export_faceset

    with begin(ctx, {}) as run:
        if clip is None:
            faces = export_faceset(run, faceset=faceset, folder=output, form="faceswap")
            click.echo(json.dumps(_faces_json(faces)) if as_json else _faces_line(faces))
            return
        count = export_alignments(run, workspace=faceset, uri=clip, path=output)
    facts = {"output": str(output), "faces": count}
    click.echo(json.dumps(facts) if as_json else f"{output}: {count} faces")


def _faces_json(faces: ExportedFaces) -> dict[str, Any]:
    return {
        "folder": str(faces.folder),
        "written": faces.written,
        "kept": faces.kept,
        "skipped": faces.skipped,
    }


def _faces_line(faces: ExportedFaces) -> str:
    kept = f", {faces.kept} were there" if faces.kept else ""
    skipped = f", {faces.skipped} skipped" if faces.skipped else ""
    return f"{faces.folder}: {faces.written} faces written{kept}{skipped}"


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


for each in (dfm, onnx, safetensors, dfl_model, dfl_workspace, dfl_meta, faceswap):
    command.add_command(each)
