"""`mien faces`, the part that writes files: merge, pack, resize, draw, save what is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .building import begin, job, with_json

if TYPE_CHECKING:
    from ..jobs.faces_copy import Written

FACE_TYPES = ("half", "mid", "full", "full-upright", "whole", "head", "head-upright")

place = click.argument("folder", type=click.Path(path_type=Path))
with_output = click.option(
    "--output",
    "-o",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to write into",
)
with_file = click.option(
    "--output", "-o", required=True, type=click.Path(path_type=Path), help="The file to write"
)


@job("merge")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@with_output
@with_json
def merge(ctx: click.Context, folders: tuple[Path, ...], output: Path, as_json: bool) -> None:
    """Put the faces of several FOLDERS into one; of a packed set, unpack it.

    \b
    mien faces merge faces/anna-1 faces/anna-2 -o faces/anna
    """
    from ..jobs.faces_files import merge_faces

    with begin(ctx, {}) as run:
        done = merge_faces(run, folders=folders, output=output)
    say_written(done, as_json)


@job("pack")
@place
@with_file
@with_json
def pack(ctx: click.Context, folder: Path, output: Path, as_json: bool) -> None:
    """Put FOLDER into one file, byte by byte, with what was drawn on its faces.

    The file is a ZIP archive without compression.  It can be given wherever a faceset is read, to
    train from it as well; to sort or change it, unpack it.  FOLDER stays as it is.

    \b
    mien faces pack faces/anna -o anna.zip
    """
    from ..jobs.faces_copy import pack_faces

    with begin(ctx, {}) as run:
        done = pack_faces(run, folder=folder, path=output)
    say_written(done, as_json)


@job("unpack")
@click.argument("pack", type=click.Path(path_type=Path))
@with_output
@with_json
def unpack(ctx: click.Context, pack: Path, output: Path, as_json: bool) -> None:
    """Write the files of PACK into a folder, as they were packed.

    \b
    mien faces unpack anna.zip -o faces/anna
    """
    from ..jobs.faces_copy import unpack_faces

    with begin(ctx, {}) as run:
        done = unpack_faces(run, path=pack, output=output)
    say_written(done, as_json)


@job("resize")
@place
@click.option("--size", required=True, type=click.IntRange(16, 8192), help="Side in pixels")
@click.option("--face-type", type=click.Choice(FACE_TYPES), help="Also change the face type")
@with_output
@with_json
def resize(
    ctx: click.Context,
    folder: Path,
    size: int,
    face_type: str | None,
    output: Path,
    as_json: bool,
) -> None:
    """Write the faces of FOLDER at another size, or as another face type.

    \b
    mien faces resize faces/anna --size 256 --face-type full -o faces/anna-256
    """
    from ..jobs.faces_files import resize_faces
    from ..types import FaceType

    kind = FaceType(face_type) if face_type else None
    with begin(ctx, {}) as run:
        done = resize_faces(run, folder=folder, output=output, size=size, face_type=kind)
    say_written(done, as_json)


@job("sheet", kinds=("embedder",))
@place
@click.option("--by", default="face-yaw", metavar="METHOD", help="The order  [face-yaw]")
@click.option("--count", default=60, type=click.IntRange(1, 1000), help="Faces to show  [60]")
@click.option(
    "--output", "-o", required=True, type=click.Path(path_type=Path), help="The picture to write"
)
def sheet(ctx: click.Context, folder: Path, by: str, count: int, output: Path) -> None:
    """Show faces of FOLDER side by side, spread evenly over an order.

    \b
    mien faces sheet faces/anna --by blur -o anna.jpg
    """
    from ..jobs.faces_files import sheet_faces

    with begin(ctx, {}) as run:
        shown = sheet_faces(run, folder=folder, by=by, path=output, count=count)
    click.echo(f"{output}: {shown} faces")


@job("overlay")
@place
@with_output
@click.option(
    "--size", default=512, type=click.IntRange(32, 4096), help="Side of the pictures  [512]"
)
@click.option(
    "--face-type", default="full", type=click.Choice(FACE_TYPES), help="Crop to outline  [full]"
)
@with_json
def overlay(
    ctx: click.Context, folder: Path, output: Path, size: int, face_type: str, as_json: bool
) -> None:
    """Draw what is known of the faces of FOLDER on them: landmarks, box, crop, masks, polygons.

    \b
    mien faces overlay faces/anna -o faces/anna-seen
    """
    from ..jobs.faces_files import overlay_faces
    from ..types import FaceType

    with begin(ctx, {}) as run:
        done = overlay_faces(
            run, folder=folder, output=output, size=size, face_type=FaceType(face_type)
        )
    say_written(done, as_json)


@job("save-metadata")
@place
@with_file
@with_json
def save_metadata(ctx: click.Context, folder: Path, output: Path, as_json: bool) -> None:
    """Write what is known of the faces of FOLDER into one file, before other programs edit them.

    \b
    mien faces save-metadata faces/anna -o anna.json
    """
    from ..jobs.faces_metadata import save_metadata as save

    with begin(ctx, {}) as run:
        done = save(run, folder=folder, path=output)
    say_written(done, as_json)


@job("restore-metadata")
@place
@click.argument("saved", type=click.Path(path_type=Path))
@with_json
def restore_metadata(ctx: click.Context, folder: Path, saved: Path, as_json: bool) -> None:
    """Put the metadata of the file SAVED back into the pictures of FOLDER.

    Pictures are known by their names; they may have been scaled meanwhile.
    """
    from ..jobs.faces_metadata import restore_metadata as restore

    with begin(ctx, {}) as run:
        done = restore(run, folder=folder, path=saved)
    say_written(done, as_json)


def say_written(done: Written, as_json: bool) -> None:
    """Tell how many faces were written, and where."""
    if as_json:
        facts = {"faceset": str(done.place), "written": done.written, "skipped": done.skipped}
        click.echo(json.dumps(facts))
        return
    skipped = f", {done.skipped} skipped" if done.skipped else ""
    click.echo(f"{done.place}: {done.written} faces written{skipped}")


commands = (*(merge, pack, unpack, resize, sheet, overlay, save_metadata, restore_metadata),)
