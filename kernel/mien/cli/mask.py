"""`mien mask`: what is drawn on faces by hand, and the masks that are stored with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ConfigError
from .building import begin, job, with_json

if TYPE_CHECKING:
    from ..jobs.label_files import Form
    from ..jobs.labels import Changed

FORMS = ("labels", "labelme", "dfl", "dfl-pak")
_faceset = click.argument("faceset", type=click.Path(path_type=Path))
_name = click.option("--name", default="", metavar="NAME", help="What the stored mask is called")


def _output(needed: bool, words: str) -> Callable[[Any], Any]:
    kind = click.Path(path_type=Path)
    return click.option("--output", "-o", required=needed, type=kind, help=words)


@click.group("mask")
def command() -> None:
    """Polygons drawn on faces by hand, and the masks that are stored with them.

    What is drawn on a face lies in a JSON file beside it; `apply` makes a stored mask of it, which
    `mien train --mask NAME` takes.
    """


@job("status")
@_faceset
@with_json
def status(ctx: click.Context, faceset: Path, as_json: bool) -> None:
    """Say how many faces of FACESET are labelled, and which masks they hold."""
    from ..jobs.labels import label_status

    with begin(ctx, {}) as run:
        done = label_status(run, faceset)
    if as_json:
        facts: dict[str, Any] = {
            "faceset": str(faceset),
            "faces": done.faces,
            "labelled": done.labelled,
            "include": done.includes,
            "exclude": done.excludes,
            "masks": done.masks,
            "lost": [str(path) for path in done.lost],
        }
        click.echo(json.dumps(facts))
        return
    click.echo(
        f"{faceset}: {done.labelled} of {done.faces} faces are labelled, with {done.includes} "
        f"shapes that include and {done.excludes} that exclude"
    )
    for name, count in done.masks.items():
        click.echo(f"stored mask {name}: {count} faces")
    for path in done.lost:
        click.echo(f"{path}: its face is no longer there")


@job("label")
@_faceset
@click.option("--start", default="", metavar="NAME", help="The face to begin with")
@click.option(
    "--side", default=896, type=click.IntRange(256, 4096), help="Of the face, in pixels, at most"
)
def label(ctx: click.Context, faceset: Path, start: str, side: int) -> None:
    """Draw on the faces of FACESET, in a window.  Every face is written when it is left.

    \b
    click        a corner; on the first one, or Enter: close the shape
    right click  take away the last corner, or the one under the mouse
    drag         a corner, or an edge for a new one
    i e t        the next shape includes, excludes; turn the one under the mouse
    u r x Del    undo, redo; take away all, or what is under the mouse
    c            copy the drawing of the last face, fitted to this one
    d a n        next, previous face; next without a label
    wheel + - 0  larger, smaller, whole; a drag of the middle button moves the view
    m h s q      show the mask; show all keys; save; save and leave
    """
    from ..jobs.label_window import draw_labels

    with begin(ctx, {}) as run:
        written = draw_labels(run, faceset, start=start, side=side)
    click.echo(f"{faceset}: {written} faces were written")


@job("import")
@_faceset
@click.argument("place", type=click.Path(path_type=Path))
@click.option(
    "--include", multiple=True, metavar="LABEL", help="A label of LabelMe's that includes"
)
@click.option("--exclude", multiple=True, metavar="LABEL", help="One that excludes")
@click.option("--replace", is_flag=True, help="Also where the face has another drawing already")
@with_json
def import_(
    ctx: click.Context,
    faceset: Path,
    place: Path,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    replace: bool,
    as_json: bool,
) -> None:
    """Take over what is drawn in PLACE on the faces of FACESET.

    PLACE is a JSON file or a folder of them, LabelMe's or ours, or a faceset of any program whose
    faces hold polygons.  A face is found by its name.

    \b
    labelme faces/anna
    mien mask import faces/anna faces/anna
    mien mask import faces/anna workspace/data_src/aligned
    """
    from ..jobs.label_files import import_labels

    both = {word.strip().lower() for word in include} & {word.strip().lower() for word in exclude}
    if both:
        raise ConfigError(f"--include and --exclude both name {', '.join(sorted(both))}")
    with begin(ctx, {}) as run:
        done = import_labels(
            run,
            faceset,
            place,
            include=[word.strip().lower() for word in include],
            exclude=[word.strip().lower() for word in exclude],
            replace_others=replace,
        )
    facts = {kind: getattr(done, kind) for kind in done.__slots__}
    if as_json:
        click.echo(json.dumps({"faceset": str(faceset), **facts}))
        return
    click.echo(f"{faceset}: {done.written} faces labelled")
    for count, words in (
        (done.same, "were labelled the same way"),
        (done.other, "keep the drawing that they had; --replace takes the new one"),
        (done.unknown, "drawings belong to no face here"),
        (done.skipped, "could not be read"),
    ):
        if count:
            click.echo(f"{count} {words}")


@job("export")
@_faceset
@_output(True, "The folder to write into")
@click.option("--form", type=click.Choice(FORMS), default="labelme", show_default=True)
@with_json
def export(ctx: click.Context, faceset: Path, output: Path, form: Form, as_json: bool) -> None:
    """Write what is drawn on the faces of FACESET for other programs.

    labelme and labels are a JSON file for each labelled face; dfl and dfl-pak are all faces, as
    DeepFaceLab keeps them.

    \b
    mien mask export faces/anna -o drawn
    mien mask export faces/anna --form dfl -o workspace/data_src/aligned
    """
    from ..jobs.label_files import export_labels

    with begin(ctx, {}) as run:
        done = export_labels(run, faceset, output, form=form)
    _say(done, as_json)


@job("fetch")
@_faceset
@_output(True, "The folder to copy into")
@_name
@with_json
def fetch(ctx: click.Context, faceset: Path, output: Path, name: str, as_json: bool) -> None:
    """Copy the labelled faces of FACESET, each with the mask of its drawing, to train on.

    \b
    mien mask fetch faces/anna -o faces/labelled
    mien train xseg --source faces/labelled --target faces/labelled --mask label -o models/xseg
    """
    from ..jobs.labels import NAME, fetch

    with begin(ctx, {}) as run:
        done = fetch(run, faceset, output, name=name or NAME)
    _say(done, as_json)


@job("apply", sections=("runtime",), kinds=("masker",))
@_faceset
@_output(False, "Write all faces into this folder instead of changing FACESET")
@_name
@with_json
def apply(ctx: click.Context, faceset: Path, output: Path | None, name: str, as_json: bool) -> None:
    """Store a mask with every face of FACESET: that of its drawing, or, with --masker, what a
    plugin finds.

    Pictures are not encoded anew.  The mask of a drawing is called `label`, that of a plugin as the
    plugin.

    \b
    mien mask apply faces/anna
    mien mask apply faces/anna --masker xseg --xseg-model models/xseg
    """
    from ..jobs.labels import apply

    # A masker in a configuration file is for clips; here it is asked for by its flag alone.
    asked = any(setting.key == "masker.use" for setting in ctx.obj.settings)
    with begin(ctx, {}) as run:
        masker = run.config.chosen("masker") if asked else ()
        if len(masker) > 1:
            raise ConfigError("--masker: name one; run it again for another")
        done = apply(run, faceset, folder=output, name=name, masker=masker[0] if masker else "")
    _say(done, as_json)


@job("remove")
@_faceset
@click.option("--labels", is_flag=True, help="What is drawn; it is moved aside, not deleted")
@click.option("--stored", multiple=True, metavar="NAME", help="The stored mask of this name")
@with_json
def remove(
    ctx: click.Context, faceset: Path, labels: bool, stored: tuple[str, ...], as_json: bool
) -> None:
    """Take drawings or stored masks off the faces of FACESET."""
    from ..jobs.labels import remove

    with begin(ctx, {}) as run:
        done, kept = remove(run, faceset, labels=labels, masks=stored)
    _say(done, as_json, {"moved_to": str(kept) if kept else None})
    if kept and not as_json:
        click.echo(
            f"what was drawn lies aside; to bring it back: mien mask import {faceset} {kept}"
        )


@job("show")
@_faceset
@_output(True, "The picture to write")
@click.option("--stored", default="", metavar="NAME", help="Show the stored mask of this name")
@click.option("--count", default=24, type=click.IntRange(1, 400), help="How many faces")
@with_json
def show(
    ctx: click.Context, faceset: Path, output: Path, stored: str, count: int, as_json: bool
) -> None:
    """Write a contact sheet of the labelled faces of FACESET, dark outside their mask."""
    from ..jobs.label_files import label_sheet

    with begin(ctx, {}) as run:
        shown = label_sheet(run, faceset, output, mask=stored, count=count)
    facts = {"sheet": str(output), "faces": shown}
    click.echo(json.dumps(facts) if as_json else f"contact sheet: {output} ({shown} faces)")


def _say(done: Changed, as_json: bool, more: dict[str, Any] | None = None) -> None:
    if as_json:
        facts = {
            "place": str(done.place),
            "written": done.written,
            "kept": done.kept,
            "left": done.left,
        }
        click.echo(json.dumps(facts | (more or {})))
        return
    kept = f", {done.kept} were so already" if done.kept else ""
    left = f", {done.left} left as they are" if done.left else ""
    click.echo(f"{done.place}: {done.written} faces written{kept}{left}")


for each in (status, label, import_, export, fetch, apply, remove, show):
    command.add_command(each)
