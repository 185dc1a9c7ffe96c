"""The `mien` command.  One file a command, imported when it is called: `--help` stays quick."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

from .. import __version__
from ..errors import MienError

COMMANDS = {
    "swap": "Put a trained face into a clip, in one pass.",
    "extract": "Take the faces out of a clip, as a faceset or into a workspace.",
    "train": "Train a model of two people from two facesets.",
    "merge": "Put a trained face on the faces that a workspace knows.",
    "preview": "A few frames of a swap, and a contact sheet of them.",
    "video": "Clips: pictures out of them, pieces, less noise, one behind the other.",
    "keys": "Keyframes: what changes over a clip, and undo.",
    "faces": "Facesets: sort, thin out, compare, resize, merge, show.",
    "mask": "Polygons drawn on faces by hand, and the masks stored with them.",
    "alignments": "The faces that a workspace knows: faults, corrections, files, backups.",
    "import": "Faces and models of other programs, to go on with here.",
    "export": "Models and faces for other programs: DFM, ONNX, DeepFaceLab, faceswap.",
    "plugins": "What is installed, and what each plugin can be told.",
    "weights": "Weight files: what there is, fetch, check.",
    "doctor": "Look for what is missing or wrong on this machine.",
    "demo": "Make a finished swap from nothing but installed packages.",
}

_MODULES = {"import": "importing"}
"""Commands whose name is no name of a module."""


class Program(click.Group):
    """The commands by name, from this package and from plugins; none is imported for `--help`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The program's own commands, in their order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        if cmd_name in COMMANDS:
            module = _MODULES.get(cmd_name, cmd_name)
            command: click.Command = import_module(f"{__name__}.{module}").command
            return command
        return plugin_commands().get(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands for `--help`.

        Looking for plugins would cost more time than all the rest: `mien plugins list` does it.
        """
        rows = list(COMMANDS.items())
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, with the nearest command where there is none of this name."""
        from ..options import nearest

        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            raise click.UsageError(f"no such command '{name}'{nearest(name, COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)


def plugin_commands() -> dict[str, click.Command]:
    """The commands that installed plugins add, by name."""
    from ..registry import Registry

    group = click.Group("plugins")
    Registry.installed().hook.mien_commands(cli=group)
    return dict(group.commands)


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Begin with `mien demo`, then `mien extract`, `mien train`, `mien swap`; "
    "`mien COMMAND --help` says more. Plugins may add commands: `mien plugins list` shows "
    "them. Exit codes: docs/errors.md.",
)
@click.version_option(__version__, prog_name="mien")
def program() -> None:
    """Replace a face in moving pictures.

    Find and align faces in clips, train a model of two people, put the face back into every frame
    with the right colour, mask and light, and finish the clip with its sound.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the program and leave it with a documented exit code."""
    sys.exit(run_program(sys.argv[1:] if arguments is None else arguments))


def run_program(arguments: list[str]) -> int:
    """Run the program; the exit code.  A traceback appears for bugs, and with --debug."""
    debug = "--debug" in arguments
    try:
        result: Any = program.main(arguments, prog_name="mien", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except MienError as error:
        if debug:
            raise
        click.echo(f"error: {error}", err=True)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped", err=True)
        return 130
    except ImportError as error:
        from ..health import explain_import

        advice = explain_import(error)
        if debug or not advice:
            raise
        click.echo(f"error: {advice}", err=True)
        return 3
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        if debug:
            raise
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"error: {where}{error.strerror or error}", err=True)
        return 6
