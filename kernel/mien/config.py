"""Layered configuration: defaults < user file < mien.toml < --set < the command's own flags.

Everything is checked at once, against the options that the kernel and the installed plugins
declare, and every problem names its file, line, key and the nearest valid key.  The result is
frozen and knows where each value came from.

    input = "clip.mov"
    [detector]
    use = "retinaface"
    [detector.retinaface]
    threshold = 0.6
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, TypeVar

from .errors import ConfigError
from .options import convert, describe, nearest, option, parse, plain, read
from .registry import Registry
from .stages import Provider

T = TypeVar("T")

FILE_NAME = "mien.toml"
NONE = "none"

KINDS: Mapping[str, str | tuple[str, ...]] = {
    "detector": ("retinaface",),
    "aligner": "compact",
    "embedder": NONE,
    "masker": ("landmarks",),
    "model": "original",
    "enhancer": NONE,
    "color": "steady",
    "blend": "laplacian",
}
"""The plugin of each kind that is used where nothing is said; a tuple where several may be."""

VERSIONS = "versions"
"""A table that a run leaves in its file for readers; it sets nothing."""

MAY_BE_NONE = ("embedder", "masker", "enhancer", "color")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """What a run reads and writes; the keys above the first table."""

    input: str = option("", "The clip to work on: a file, a picture folder, a pattern or a glob")
    output: str = option("", "Where the result goes")
    model_folder: str = option("", "Folder of a trained model")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeOptions:
    """Where and how the work is done; the ``[runtime]`` table."""

    device: str = option("auto", "cpu, cuda, cuda:N, or auto for the best there is")
    precision: Literal["auto", "fp32", "fp16"] = option(
        "auto", "Number format of the nets; auto is fp16 on a GPU, fp32 on a CPU"
    )
    threads: int = option(0, "CPU threads a net may use; 0 for all cores", ge=0, le=1024)
    seed: int = option(0, "Seed of everything random", ge=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsOptions:
    """Where weight files are looked for; the ``[weights]`` table."""

    folders: tuple[Path, ...] = option((), "Folders with weight files, searched first")
    offline: bool = option(False, "Never download anything")


SECTIONS: Mapping[str, str] = {
    "runtime": "mien.config:RuntimeOptions",
    "weights": "mien.config:WeightsOptions",
    "encode": "mien.media.base:OutputOptions",
    "find": "mien.finding.options:FindOptions",
    "extract": "mien.extraction:ExtractOptions",
    "train": "mien.training.options:TrainOptions",
    "merge": "mien.merging.options:MergeOptions",
}
"""The kernel's own tables and the classes that declare them, imported when they are needed."""


