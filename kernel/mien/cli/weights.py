"""`mien weights`: the files that plugins may ask for."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..config import WeightsOptions, load, standard_files
from ..errors import WeightsError
from ..options import nearest
from ..registry import Registry
from ..stages import WeightFile

if TYPE_CHECKING:
    from ..weights import WeightStatus, WeightStore

_KEYS_SHOWN = 12


@click.group("weights")
def command() -> None:
    """Weight files: what there is, fetch, check.

    Files that plugins ship are used from where they are.  Others are looked for in the folders of
    [weights] folders, in those named by the environment variable MIEN_WEIGHTS, and in the
    program's cache.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A weight file, and the plugins that may ask for it."""

    file: WeightFile
    users: tuple[str, ...]


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Also published files that no plugin uses")
@click.option("--json", "as_json", is_flag=True, help="As JSON")
def list_files(everything: bool, as_json: bool) -> None:
    """List all weight files that installed plugins know, and whether they are here."""
    store = _store()
    found = [
        (known, store.status(known.file))
        for known in _catalogue().values()
        if everything or known.users
    ]
    if as_json:
        click.echo(json.dumps([_facts(known, status) for known, status in found], indent=1))
        return
    for known, status in found:
        _print_line(known, status)


@command.command("pull")
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every missing file that can be fetched")
@click.option(
    "--accept-non-commercial",
    "accepted",
    is_flag=True,
    help="Agree to licences for non-commercial use without being asked",
)
def pull(names: tuple[str, ...], everything: bool, accepted: bool) -> None:
    """Download weight files, verified, resumable."""
    from .progress import make_events

    store = _store()
    catalogue = _catalogue()
    chosen = [_pick(catalogue, name).file for name in names]
    if everything:
        chosen += [file for file in _fetchable(catalogue.values(), store) if file not in chosen]
    if not chosen and not everything:
        raise click.UsageError("name a file (see: mien weights list), or say --all")
    events = make_events("auto")
    for file in chosen:
        here = store.status(file).usable
        agreed = accepted or (not here and file.non_commercial and _agrees(file))
        events.start(file.name, file.size, "bytes")
        try:
            path = store.pull(file, _advance(events.advance), accept_non_commercial=agreed)
        finally:
            events.end()
        click.echo(path)


@command.command("verify")
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="As JSON")
def verify(names: tuple[str, ...], as_json: bool) -> None:
    """Read the files that are here anew, and check their SHA-256."""
    from ..weights import tell_damage, way_to_get

    store = _store()
    catalogue = _catalogue()
    chosen = [_pick(catalogue, name) for name in names] or list(catalogue.values())
    found = [(known, store.status(known.file, afresh=True)) for known in chosen]
    if as_json:
        click.echo(json.dumps([_facts(known, status) for known, status in found], indent=1))
    problems = []
    for known, status in found:
        name = known.file.name
        if status.state == "damaged":
            problems.append(tell_damage(status))
        elif status.state == "missing" and names:
            problems.append(f"{name}: not here; {way_to_get(known.file)}")
        elif as_json or (status.state == "missing" and not known.users):
            continue
        elif status.state == "unverified":
            click.echo(f"{name}: cannot be verified, {status.path}, SHA-256 {status.found}")
        else:
            good = status.state == "ready"
            click.echo(f"{name}: good, {status.path}" if good else f"{name}: not here")
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
    click.echo(store.find(_pick(_catalogue(), name).file))


@command.command("show")
@click.argument("file")
@click.option("--keys", "all_keys", is_flag=True, help="Every tensor with its shape")
@click.option("--json", "as_json", is_flag=True, help="As JSON")
def show(file: str, all_keys: bool, as_json: bool) -> None:
    """Show what a file is: its format, its tensors, and the net that it fits.

    FILE is a path, or the name of a weight file that is here.
    """
    catalogue = _catalogue()
    place = Path(file).expanduser()
    if not place.exists() and file in catalogue:
        place = _store().find(catalogue[file].file)
    facts = _examine(place, catalogue.values())
    if as_json:
        click.echo(json.dumps(facts, indent=1))
        return
    click.echo(f"{place}: {facts['format']}, {facts['bytes']:,} bytes")
    click.echo(f"  SHA-256 {facts['sha256']}")
    click.echo(f"  {_origin(facts)}")
    click.echo(f"  net: {facts['net'] or 'of an unknown kind'}")
    if not facts["tensors"]:
        return
    click.echo(f"  tensors: {len(facts['tensors'])}, with {facts['numbers']:,} numbers in all")
    shapes = [f"    {key} {tuple(shape)}" for key, shape in facts["tensors"].items()]
    shown = shapes if all_keys else shapes[:_KEYS_SHOWN]
    click.echo("\n".join(shown))
    if len(shown) < len(shapes):
        click.echo(f"    and {len(shapes) - len(shown)} more (--keys shows all)")


def _store() -> WeightStore:
    from ..weights import WeightStore, default_cache, default_folders

    config = load(Registry.installed(), files=standard_files())
    options = config.section("weights", WeightsOptions)
    folders: list[Path] = [*options.folders, *default_folders(os.environ)]
    return WeightStore(folders, default_cache(os.environ) / "weights", options.offline)


