"""`mien import`: what other programs made, as this one keeps it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ConfigError
from .building import begin, job, with_json

if TYPE_CHECKING:
    from ..jobs.import_faces import EnteredFaces, ImportedFaces


@click.group("import")
def command() -> None:
    """Faces and models of other programs, to go on with here.

    What they made is read, never changed, and nothing in their files is ever run.
    """


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

    SAEHD, AMP, Quick96 and XSeg: weights, optimizer, judges, iteration, options and losses.  FOLDER
    is read, never changed, and nothing in its files is ever run.

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


with_output = click.option(
    "--output",
    "-o",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to write into; what lies there already is not written again",
)


@job("dfl")
@click.argument("workspace", type=click.Path(path_type=Path))
@with_output
@click.option(
    "--into-workspace",
    is_flag=True,
    help="Also remember the target's faces in OUTPUT as a workspace, for `mien merge`",
)
@with_json
def dfl(
    ctx: click.Context, workspace: Path, output: Path, into_workspace: bool, as_json: bool
) -> None:
    """Import WORKSPACE of DeepFaceLab: faces of both sides, and models.

    OUTPUT gets `source`, `target` and `models/NAME`.  WORKSPACE may also be a single folder of
    faces, or a faceset.pak: OUTPUT is then the faceset.  Stopped, the same command goes on.

    \b
    mien import dfl workspace -o project
    mien import dfl workspace/data_src/aligned -o faces/anna
    """
    from ..jobs.import_dfl import import_dfl

    with begin(ctx, {}) as run:
        done = import_dfl(run, place=workspace, folder=output, into_workspace=into_workspace)
    if as_json:
        facts: dict[str, Any] = {"facesets": [_faces_json(each) for each in done.facesets]}
        facts["models"] = [
            {"model": str(each.folder), "plugin": each.plugin, "iteration": each.iteration}
            for each in done.models
        ]
        if done.workspace is not None:
            facts["workspace"] = _entered_json(done.workspace)
        click.echo(json.dumps(facts))
        return
    for faces in done.facesets:
        click.echo(_faces_line(faces))
    for model in done.models:
        click.echo(f"{model.folder}: {model.plugin}, iteration {model.iteration}")
    if done.workspace is not None:
        click.echo(_entered_line(done.workspace))


@job("faceswap")
@click.argument("place", type=click.Path(path_type=Path))
@with_output
@click.option("--clip", metavar="CLIP", help="The clip that an alignments file is about")
@with_json
def faceswap(
    ctx: click.Context, place: Path, output: Path, clip: str | None, as_json: bool
) -> None:
    """Import PLACE of faceswap: a folder of faces, or an alignments file (.fsa) with its clip.

    Faces become the faceset OUTPUT; alignments become the workspace OUTPUT, for `mien merge`.

    \b
    mien import faceswap faces_a -o faces/anna
    mien import faceswap clip_alignments.fsa --clip clip.mp4 -o work
    """
    from ..jobs.import_faces import import_alignments, import_faceset

    with begin(ctx, {}) as run:
        if place.is_dir():
            if clip is not None:
                raise ConfigError("--clip belongs to an alignments file; a folder needs none")
            faces = import_faceset(run, place=place, folder=output, program="faceswap")
            click.echo(json.dumps(_faces_json(faces)) if as_json else _faces_line(faces))
            return
        if clip is None:
            raise ConfigError(f"say which clip {place} is about: --clip CLIP")
        done = import_alignments(run, path=place, uri=clip, workspace=output)
    click.echo(json.dumps(_entered_json(done)) if as_json else _entered_line(done))


def _faces_json(faces: ImportedFaces) -> dict[str, Any]:
    return {
        "faceset": str(faces.folder),
        "written": faces.written,
        "kept": faces.kept,
        "skipped": faces.skipped,
    }


def _faces_line(faces: ImportedFaces) -> str:
    kept = f", {faces.kept} were there" if faces.kept else ""
    skipped = f", {faces.skipped} skipped" if faces.skipped else ""
    return f"{faces.folder}: {faces.written} faces written{kept}{skipped}"


def _entered_json(done: EnteredFaces) -> dict[str, Any]:
    return {"workspace": str(done.workspace), "frames": done.frames, "faces": done.faces}


def _entered_line(done: EnteredFaces) -> str:
    return f"{done.workspace}: {done.faces} faces in {done.frames} frames"


for each in (dfl, dfl_model, faceswap):
    command.add_command(each)
