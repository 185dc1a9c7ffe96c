"""`mien faces`: facesets sorted, thinned out, compared; the rest is in `faces_files`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ConfigError
from .building import begin, job, with_json
from .faces_files import commands, place, say_written

if TYPE_CHECKING:
    from ..jobs import Run
    from ..jobs.faces import Chosen


@click.group("faces")
def command() -> None:
    """Facesets: sort, thin out, compare, merge, pack, resize, show.

    What is measured of a face is kept beside the faceset, so that a second question is answered at
    once.  Nothing is changed where no flag says so, and nothing is ever deleted: what goes, goes to
    the folder NAME_trash beside the set; `restore-names` undoes a sorting, `restore-trash` brings
    back what went.

    What was deleted here is forgotten by a workspace with `mien alignments remove-faces`;
    `remove-pictures` there is the other way round, and `extract` takes faces out once more.
    """


may_copy = click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the kept faces into this folder",
)
may_trash = click.option("--trash", is_flag=True, help="Move the others to FOLDER_trash")


with_same = click.option(
    "--same",
    type=click.FloatRange(-1, 1),
    help="Likeness (cosine) from which two faces are one person  [find.same_person, 0.6]",
)


@job("sort", kinds=("embedder",))
@place
@click.option("--by", default="hist", metavar="METHOD", help="The order  [default: hist]")
@click.option("--target", default=2000, type=click.IntRange(1), help="Of `final`: how many to keep")
@click.option("--reverse", is_flag=True, help="The other way round")
@click.option("--rename", is_flag=True, help="Call them 00000, 00001 and so on")
@click.option("--folders", is_flag=True, help="Put groups into folders METHOD_000 and so on")
@click.option("--bins", default=5, type=click.IntRange(1, 1000), help="How many groups  [5]")
@with_same
@with_json
def sort(
    ctx: click.Context,
    folder: Path,
    by: str,
    target: int,
    reverse: bool,
    rename: bool,
    folders: bool,
    bins: int,
    same: float | None,
    as_json: bool,
) -> None:
    """Sort the faces of FOLDER: print them in order, or rename or group them.

    `mien faces methods` lists the orders.  Faces that an order leaves out, and pictures that
    cannot be read, go to FOLDER_trash where something is moved.

    \b
    mien faces sort faces/anna --by blur
    mien faces sort faces/anna --by hist --rename
    """
    from ..jobs.faces import move_into_groups, rename_sorted, sort_faces

    if rename and folders:
        raise ConfigError("--rename and --folders exclude each other; choose one")
    with begin(ctx, {}) as run:
        groups = bins if folders else 0
        chosen = sort_faces(
            run, folder, by=by, target=target, reverse=reverse, bins=groups, same=same
        )
        if rename or folders:
            moved = (
                rename_sorted(run, chosen) if rename else move_into_groups(run, chosen, _word(by))
            )
            _say_moved(moved, as_json)
            return
    _list(chosen, as_json)


def _word(method: str) -> str:
    return method.replace("-", "_")


@job("methods")
@with_json
def methods(ctx: click.Context, as_json: bool) -> None:
    """List the orders that `mien faces sort` knows."""
    from ..curation import METHODS

    if as_json:
        click.echo(json.dumps({name: method.summary for name, method in METHODS.items()}))
        return
    for name, method in METHODS.items():
        click.echo(f"{name:24} {method.summary}")


@job("best")
@place
@click.argument("count", type=click.IntRange(1))
@may_copy
@may_trash
@with_json
def best(
    ctx: click.Context, folder: Path, count: int, output: Path | None, trash: bool, as_json: bool
) -> None:
    """Choose COUNT faces of FOLDER that together show most of what all of it shows.

    Poses, expressions and lights are spread as widely as they go; of like faces the sharper wins.

    \b
    mien faces best faces/anna 500 -o faces/anna-500
    """
    from ..jobs.faces import choose_best

    with begin(ctx, {}) as run:
        _finish(run, choose_best(run, folder, count=count), output, trash, as_json)


@job("duplicates")
@place
@click.option(
    "--bits",
    default=8,
    type=click.IntRange(0, 15),
    help="How unlike pictures may be and still count as the same, of 256  [default: 8]",
)
@may_copy
@may_trash
@with_json
def duplicates(
    ctx: click.Context, folder: Path, bits: int, output: Path | None, trash: bool, as_json: bool
) -> None:
    """Of faces in FOLDER that look the same keep the sharpest.

    \b
    mien faces duplicates faces/anna --trash
    """
    from ..jobs.faces import drop_duplicates

    with begin(ctx, {}) as run:
        _finish(run, drop_duplicates(run, folder, bits=bits), output, trash, as_json)


@job("filter", kinds=("embedder",))
@place
@click.option(
    "--where",
    "limits",
    multiple=True,
    metavar="NAME=LOW..HIGH",
    help="Keep faces whose measurement lies there; may be repeated, either end may be missing",
)
@click.option(
    "--like",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PLACE",
    help="Keep the people of this faceset, face or photograph; may be repeated",
)
@click.option(
    "--unlike",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PLACE",
    help="Leave out the people of this one; may be repeated",
)
@with_same
@may_copy
@may_trash
@with_json
def filter_(
    ctx: click.Context,
    folder: Path,
    limits: tuple[str, ...],
    like: tuple[Path, ...],
    unlike: tuple[Path, ...],
    same: float | None,
    output: Path | None,
    trash: bool,
    as_json: bool,
) -> None:
    """Keep the faces of FOLDER that lie within limits.

    Measurements: yaw, pitch, roll (degrees), size, side, rect (pixels), blur (0..1), motion-blur,
    laplacian, blur-fft, sharpness, mouth, eyes, brightness, hue, light, shade, black, black-share,
    distance, blue, green, red, frame, number.  People are told apart by an embedder.

    \b
    mien faces filter faces/anna --where yaw=-45..45 --where size=100.. --trash
    mien faces filter faces/all --like anna.jpg --same 0.5 -o faces/anna
    """
    from ..jobs.faces import filter_faces

    if not (limits or like or unlike):
        raise ConfigError("say which faces to keep: --where, --like or --unlike")
    with begin(ctx, {}) as run:
        chosen = filter_faces(run, folder, limits=limits, like=like, unlike=unlike, same=same)
        _finish(run, chosen, output, trash, as_json)


@job("restore-names")
@place
@with_json
def restore_names(ctx: click.Context, folder: Path, as_json: bool) -> None:
    """Give every face of FOLDER the name back that it had before it was sorted."""
    from ..jobs.faces import restore_names as restore

    with begin(ctx, {}) as run:
        _say_moved(restore(run, folder), as_json)


@job("restore-trash")
@place
@click.argument("pictures", nargs=-1, type=click.Path(path_type=Path))
@with_json
def restore_trash(
    ctx: click.Context, folder: Path, pictures: tuple[Path, ...], as_json: bool
) -> None:
    """Bring PICTURES back from FOLDER_trash, under the names that they had at first; without
    PICTURES, all that lie there.

    \b
    mien faces restore-trash faces/anna
    mien faces restore-trash faces/anna faces/anna_trash/00012.jpg
    """
    from ..jobs.faces import restore_trash as restore

    with begin(ctx, {}) as run:
        _say_moved(restore(run, folder, [path.name for path in pictures]), as_json)


@job("coverage")
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--picture", type=click.Path(path_type=Path), help="Draw it, as PNG or JPEG")
@click.option("--report", type=click.Path(path_type=Path), help="All of it as one HTML file")
@click.option("--most", default=20, type=click.IntRange(0), help="Bad faces to list  [20]")
@with_json
def coverage(
    ctx: click.Context,
    source: Path,
    target: Path,
    picture: Path | None,
    report: Path | None,
    most: int,
    as_json: bool,
) -> None:
    """Tell what SOURCE lacks to be put into TARGET: both are facesets.

    Which poses, expressions and lights are missing, which of the target's faces will look bad,
    which of the source's are of no use.

    \b
    mien faces coverage faces/anna faces/bert --report coverage.html
    """
    from ..jobs.faces_coverage import cover

    with begin(ctx, {}) as run:
        found = cover(run, source=source, target=target, picture=picture, page=report)
    answer, bad = found.coverage, found.bad()
    if as_json:
        facts: dict[str, Any] = {
            "source": len(found.source),
            "target": len(found.target),
            "covered": answer.covered,
            "uncovered": answer.uncovered,
            "missing": {line.name: line.missing for line in answer.lines},
            "bad": [{"face": str(path), "steps": a, "because": why} for path, a, why in bad],
            "repeated": [[str(path), str(other)] for path, other in found.repeated()],
            "unused": [str(path) for path in found.unused()],
        }
        click.echo(json.dumps(facts))
        return
    click.echo(f"{source}: {len(found.source)} faces; {target}: {len(found.target)} faces")
    click.echo(
        f"covered well {100 * answer.covered:.0f} %, nothing near {100 * answer.uncovered:.0f} %"
    )
    for line in answer.lines:
        click.echo(
            f"{line.name:10} {line.edges[0]:9.3g} .. {line.edges[-1]:<9.3g}{line.aspect.unit:7}"
            f"missing {100 * line.missing:3.0f} %"
        )
    click.echo(
        f"of the source {len(found.repeated())} repeat another, "
        f"{len(found.unused())} are near no face of the target"
    )
    for path, away, why in bad[:most]:
        click.echo(f"will look bad: {path} ({away:.1f} steps away: {why})")
    if len(bad) > most:
        click.echo(f"and {len(bad) - most} more")


def _finish(run: Run, chosen: Chosen, output: Path | None, trash: bool, as_json: bool) -> None:
    """Do with a choice what the flags say: copy it, throw the rest away, or list it."""
    from ..jobs.faces import copy_kept, trash_left

    if output is not None:
        done = copy_kept(run, chosen, output)
        say_written(replace(done, skipped=done.skipped + len(chosen.unread)), as_json)
    if trash:
        _say_moved(trash_left(run, chosen), as_json)
    if output is None and not trash:
        _list(chosen, as_json)


def _list(chosen: Chosen, as_json: bool) -> None:
    if as_json:
        facts: dict[str, Any] = {
            "folder": str(chosen.folder),
            "kept": [str(path) for path in chosen.kept],
            "left": [str(path) for path in chosen.left],
            "unread": [str(path) for path in chosen.unread],
        }
        if chosen.scores is not None:
            # JSON has no word for what is not a number.
            facts["scores"] = [score if score == score else None for score in chosen.scores]
        click.echo(json.dumps(facts))
        return
    for number, path in enumerate(chosen.kept):
        score = "" if chosen.scores is None else f"\t{chosen.scores[number]:.6g}"
        click.echo(f"{path}{score}")
    if chosen.left:
        click.echo(f"{len(chosen.kept)} faces, {len(chosen.left)} left out", err=True)


def _say_moved(moved: Any, as_json: bool) -> None:
    if as_json:
        facts = {"folder": str(moved.folder), "moved": moved.moved, "trashed": moved.trashed}
        click.echo(json.dumps(facts))
        return
    trashed = f", {moved.trashed} moved to {moved.trash}" if moved.trashed else ""
    click.echo(f"{moved.folder}: {moved.moved} faces in their places{trashed}")


choosing = (sort, methods, best, duplicates, filter_, coverage, restore_names, restore_trash)
for each in (*choosing, *commands):
    command.add_command(each)
