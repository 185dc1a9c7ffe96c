"""Builds a command from declarations: every option of the kernel's tables and of the chosen
plugins becomes a flag, and every flag becomes a setting of the configuration.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from ..config import KINDS, Config, Setting, flag, load, section_class, standard_files
from ..errors import ConfigError, MienError
from ..jobs import Events, Run
from ..jobs.run import make_run
from ..options import OptionInfo, describe
from ..registry import Registry
from .progress import STYLES, make_events
from .signals import interruptible

KIND_WORDS = {
    "detector": "What finds the faces; several, separated by commas, look together",
    "aligner": "What finds the 68 points of a face",
    "embedder": "What tells people apart, or none",
    "masker": "What says which pixels are face; several, separated by commas, or none",
    "model": "What learns and swaps",
    "enhancer": "What makes a finer picture of the new face, or none",
    "color": "What gives the new face the colours of the plate, or none",
    "blend": "What puts the new face on the plate",
}


with_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON")
with_sheet = click.option(
    "--sheet",
    type=click.Path(path_type=Path),
    help="Also write a contact sheet: what was there, and what was made of it",
)


@dataclass
class _Gathered:
    """What the flags of one call said."""

    settings: list[Setting] = field(default_factory=list)
    registry: Registry | None = None

    def plugins(self) -> Registry:
        if self.registry is None:
            self.registry = Registry.installed()
        return self.registry


class JobCommand(click.Command):
    """A command whose flags are the options of `sections` and of the plugins of `kinds`."""

    def __init__(
        self, *args: Any, sections: Sequence[str] = (), kinds: Sequence[str] = (), **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.sections, self.kinds = tuple(sections), tuple(kinds)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Learn from the words which plugins are chosen, then parse with their flags."""
        ctx.obj = _Gathered()
        ctx.meta["mien.chosen"] = self._chosen(ctx.obj.plugins(), args)
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The command's own parameters, then the declared options."""
        declared = [*self.params, *_common_params()]
        for kind in self.kinds:
            declared.append(_kind_param(kind))
        taken = {name for param in declared for name in param.opts}
        for section in self.sections:
            for info in describe(section_class(section)):
                spelled = _spell(info.name)
                spelled = _spell(f"{section}-{info.name}") if spelled in taken else spelled
                taken.add(spelled)
                declared.append(_option(info, f"{section}.{info.name}", spelled))
        for kind, name in ctx.meta.get("mien.chosen", ()):
            provider = ctx.obj.plugins().entry(kind, name).provider
            for info in describe(provider.options):
                key = f"{kind}.{name}.{info.name}"
                declared.append(_option(info, key, _spell(f"{name}-{info.name}")))
        help_option = self.get_help_option(ctx)
        return [*declared, help_option] if help_option else declared

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options, in the sections from which they come."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            if isinstance(param, click.Argument):
                continue
            record = param.get_help_record(ctx)
            if record is not None:
                groups.setdefault(getattr(param, "group", "Options"), []).append(record)
        for title, rows in groups.items():
            with formatter.section(title):
                formatter.write_dl(rows)

    def _chosen(self, registry: Registry, args: Sequence[str]) -> list[tuple[str, str]]:
        """The installed plugins that this call will use, as far as its words and files tell."""
        config = _best_config(registry, args)
        chosen = []
        for kind in self.kinds:
            words = _value_of(args, f"--{kind}") or (self._named(registry, kind, args))
            names = words.split(",") if words else config.chosen(kind)
            known = registry.names(kind)
            chosen += [(kind, name.strip()) for name in names if name.strip() in known]
        return chosen

    @staticmethod
    def _named(registry: Registry, kind: str, args: Sequence[str]) -> str:
        """`mien train NAME` names its model by argument."""
        return next((word for word in args[:1] if word in registry.names(kind)), "")


class _DeclaredOption(click.Option):
    """A flag that becomes a setting instead of an argument of the function."""

    group = "Options"


