"""What every job shares: the run with its plugins and context, its events, its resolved file."""

from __future__ import annotations

import json
import os
import platform
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from .. import __version__
from ..atomic import write_whole
from ..config import NONE, VERSIONS, Config, RuntimeOptions, WeightsOptions
from ..errors import InputError, OutputError, PluginError
from ..media.base import ClipWriter, OutputPlan, Source
from ..registry import Registry
from ..stages import Context, Provider
from ..types import Frame, Packet

P = TypeVar("P", bound=Provider)


class Events(Protocol):
    """Who hears how a job goes on; the command line draws it, a script may ignore it."""

    def start(self, label: str, total: int, unit: str) -> None:
        """Work of `total` units (0: unknown) begins."""
        ...

    def advance(self, done: int, facts: Mapping[str, float] | None = None) -> None:
        """So many units are done; `facts` are figures worth showing, such as losses."""
        ...

    def note(self, text: str) -> None:
        """A sentence that the user should read, now or at the end."""
        ...

    def end(self) -> None:
        """The work that was started is over."""
        ...


class Silent:
    """Hears everything, says nothing; keeps the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def start(self, label: str, total: int, unit: str) -> None:
        """Ignore it."""

    def advance(self, done: int, facts: Mapping[str, float] | None = None) -> None:
        """Ignore it."""

    def note(self, text: str) -> None:
        """Keep it."""
        self.notes.append(text)

    def end(self) -> None:
        """Ignore it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One command at work.  Two runs can live in one process: they share nothing."""

    command: str
    registry: Registry
    config: Config
    context: Context
    events: Events = field(default_factory=Silent)
    cancel: threading.Event = field(default_factory=threading.Event)
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def providers(self, kind: type[P]) -> list[P]:
        """The chosen plugins of a kind; PluginError where one is not installed."""
        return [self.registry.get(kind, name) for name in self.config.chosen(kind.kind)]

    def provider(self, kind: type[P]) -> P:
        """The one chosen plugin of a kind."""
        found = self.providers(kind)
        if len(found) != 1:
            raise PluginError(f"{kind.kind}.use: must name one {kind.kind}, is '{NONE}'")
        return found[0]

    def make(self, provider: Provider) -> Any:
        """The stage of a plugin, with its options from the configuration."""
        return provider.create(self.config.options(provider), self.context)

    @contextmanager
    def source(self, uri: str) -> Iterator[Source]:
        """A clip for reading, closed afterwards; its notes become the run's."""
        if not uri:
            raise InputError("no clip was named; say which, as in: mien swap clip.mp4 …")
        source = self.registry.hook.mien_open_source(uri=uri)
        if source is None:
            raise InputError(f"{uri}: no installed plugin can read this")
        try:
            yield source
        finally:
            source.close()
            for note in source.notes:
                self.events.note(note)

    def writer(self, uri: str, plan: OutputPlan) -> ClipWriter:
        """A writer for the result."""
        if not uri:
            raise OutputError("no output was named; say where, as in: -o result.mp4")
        writer: ClipWriter | None = self.registry.hook.mien_open_writer(uri=uri, plan=plan)
        if writer is None:
            raise OutputError(f"{uri}: no installed plugin can write this")
        return writer

    def versions(self, providers: Sequence[Provider]) -> dict[str, str]:
        """Versions of the program and of the plugins that took part, hashes of their weights."""
        found = {"mien": __version__, "python": platform.python_version()}
        for provider in providers:
            entry = self.registry.entry(provider.kind, provider.name)
            found[entry.dist] = entry.version
            found |= {file.name: file.sha256 for file in provider.weights}
        return found

    def write_run_file(
        self,
        path: Path,
        job: Mapping[str, str],
        sections: Sequence[str],
        providers: Sequence[Provider],
        facts: Mapping[str, str],
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Leave a file that repeats this run: ``mien swap --config FILE`` gives the same pixels.

        job    input, output and model folder of this run
        facts  versions of what took part, hashes of what was read
        more   tables of plain values besides
        """
        tables = self.config.resolved(sections, providers) | dict(more or {})
        tables |= {key: value for key, value in job.items() if value}
        tables[VERSIONS] = dict(facts)
        write_whole(path, f"# mien {self.command} --config {path.name}\n{to_toml(tables)}".encode())


def frame_number(item: Frame | Packet) -> int:
    """The index of the frame that an item of the pipeline is about."""
    return item.frame.index if isinstance(item, Packet) else item.index


def to_toml(tables: Mapping[str, Any]) -> str:
    """Nested tables of plain values as TOML; None is left out, as TOML has none."""
    lines: list[str] = []
    _table_lines(tables, "", lines)
    return "\n".join(lines) + "\n"


def _table_lines(table: Mapping[str, Any], name: str, lines: list[str]) -> None:
    values = {k: v for k, v in table.items() if not isinstance(v, Mapping) and v is not None}
    if values:
        if name:
            lines += ["", f"[{name}]"]
        lines += [f"{_key(key)} = {_toml_value(value)}" for key, value in values.items()]
    for key, value in table.items():
        if isinstance(value, Mapping):
            _table_lines(value, f"{name}.{_key(key)}" if name else _key(key), lines)


def _key(key: str) -> str:
    plain = key.replace("-", "").replace("_", "").isalnum() and key.isascii()
    return key if plain else json.dumps(key)


def _toml_value(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml_value(item) for item in value)}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(value)


def make_run(
    command: str,
    registry: Registry,
    config: Config,
    *,
    events: Events | None = None,
    cancel: threading.Event | None = None,
) -> Run:
    """A run with a context as the configuration's ``[runtime]`` and ``[weights]`` tables say."""
    from ..runtime import make_context
    from ..weights import default_folders

    runtime = config.section("runtime", RuntimeOptions)
    weights = config.section("weights", WeightsOptions)
    context = make_context(
        device=runtime.device,
        precision=runtime.precision,
        threads=runtime.threads,
        seed=runtime.seed,
        weight_folders=[*weights.folders, *default_folders(os.environ)],
        offline=weights.offline,
        reader=lambda path: registry.hook.mien_open_faceset(path=path),
    )
    return Run(
        command=command,
        registry=registry,
        config=config,
        context=context,
        events=events or Silent(),
        cancel=cancel or threading.Event(),
    )
