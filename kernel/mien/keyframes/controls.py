"""What can be set over a clip, by name: the table `[merge]`, and options of plugins.

erode             a control of `[merge]`
color.sot.steps   an option of a plugin; `sot.steps` will do, where one plugin has that name
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from ..merging.expressions import parse_mask
from ..merging.options import MergeOptions
from ..options import OptionInfo, convert, describe, nearest
from ..stages import (
    BlendProvider,
    ColorTransferProvider,
    EnhancerProvider,
    MaskerProvider,
    ModelProvider,
    Provider,
)

T = TypeVar("T")

KINDS = tuple(
    each.kind
    for each in (
        ModelProvider, MaskerProvider, EnhancerProvider, ColorTransferProvider, BlendProvider,
    )
)  # fmt: skip
"""Kinds of plugins that are asked about single faces."""

_INSTEAD = {
    MaskerProvider.kind: "; the control 'mask' says where its mask is used",
    EnhancerProvider.kind: "; the control 'enhance' says how much of its picture is used",
}
"""What can change over a clip where a plugin's own options cannot."""


class Controls:
    """The controls that there are, with what each of them takes."""

    def __init__(self, providers: Iterable[Provider] = ()) -> None:
        """providers  the plugins that are installed, of the kinds in `KINDS`"""
        self._tables = {f"{each.kind}.{each.name}": each for each in providers}

    def full_name(self, name: str) -> str:
        """`color.sot.steps` for `sot.steps`, `erode` for `merge.erode`; others as they are."""
        name = name.strip().removeprefix("merge.")
        first, dot, option = name.rpartition(".")
        tables = [table for table in self._tables if table.partition(".")[2] == first]
        return f"{tables[0]}.{option}" if dot and len(tables) == 1 else name

    def info(self, name: str) -> OptionInfo:
        """What a control takes.  Raises ValueError, which says what there is."""
        table, _, option = name.rpartition(".")
        if not table:
            return _known(option, _of_class(MergeOptions))
        provider = self._tables.get(table)
        if provider is None:
            raise ValueError(self._no_table(table))
        info = _known(option, _of_class(provider.options))
        fixed = provider.keyed is not None and option not in provider.keyed
        if fixed or info.repeated or info.base is Path:
            can = ", ".join(provider.keyed or ()) or "none of its options"
            can = f"; what can change of '{provider.name}': {can}" if fixed else ""
            raise ValueError(
                f"is the same for the whole clip{can}{_INSTEAD.get(provider.kind, '')}"
            )
        return info

    def is_foreign(self, name: str) -> bool:
        """Whether this is an option of a plugin that is not installed, which nobody can check."""
        kind, _, plugin = name.rpartition(".")[0].partition(".")
        return kind in KINDS and bool(plugin) and f"{kind}.{plugin}" not in self._tables

    def checked(self, name: str, value: Any) -> bool | int | float | str:
        """A value as the control takes it.  Raises ValueError or ConfigError."""
        info = self.info(name)
        checked = convert(info, value)
        if checked is None:
            raise ValueError(f"must be a {info.type_name}, is empty")
        if name == "mask":
            parse_mask(checked)
        plain: bool | int | float | str = checked.value if isinstance(checked, Enum) else checked
        return plain

    def _no_table(self, table: str) -> str:
        kind, _, plugin = table.partition(".")
        if kind in KINDS and plugin:
            names = {each.partition(".")[2]: each for each in self._tables if each.startswith(kind)}
            return f"no {kind} named '{plugin}' is installed{nearest(plugin, names)}"
        several = [each for each in self._tables if each.partition(".")[2] == table]
        if several:
            return f"may be of {' or '.join(several)}; write one of these in full"
        short = {each.partition(".")[2]: each for each in self._tables}
        return f"no such plugin{nearest(table, {**self._tables, **short}).partition('; there')[0]}"


def glides(info: OptionInfo) -> bool:
    """Whether values of a control have others between them."""
    return info.base in (int, float) and not info.choices and not info.multiple_of


def with_values(options: T, values: Mapping[str, Any]) -> T:
    """A plugin's options with some values, as the timeline holds them, in place of theirs."""
    if not values:
        return options
    cls: type = type(options)
    known = _of_class(cls)
    changed = {name: convert(known[name], value) for name, value in values.items()}
    return replace(options, **changed)  # type: ignore[type-var]


def _known(name: str, known: Mapping[str, OptionInfo]) -> OptionInfo:
    if name not in known:
        raise ValueError(f"no such option{nearest(name, known)}")
    return known[name]


@cache
def _of_class(cls: type) -> Mapping[str, OptionInfo]:
    return {info.name: info for info in describe(cls)}


MERGE = Controls()
"""The table `[merge]` alone."""
