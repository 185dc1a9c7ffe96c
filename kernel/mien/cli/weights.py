"""`mien weights`: the files that plugins may ask for."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..config import WeightsOptions, load, standard_files
from ..errors import WeightsError
from ..options import nearest
from ..registry import Registry
from ..stages import WeightFile

if TYPE_CHECKING:
    from ..weights import WeightStore


@click.group("weights")
def command() -> None:
    """Weight files: what there is, fetch, check.

    Files are looked for in the folders of [weights] folders, in those named by the environment
    variable MIEN_WEIGHTS, and in the program's cache.
    """


@command.command("list")
def list_files() -> None:
    """List all weight files that installed plugins know, and whether they are here."""
    store = _store()
    for plugin, file in _files(Registry.installed()):
        status = store.status(file)
        limits = "  non-commercial use only" if file.non_commercial else ""
        here = status.path if status.state == "ready" else status.state
        click.echo(f"{file.name}  {file.size:,} bytes  {plugin}  licence: {file.licence}{limits}")
        click.echo(f"    {here}")


@command.command("pull")
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every file that is missing")
@click.option("--yes", is_flag=True, help="Accept non-commercial licences without being asked")
def pull(names: tuple[str, ...], everything: bool, yes: bool) -> None:
    """Download weight files, verified, resumable."""
    from .progress import make_events

    store = _store()
    known = {file.name: file for _, file in _files(Registry.installed())}
    chosen = [_pick(known, name) for name in names]
    if everything:
        chosen = [file for file in known.values() if store.status(file).state != "ready"]
    if not chosen and not everything:
        raise click.UsageError("name a file (see: mien weights list), or say --all")
    events = make_events("auto")
    for file in chosen:
        if file.non_commercial and not yes:
            _ask(file)
        events.start(file.name, file.size, "bytes")
        try:
            path = store.pull(file, progress=_advance(events.advance))
        finally:
            events.end()
        click.echo(path)


@command.command("verify")
@click.argument("names", nargs=-1)
def verify(names: tuple[str, ...]) -> None:
    """Check the SHA-256 of the files that are here."""
    store = _store()
    known = {file.name: file for _, file in _files(Registry.installed())}
    problems = []
    for file in [_pick(known, name) for name in names] or list(known.values()):
        if store.status(file).state == "missing" and not names:
            click.echo(f"{file.name}: not here")
            continue
        try:
            click.echo(f"{file.name}: good, {store.verify(file)}")
        except WeightsError as error:
            problems.append(str(error))
    if problems:
        raise WeightsError("\n       ".join(problems))


@command.command("path")
@click.argument("name", required=False)
def path(name: str | None) -> None:
    """Print where a file lies, or the folders that are searched."""
    store = _store()
    if name is None:
        for folder in (*store.folders, store.cache):
            click.echo(folder)
        return
    known = {file.name: file for _, file in _files(Registry.installed())}
    click.echo(store.find(_pick(known, name)))


def _store() -> WeightStore:
    from ..weights import WeightStore, default_cache, default_folders

    config = load(Registry.installed(), files=standard_files())
    options = config.section("weights", WeightsOptions)
    folders: list[Path] = [*options.folders, *default_folders(os.environ)]
    return WeightStore(folders, default_cache(os.environ) / "weights", options.offline)


def _files(registry: Registry) -> list[tuple[str, WeightFile]]:
    found = [
        (f"{entry.provider.kind} {entry.provider.name}", file)
        for entry in registry.entries()
        for file in entry.provider.weights
    ]
    return sorted(found, key=lambda pair: pair[1].name)


def _pick(known: dict[str, WeightFile], name: str) -> WeightFile:
    if name not in known:
        raise WeightsError(
            f"no installed plugin knows a weight file '{name}'{nearest(name, known)}"
        )
    return known[name]


def _ask(file: WeightFile) -> None:
    text = f"{file.name} is for non-commercial use only ({file.licence}). Download it?"
    if not sys.stdin.isatty():
        raise WeightsError(f"{text} Say --yes to accept.")
    click.confirm(text, abort=True)


def _advance(advance: Callable[[int], None]) -> Callable[[int, int], None]:
    return lambda done, total: advance(done)
