"""`mien keys`: controls that change over a clip."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..keyframes import Book, Controls, Entry, Place, Timeline

F = TypeVar("F", bound=Callable[..., Any])


def _of_a_clip(function: F) -> F:
    """The clip and the workspace, which every command of the group needs."""
    function = click.option(
        "--workspace",
        "-w",
        required=True,
        type=click.Path(path_type=Path),
        help="The workspace that `mien extract CLIP --workspace` filled",
    )(function)
    return click.argument("clip")(function)


def _of_a_place(function: F) -> F:
    """Where on the clip, and whose face."""
    for flags, more in (
        (("--track", "-t"), {"help": "Whose faces; without it, everybody's"}),
        (("--shot",), {"help": "In place of --frame: the whole shot that holds this frame"}),
        (("--frame", "-f"), {"help": "The frame, from 0; else the track's first"}),
    ):
        number = click.IntRange(min=0)
        function = click.option(*flags, type=number, metavar="N", **more)(function)  # type: ignore[arg-type]
    only = click.option("--only", is_flag=True, help="This frame alone: no key on the time line")
    return only(function)


@click.group("keys")
def command() -> None:
    """Keyframes: controls that change over a clip.

    A control is one of the table [merge], such as erode, or an option of a colour transfer, a blend
    or a model, such as color.sot.steps.

    What is set for a frame alone counts before keyframes of the face's track, these before what is
    set for the shot, that before keyframes of all faces, and these before the table [merge].
    `mien merge --explain FRAME` tells what counts where.

    \b
    mien keys set clip.mp4 -w work --frame 120 erode=2 blur=8
    mien keys set clip.mp4 -w work --frame 160 erode=12 --ease smooth
    mien keys set clip.mp4 -w work --frame 131 --only grain=0
    """


@command.command("set")
@_of_a_clip
@click.argument("values", nargs=-1, required=True, metavar="CONTROL=VALUE...")
@_of_a_place
@click.option(
    "--ease",
    "-e",
    type=click.Choice(["hold", "linear", "smooth"]),
    default="linear",
    show_default=True,
    help="The way of numbers to the next key; words hold",
)
def set_values(
    clip: str,
    workspace: Path,
    values: tuple[str, ...],
    frame: int | None,
    shot: int | None,
    track: int | None,
    only: bool,
    ease: Any,
) -> None:
    """Set controls at a frame, for a frame alone, or for a shot."""
    from ..keyframes import entries_of

    with _book(clip, workspace) as book:
        wanted = _read_values(values, book.controls)
        place, at, whose = _place(book, frame, shot, track, only)
        entries = entries_of(place, at, wanted, track=whose, ease=ease, controls=book.controls)
        what = f"set {_place_words(place, at, whose)}: {', '.join(values)}"
        book.change(lambda timeline: timeline.put(entries), what)
        click.echo(f"{what} ({book.path})")


@command.command("remove")
@_of_a_clip
@click.argument("controls", nargs=-1, metavar="[CONTROL]...")
@_of_a_place
def remove(
    clip: str,
    workspace: Path,
    controls: tuple[str, ...],
    frame: int | None,
    shot: int | None,
    track: int | None,
    only: bool,
) -> None:
    """Take away what a place sets: all of it, or the named controls."""
    with _book(clip, workspace) as book:
        names = [_full_name(name, book.controls) for name in controls]
        place, at, whose = _place(book, frame, shot, track, only)
        what = f"removed {_place_words(place, at, whose)}: {', '.join(names) or 'all'}"
        book.change(lambda timeline: timeline.without(place, at, whose, names), what)
        click.echo(f"{what} ({book.path})")


@command.command("list")
@_of_a_clip
@click.option("--json", "as_json", is_flag=True, help="As JSON")
def list_values(clip: str, workspace: Path, as_json: bool) -> None:
    """List all that is set."""
    with _book(clip, workspace) as book:
        timeline = book.read()
        if as_json:
            rows = [_facts(entry) for entry in timeline]
            click.echo(json.dumps({"file": str(book.path), "entries": rows}, indent=1))
            return
        click.echo(f"{book.path}: {len(timeline)} values")
        for line in _lines(timeline):
            click.echo(f"  {line}")


@command.command("undo")
@_of_a_clip
def undo(clip: str, workspace: Path) -> None:
    """Take the last change back; again for the one before."""
    with _book(clip, workspace) as book:
        done = book.undo()
    click.echo(f"undone: {done.what}" if done else "nothing to undo")


@command.command("redo")
@_of_a_clip
def redo(clip: str, workspace: Path) -> None:
    """Do again what was undone last."""
    with _book(clip, workspace) as book:
        done = book.redo()
    click.echo(f"done again: {done.what}" if done else "nothing to do again")


@command.command("history")
@_of_a_clip
def history(clip: str, workspace: Path) -> None:
    """List the changes; those that are undone, in parentheses."""
    with _book(clip, workspace) as book:
        book.read()
        for each in book.revisions():
            words = f"{each.number:4}  {each.made[:19].replace('T', ' ')}  {each.what}"
            click.echo(words if each.number <= book.position else f"({words.strip()})")


def _book(clip: str, workspace: Path) -> Any:
    from ..jobs.keyframes import open_book
    from ..registry import Registry

    return open_book(Registry.installed(), clip, workspace)


def _read_values(words: Sequence[str], controls: Controls) -> dict[str, Any]:
    """`erode=12` and its like as plain values by name."""
    from ..options import read

    values: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise ConfigError(f"{word}: must be CONTROL=VALUE, as in erode=12")
        name = _full_name(name, controls)
        try:
            values[name] = read(controls.info(name), text.strip())
        except ValueError:
            values[name] = text  # which is said to be wrong when all are checked
    return values


def _full_name(name: str, controls: Controls) -> str:
    """The control that a name of the command line means; as in flags, `-` stands for `_`."""
    table, dot, option = controls.full_name(name).rpartition(".")
    return table + dot + option.replace("-", "_")


def _place(
    book: Book, frame: int | None, shot: int | None, track: int | None, only: bool
) -> tuple[Place, int, int]:
    """Place, frame and track that the flags mean."""
    from ..keyframes import ALL

    if shot is not None:
        if frame is not None or track is not None or only:
            raise ConfigError(
                "--shot: goes without --frame, --only and --track; a track lies in one shot"
            )
        return "shot", book.shot(shot), ALL
    if track is not None:
        first = book.first_frame(track)
        frame = first if frame is None and not only else frame
    if frame is None:
        raise ConfigError("say where: --frame N, --frame N --only, --shot N or --track N")
    return ("frame" if only else "key"), frame, ALL if track is None else track


def _place_words(place: Place, at: int, track: int) -> str:
    words = {"key": f"at {at}", "frame": f"for frame {at} alone", "shot": f"for the shot of {at}"}
    return words[place] + (f", track {track}" if track >= 0 else "")


def _lines(timeline: Timeline) -> Iterable[str]:
    from itertools import groupby

    for _, group in groupby(timeline, key=lambda entry: entry.identity[:3]):
        entries = list(group)
        first = entries[0]
        said = ", ".join(_said(entry) for entry in entries)
        yield f"{_place_words(first.place, first.at, first.track)}: {said}"


def _said(entry: Entry) -> str:
    value = entry.value
    shown = f"{value:g}" if isinstance(value, float) else json.dumps(value).strip('"')
    return f"{entry.option}={shown}" + (f" ({entry.ease})" if entry.ease == "smooth" else "")


def _facts(entry: Entry) -> dict[str, Any]:
    return {
        "place": entry.place,
        "at": entry.at,
        "track": None if entry.track < 0 else entry.track,
        "control": entry.option,
        "value": entry.value,
        "ease": entry.ease,
    }