def section_class(name: str) -> type:
    """The dataclass that declares a table of the kernel; "" for the keys above all tables."""
    if not name:
        return JobOptions
    module, _, cls = SECTIONS[name].partition(":")
    found: type = getattr(import_module(module), cls)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One value as somebody gave it: dotted key, plain value, and where it stands."""

    key: str
    value: Any
    origin: str


class Config:
    """The settings of one run, checked.  Later settings win over earlier ones."""

    def __init__(self, registry: Registry, settings: Iterable[Setting] = ()) -> None:
        """Check all settings; raises ConfigError with every problem."""
        self._registry = registry
        self._settings = {setting.key: setting for setting in settings}
        problems = [text for setting in self._settings.values() for text in self._check(setting)]
        if problems:
            raise ConfigError(problems)

    def more(self, settings: Iterable[Setting]) -> Config:
        """This configuration with further settings on top."""
        return Config(self._registry, [*self._settings.values(), *settings])

    def origin(self, key: str) -> str:
        """Where the value of a dotted key comes from: `default`, a file and line, or a flag."""
        setting = self._settings.get(key)
        return setting.origin if setting else "default"

    def section(self, name: str, cls: type[T]) -> T:
        """The table `name` of the kernel as an instance of its class."""
        return self._parse(cls, f"{name}." if name else "")

    def job(self) -> JobOptions:
        """The keys above the first table."""
        return self.section("", JobOptions)

    def chosen(self, kind: str) -> tuple[str, ...]:
        """Names of the plugins of a kind that the run uses; empty for `none`."""
        setting = self._settings.get(f"{kind}.use")
        value = setting.value if setting else KINDS[kind]
        names = (value,) if isinstance(value, str) else tuple(value)
        return tuple(name for name in names if name != NONE)

    def options(self, provider: Provider, below: Mapping[str, Any] | None = None) -> Any:
        """The options of a plugin as an instance of the class that it declared.

        below  values that stand in for the defaults, such as those a model was begun with
        """
        return self._parse(provider.options, f"{provider.kind}.{provider.name}.", below)

    def resolved(self, sections: Sequence[str], providers: Sequence[Provider]) -> dict[str, Any]:
        """Every value that a run used, as plain tables: what a run file holds."""
        tables: dict[str, Any] = plain(self.job())
        for name in sections:
            tables[name] = plain(self.section(name, section_class(name)))
        for provider in providers:
            table = tables.setdefault(provider.kind, {})
            use = table.setdefault("use", provider.name)
            if use != provider.name:
                table["use"] = [*([use] if isinstance(use, str) else use), provider.name]
            table[provider.name] = plain(self.options(provider))
        return tables

    def _parse(self, cls: type[T], prefix: str, below: Mapping[str, Any] | None = None) -> T:
        values = dict(below or {}) | {
            item.name: self._settings[prefix + item.name].value
            for item in fields(cls)  # type: ignore[arg-type]
            if prefix + item.name in self._settings
        }
        return parse(cls, values, where=lambda name: self.origin(prefix + name))

    def _check(self, setting: Setting) -> list[str]:
        """The problems of one setting, as sentences that begin with where it stands."""
        first, *rest = setting.key.split(".")
        if first == VERSIONS:
            problem = ""
        elif first in KINDS:
            problem = self._check_kind(first, rest, setting.value)
        elif first in SECTIONS:
            problem = _check_value(section_class(first), rest, setting.value)
        elif first in {item.name for item in fields(JobOptions)}:
            problem = _check_value(JobOptions, [first, *rest], setting.value)
        else:
            known = (*KINDS, *SECTIONS, *(item.name for item in fields(JobOptions)))
            problem = f"no such table or key{nearest(first, known)}"
        return [f"{setting.origin}: {setting.key}: {problem}"] if problem else []

    def _check_kind(self, kind: str, rest: list[str], value: Any) -> str:
        if rest == ["use"]:
            return _check_use(kind, value)
        if len(rest) < 2:
            names = self._registry.names(kind)
            return f"no such key{nearest(rest[0] if rest else '', ('use', *names))}"
        if rest[0] not in self._registry.names(kind):
            return (
                ""  # options of a plugin that is not here: nobody can check them, nobody reads them
            )
        provider = self._registry.entry(kind, rest[0]).provider
        return _check_value(provider.options, rest[1:], value)


def load(
    registry: Registry,
    *,
    files: Sequence[Path] = (),
    sets: Sequence[str] = (),
    flags: Iterable[Setting] = (),
) -> Config:
    """The configuration from TOML files (later ones win), `--set` words and a command's flags.

    Raises ConfigError with all problems of all layers.
    """
    problems: list[str] = []
    settings: list[Setting] = []
    layers: list[Callable[[], list[Setting]]] = [partial(_from_file, path) for path in files]
    layers += [partial(_from_word, word) for word in sets]
    for layer in layers:
        try:
            settings += layer()
        except ConfigError as error:
            problems += error.problems
    try:
        config = Config(registry, [*settings, *flags])
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(problems)
    return config


def standard_files(explicit: Path | None = None, folder: Path | None = None) -> list[Path]:
    """The user's file and the project's, where they exist.

    explicit  the file named by --config, which must exist;  folder  where `mien.toml` is looked
    for otherwise, the current folder if None
    """
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    found = [path for path in (home / "mien" / FILE_NAME,) if path.is_file()]
    project = explicit or (folder or Path()) / FILE_NAME
    if explicit is not None or project.is_file():
        found.append(project)
    return found


def _from_file(path: Path) -> list[Setting]:
    import tomli

    try:
        text = path.read_text(encoding="utf-8")
        tree = tomli.loads(text)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not a text file in UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except tomli.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not valid TOML: {error}") from None
    lines = _line_numbers(text)
    return [
        Setting(key=key, value=value, origin=f"{path}{_line_of(key, lines)}")
        for key, value in _leaves(tree)
    ]


def _from_word(word: str) -> list[Setting]:
    """A `--set key=value`; the value is TOML, or plain text where it is not."""
    import tomli

    key, equals, text = word.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {word}: must be KEY=VALUE, as in --set detector.use=retinaface")
    try:
        value = tomli.loads(f"value = {text}")["value"]
    except tomli.TOMLDecodeError:
        value = text
    origin = f"--set {word}"
    leaves = _leaves(value, key.strip()) if isinstance(value, dict) else [(key.strip(), value)]
    return [Setting(key=name, value=leaf, origin=origin) for name, leaf in leaves]


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in tree.items():
        key = f"{prefix}.{name}" if prefix else name
        if isinstance(value, dict):
            found += _leaves(value, key) or [(key, {})]
        else:
            found.append((key, value))
    return found


def _line_numbers(text: str) -> dict[str, int]:
    """Line number of every key and table header that stands on a line of its own."""
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            table = ".".join(_words(stripped.strip("[]").partition("]")[0]))
            lines.setdefault(table, number)
        elif "=" in stripped and not stripped.startswith("#"):
            key = ".".join(_words(stripped.partition("=")[0]))
            lines.setdefault(f"{table}.{key}" if table else key, number)
    return lines


def _words(dotted: str) -> list[str]:
    return [word.strip().strip("\"'") for word in dotted.split(".")]


def _line_of(key: str, lines: Mapping[str, int]) -> str:
    """`, line N` of the key or of the nearest table around it."""
    while key:
        if key in lines:
            return f", line {lines[key]}"
        key = key.rpartition(".")[0]
    return ""


def _check_use(kind: str, value: Any) -> str:
    several = isinstance(KINDS[kind], tuple)
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return f"must be the name of a {kind}, is {value!r}"
    if not several and not isinstance(value, str):
        return f"must be one name, is {value!r}"
    if NONE in names and kind not in MAY_BE_NONE:
        return f"there must be a {kind}; '{NONE}' is not possible here"
    return ""


def _check_value(cls: type, rest: Sequence[str], value: Any) -> str:
    known = {info.name: info for info in describe(cls)}
    name = ".".join(rest)
    if name not in known:
        return f"no such option{nearest(name, known)}"
    try:
        convert(known[name], value)
    except ValueError as error:
        return str(error)
    return ""


def flag(cls: type, key: str, name: str, text: str, spelled: str) -> Setting:
    """A word of the command line for option `name` of `cls`, as a setting under `key`."""
    info = next(info for info in describe(cls) if info.name == name)
    return Setting(key=key, value=read(info, text), origin=f"{spelled} {text}")