def job(
    name: str,
    *,
    sections: Sequence[str] = (),
    kinds: Sequence[str] = (),
    cls: type[JobCommand] = JobCommand,
) -> Callable[[Callable[..., Any]], click.Command]:
    """A command with the declared options as flags; its function gets the click context first,
    and makes its run with `begin(ctx, ...)`."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        made = click.command(name, cls=cls, sections=sections, kinds=kinds)(
            click.pass_context(function)
        )
        return made

    return decorate


def configuration(ctx: click.Context, more: Sequence[Setting] = ()) -> tuple[Registry, Config]:
    """The registry and the checked configuration of this call."""
    gathered: _Gathered = ctx.obj
    registry = gathered.plugins()
    explicit = ctx.meta.get("mien.config")
    config = load(
        registry,
        files=standard_files(explicit),
        sets=ctx.meta.get("mien.sets", ()),
        flags=[*gathered.settings, *more],
    )
    return registry, config


@contextmanager
def begin(
    ctx: click.Context,
    job: dict[str, str | None],
    chosen: dict[str, str | None] | None = None,
) -> Iterator[Run]:
    """The run of this call: configuration, context, events, and Ctrl-C as a polite request.

    job     values of `input`, `output`, `model_folder` that the call gave as arguments
    chosen  plugins that it named by argument, by kind
    """
    given = {**job, **{f"{kind}.use": name for kind, name in (chosen or {}).items()}}
    more = [
        Setting(key=key, value=value, origin=f"the argument {value}")
        for key, value in given.items()
        if value is not None
    ]
    registry, config = configuration(ctx, more)
    events = make_events(ctx.meta.get("mien.progress", "auto"))
    cancel = threading.Event()
    run = make_run(ctx.info_name or "", registry, config, events=events, cancel=cancel)
    hook = registry.hook
    hook.mien_run_started(run_id=run.run_id, command=run.command)
    error: BaseException | None = None
    try:
        with _log_to(events), interruptible(cancel):
            yield run
    except BaseException as caught:
        error = caught
        raise
    finally:
        hook.mien_run_ended(run_id=run.run_id, command=run.command, error=error)


class _ToEvents(logging.Handler):
    """What the library has to say reaches the user as notes."""

    def __init__(self, events: Events) -> None:
        super().__init__(logging.INFO)
        self._events = events

    def emit(self, record: logging.LogRecord) -> None:
        self._events.note(record.getMessage())


@contextmanager
def _log_to(events: Events) -> Iterator[None]:
    logger, handler = logging.getLogger("mien"), _ToEvents(events)
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def _common_params() -> list[click.Parameter]:
    """The flags that every job has."""

    def keep(key: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
        def callback(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
            if value is not None:
                ctx.meta[key] = value
            return value

        return callback

    made: list[click.Parameter] = [
        _DeclaredOption(
            ["--config", "-c"],
            type=click.Path(path_type=Path),
            expose_value=False,
            callback=keep("mien.config"),
            help="Configuration file; else mien.toml of this folder, if there is one",
        ),
        _DeclaredOption(
            ["--set", "-s"],
            multiple=True,
            metavar="KEY=VALUE",
            expose_value=False,
            callback=keep("mien.sets"),
            help="Any setting, as in --set detector.retinaface.threshold=0.6; may be repeated",
        ),
        _DeclaredOption(
            ["--progress"],
            type=click.Choice(STYLES),
            default="auto",
            expose_value=False,
            callback=keep("mien.progress"),
            help="How progress is shown: a panel, plain lines, JSON lines on stderr, or none",
        ),
        _DeclaredOption(
            ["--debug"], is_flag=True, expose_value=False, help="Show tracebacks of errors"
        ),
    ]
    return made


def _kind_param(kind: str) -> click.Parameter:
    default = KINDS[kind]
    words = default if isinstance(default, str) else ",".join(default)

    def callback(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
        if value is not None:
            names: Any = value
            if isinstance(default, tuple):
                names = [name.strip() for name in value.split(",") if name.strip()]
            setting = Setting(key=f"{kind}.use", value=names, origin=f"--{kind} {value}")
            ctx.obj.settings.append(setting)

    made = _DeclaredOption(
        [f"--{kind}"],
        metavar="NAME",
        expose_value=False,
        callback=callback,
        help=f"{KIND_WORDS[kind]}  [default: {words}]",
    )
    made.group = "Plugins"
    return made


def _option(info: OptionInfo, key: str, spelled: str) -> click.Parameter:
    """A declared option as a flag; its words are checked later, with all others."""
    *table, name = key.split(".")

    def callback(ctx: click.Context, param: click.Parameter, value: Any) -> None:
        if value is None:
            return
        if isinstance(value, bool):
            said = spelled if value else spelled.replace("--", "--no-", 1)
            ctx.obj.settings.append(Setting(key=key, value=value, origin=said))
            return
        cls = _class_of(ctx, table)
        ctx.obj.settings.append(flag(cls, key, name, value, spelled))

    is_bool = info.base is bool and not info.repeated
    declaration = f"{spelled}/{spelled.replace('--', '--no-', 1)}" if is_bool else spelled
    made = _DeclaredOption(
        [declaration],
        metavar=None if is_bool else _metavar(info),
        default=None,
        expose_value=False,
        callback=callback,
        help=help_text(info),
        type=None if is_bool else str,
    )
    made.group = f"[{'.'.join(table)}]"
    return made


def help_text(info: OptionInfo) -> str:
    """Help, range and default of an option, on one line."""
    limits = " ".join(word for word in (info.bounds, info.unit) if word)
    default = info.default
    if isinstance(default, bool):
        shown = "yes" if default else "no"
    elif isinstance(default, tuple):
        shown = ",".join(str(part) for part in default) or "none"
    else:
        shown = str(default) if default not in ("", None) else "none"
    words = f"{limits}; default: {shown}" if limits else f"default: {shown}"
    return f"{info.help}  [{words}]"


def _metavar(info: OptionInfo) -> str:
    if info.choices:
        return "|".join(info.choices)
    words = {int: "N", float: "X", str: "TEXT", Path: "PATH"}
    return words.get(info.base, "VALUE") + (",…" if info.repeated else "")


def _class_of(ctx: click.Context, table: Sequence[str]) -> type:
    if len(table) == 1:
        return section_class(table[0])
    provider = ctx.obj.plugins().entry(table[0], table[1]).provider
    found: type = provider.options
    return found


def _spell(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _value_of(args: Sequence[str], name: str) -> str:
    """The last value of a flag in the raw words, empty where it is not there."""
    found = ""
    for position, word in enumerate(args):
        if word == name and position + 1 < len(args):
            found = args[position + 1]
        elif word.startswith(f"{name}="):
            found = word.partition("=")[2]
    return found


def _best_config(registry: Registry, args: Sequence[str]) -> Config:
    """The configuration as far as it can be read now; its errors are reported later, in full."""
    explicit = _value_of(args, "--config") or _value_of(args, "-c")
    sets = [
        args[position + 1] for position, word in enumerate(args[:-1]) if word in ("--set", "-s")
    ]
    try:
        return load(registry, files=standard_files(Path(explicit) if explicit else None), sets=sets)
    except (ConfigError, MienError):
        return Config(registry)
