"""`mien plugins`: what is installed, and what it can be told."""

from __future__ import annotations

import json
from itertools import groupby

import click

from ..errors import PluginError
from ..options import OptionInfo, describe, json_schema, nearest, plain
from ..registry import CATALOGUES, Entry, Registry
from ..weights.store import tell_size
from . import plugin_commands
from .building import help_text


@click.group("plugins")
def command() -> None:
    """What is installed, and what each plugin can be told."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON")
def list_plugins(as_json: bool) -> None:
    """List the installed plugins by kind, and those that are broken."""
    registry = Registry.installed()
    entries = list(registry.entries())
    if as_json:
        rows = [_facts(entry) for entry in entries]
        faults = [{"dist": each.dist, "reason": each.reason} for each in registry.broken]
        others = [{"dist": each.dist, "summary": each.summary} for each in registry.others]
        facts = {"plugins": rows, "others": others, "broken": faults}
        click.echo(json.dumps(facts, indent=1))
        return
    titles = {cls.kind: cls.title for cls in CATALOGUES.values()}
    for kind, group in groupby(entries, key=lambda entry: entry.provider.kind):
        click.echo(f"{titles[kind]}  [{kind}]")
        for entry in group:
            origin = f"{entry.dist} {entry.version}".strip()
            click.echo(f"  {entry.provider.name:<14} {entry.provider.summary}  ({origin})")
    if registry.others:
        click.echo("Others")
    for other in registry.others:
        click.echo(f"  {other.dist:<14} {other.summary}  ({other.version})")
    commands = plugin_commands()
    if commands:
        click.echo("Commands")
    for name, added in sorted(commands.items()):
        click.echo(f"  {name:<14} {added.get_short_help_str()}")
    for broken in registry.broken:
        click.echo(f"broken: {broken.dist} {broken.reason}", err=True)
    if not entries:
        click.echo("no plugins are installed; begin with: pip install mien-retinaface", err=True)


@command.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with a JSON Schema of the options")
def show(name: str, as_json: bool) -> None:
    """Show one plugin: its options, weights and licence.

    NAME is its name, or KIND.NAME where two kinds share it.
    """
    registry = Registry.installed()
    kind, _, rest = name.rpartition(".")
    found = [entry for entry in registry.entries(kind or None) if entry.provider.name == rest]
    if not found:
        names = tuple(entry.provider.name for entry in registry.entries())
        raise PluginError(f"no plugin named '{name}' is installed{nearest(rest, names)}")
    if as_json:
        facts = [_facts(entry) | {"schema": json_schema(entry.provider.options)} for entry in found]
        click.echo(json.dumps(facts if len(facts) > 1 else facts[0], indent=1))
        return
    for entry in found:
        _show(entry)


def _show(entry: Entry) -> None:
    provider = entry.provider
    click.echo(f"{provider.kind} {provider.name}: {provider.summary}")
    click.echo(f"  from {entry.dist} {entry.version}, licence {provider.licence}")
    for file in provider.weights:
        limits = ", non-commercial use only" if file.non_commercial else ""
        size = "shipped" if file.package else tell_size(file.size)
        click.echo(f"  weights {file.name}: {size}, licence {file.licence}{limits}")
    options = describe(provider.options)
    if not options:
        click.echo("  no options")
        return
    click.echo(f"  options, in [{provider.kind}.{provider.name}] of mien.toml:")
    for info in options:
        click.echo(f"    {info.name} = {_default(info)}  ({info.type_name})")
        click.echo(f"        {help_text(info)}")


def _default(info: OptionInfo) -> str:
    return json.dumps(info.default if info.default is None else _plain(info))


def _plain(info: OptionInfo) -> object:
    value = info.default
    if isinstance(value, (bool, int, float)):
        return value
    return [str(part) for part in value] if isinstance(value, tuple) else str(value)


def _facts(entry: Entry) -> dict[str, object]:
    provider = entry.provider
    return {
        "kind": provider.kind,
        "name": provider.name,
        "summary": provider.summary,
        "dist": entry.dist,
        "version": entry.version,
        "licence": provider.licence,
        "options": plain(provider.options()),
        "weights": [file.name for file in provider.weights],
    }
