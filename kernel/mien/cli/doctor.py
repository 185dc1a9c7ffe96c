"""`mien doctor`: what is missing or wrong on this machine."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from ..health import examine
from ..registry import Registry


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="As JSON")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Look for what is missing or wrong on this machine, and say what helps.

    Leaves with exit code 3 where something must be mended first.
    """
    marks = {"good": "ok  ", "note": "note", "bad": "BAD "}
    findings = []
    for finding in examine(Registry.installed()):
        findings.append(finding)
        if not as_json:
            click.echo(f"{marks[finding.state]}  {finding.text}")
            if finding.help:
                click.echo(f"      → {finding.help}")
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=1))
    if any(finding.state == "bad" for finding in findings):
        ctx.exit(3)