def _catalogue() -> dict[str, _Known]:
    """All files by name: those of the installed plugins, and those that were published besides."""
    from ..weights.published import PUBLISHED

    files: dict[str, WeightFile] = {}
    users: dict[str, list[str]] = {}
    for entry in Registry.installed().entries():
        for file in entry.provider.weights:
            files.setdefault(file.name, file)
            users.setdefault(file.name, []).append(f"{entry.provider.kind} {entry.provider.name}")
    for file in PUBLISHED:
        files.setdefault(file.name, file)
    return {
        name: _Known(file=files[name], users=tuple(users.get(name, ()))) for name in sorted(files)
    }


def _print_line(known: _Known, status: WeightStatus) -> None:
    file = known.file
    count = file.size or (status.path.stat().st_size if status.path is not None else 0)
    size = f"{count:,} bytes" if count else "size not published"
    users = ", ".join(known.users) or "no installed plugin"
    limits = "  non-commercial use only" if file.non_commercial else ""
    click.echo(f"{file.name}  {size}  {users}  licence: {file.licence}{limits}")
    place = f"{status.path}" if status.path is not None else ""
    note = {
        "ready": f"shipped, {place}" if _is_shipped(status) else place,
        "unverified": f"{place}, cannot be verified: SHA-256 {status.found}",
        "missing": "missing",
        "damaged": f"damaged: {place}",
    }[status.state]
    click.echo(f"    {note}")


def _facts(known: _Known, status: WeightStatus) -> dict[str, Any]:
    file = known.file
    return {
        "name": file.name,
        "summary": file.summary,
        "plugins": list(known.users),
        "state": status.state,
        "shipped": _is_shipped(status),
        "path": str(status.path) if status.path is not None else None,
        "bytes": file.size or None,
        "sha256": file.sha256 or None,
        "found_sha256": status.found or None,
        "licence": file.licence,
        "non_commercial": file.non_commercial,
        "urls": list(file.urls),
    }


def _is_shipped(status: WeightStatus) -> bool:
    package, path = status.file.package, status.path
    return bool(package) and path is not None and path.parts[-3:-1] == (package, "weights")


def _examine(place: Path, catalogue: Iterable[_Known]) -> dict[str, Any]:
    """All that `show` tells of a file.  Raises WeightsError where it is none of weights."""
    from ..weights import can_verify, file_sha256
    from ..weights.formats import Format, tell_format
    from ..weights.layouts import name_net
    from ..weights.tensors import read_tensors

    kind = tell_format(place)
    tensors = {} if kind is Format.ONNX else read_tensors(place)
    digest = file_sha256(place)
    same = [k for k in catalogue if can_verify(k.file) and digest.startswith(k.file.sha256)]
    named = [k for k in catalogue if not k.file.sha256 and k.file.name == place.name]
    return {
        "path": str(place),
        "format": str(kind).partition(" ")[2],
        "bytes": place.stat().st_size,
        "sha256": digest,
        "known_as": [k.file.name for k in same],
        "named_like": [k.file.name for k in named],
        "plugins": sorted({user for k in (*same, *named) for user in k.users}),
        "net": _graph(place) if kind is Format.ONNX else name_net(tensors),
        "numbers": sum(value.size for value in tensors.values()),
        "tensors": {key: list(value.shape) for key, value in tensors.items()},
    }


def _graph(place: Path) -> str:
    """What an ONNX file takes and gives.  Raises WeightsError where it is damaged."""
    from ..onnx import import_onnxruntime

    try:
        session = import_onnxruntime().InferenceSession(
            str(place), providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime has a dozen classes with no common base
        reason = str(error).strip().splitlines()[0]
        raise WeightsError(f"{place}: not a usable ONNX file: {reason}") from error
    sides = (
        ", ".join(f"{each.name} {each.shape}" for each in found)
        for found in (session.get_inputs(), session.get_outputs())
    )
    return "takes {}; gives {}".format(*sides)


def _origin(facts: dict[str, Any]) -> str:
    users = f", used by {', '.join(facts['plugins'])}" if facts["plugins"] else ""
    if facts["known_as"]:
        return f"the published file {', '.join(facts['known_as'])}{users}"
    if facts["named_like"]:
        return f"has the name of a published file, of which no SHA-256 is known{users}"
    return "no published file that is known"


def _fetchable(catalogue: Iterable[_Known], store: WeightStore) -> list[WeightFile]:
    """What `--all` means: files of plugins that are missing, can be had and can be checked."""
    from ..weights import can_verify, way_to_get

    missing = [k.file for k in catalogue if k.users and not store.status(k.file).usable]
    for file in missing:
        if file.urls and not can_verify(file):
            click.echo(f"{file.name}: {way_to_get(file)}", err=True)
    return [file for file in missing if file.urls and can_verify(file)]


def _pick(catalogue: dict[str, _Known], name: str) -> _Known:
    if name not in catalogue:
        raise WeightsError(
            f"no installed plugin knows a weight file '{name}'{nearest(name, catalogue)}"
        )
    return catalogue[name]


def _agrees(file: WeightFile) -> bool:
    """Ask at a terminal; elsewhere nobody agrees, and the store says what to do."""
    if not sys.stdin.isatty():
        return False
    text = f"{file.name} is for non-commercial use only (licence: {file.licence}). Download it?"
    return bool(click.confirm(text, abort=True))


def _advance(advance: Callable[[int], None]) -> Callable[[int, int], None]:
    return lambda done, total: advance(done)
