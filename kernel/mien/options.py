"""Options: declared once in a dataclass, read by TOML, the command line, the docs and web forms.

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Options:
        threshold: float = option(0.5, "Lowest score that counts as a face", ge=0, le=1)
        order: Literal["size", "score"] = option("size", "Which face comes first")

`describe` lists what a class offers, `parse` turns plain values (from TOML) into an instance and
reports every problem at once, `read` turns one word of the command line into a plain value.
Allowed types: bool, int, float, str, Path, Literal, Enum, tuple[T, ...] and `T | None`.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from enum import Enum
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from .errors import ConfigError

T = TypeVar("T")
_KEY = "mien.option"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Meta:
    help: str
    unit: str = ""
    ge: float | None = None
    le: float | None = None
    gt: float | None = None
    multiple_of: int | None = None
    absent: Mapping[str, str] = field(default_factory=dict)


def option(
    default: Any,
    help: str,
    *,
    unit: str = "",
    ge: float | None = None,
    le: float | None = None,
    gt: float | None = None,
    multiple_of: int | None = None,
    absent: Mapping[str, str] | None = None,
) -> Any:
    """A dataclass field that is an option: its default, one line of help, unit and bounds.

    absent  why words that a user may know from elsewhere are no choices
    """
    meta = _Meta(
        help=help, unit=unit, ge=ge, le=le, gt=gt, multiple_of=multiple_of, absent=absent or {}
    )
    return field(default=default, metadata={_KEY: meta})


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionInfo:
    """One option as a reader sees it: `choices` are the allowed words, empty where any will do."""

    name: str
    type: Any
    default: Any
    help: str
    unit: str
    choices: tuple[str, ...]
    repeated: bool
    optional: bool
    ge: float | None
    le: float | None
    gt: float | None
    multiple_of: int | None
    absent: Mapping[str, str]

    @property
    def base(self) -> Any:
        """The type of one value: without `| None`, without the tuple around it."""
        return _split(self.type)[0]

    @property
    def bounds(self) -> str:
        """Range in words, such as `0..1`, `at least 1`, or nothing."""
        low = self.ge if self.ge is not None else self.gt
        if low is not None and self.le is not None:
            text = f"{_number(low)}..{_number(self.le)}"
        elif self.gt is not None:
            text = f"above {_number(self.gt)}"
        elif self.ge is not None:
            text = f"at least {_number(self.ge)}"
        elif self.le is not None:
            text = f"at most {_number(self.le)}"
        else:
            text = ""
        if self.multiple_of:
            text = f"{text}, a multiple of {self.multiple_of}".lstrip(", ")
        return text

    @property
    def type_name(self) -> str:
        """The type in a user's words."""
        if self.choices:
            name = "one of " + ", ".join(self.choices)
        else:
            base = self.base
            name = {bool: "true/false", int: "whole number", float: "number", str: "text"}.get(
                base, "path" if base is Path else getattr(base, "__name__", str(base))
            )
        return f"list of {name}" if self.repeated else name


def describe(cls: type) -> tuple[OptionInfo, ...]:
    """The options of a dataclass, in the order in which they were declared.

    Raises TypeError where a field was not made by `option`, or has a type nobody can type in.
    """
    hints = get_type_hints(cls)
    found = []
    for item in fields(cls):
        meta = item.metadata.get(_KEY)
        if meta is None:
            raise TypeError(f"{cls.__module__}.{cls.__name__}.{item.name} is not made by option()")
        if item.default is MISSING:
            raise TypeError(f"{cls.__module__}.{cls.__name__}.{item.name} has no default")
        kind = hints[item.name]
        base, repeated, optional = _split(kind)
        found.append(
            OptionInfo(
                name=item.name,
                type=kind,
                default=item.default,
                choices=_choices(base),
                repeated=repeated,
                optional=optional,
                help=meta.help,
                unit=meta.unit,
                ge=meta.ge,
                le=meta.le,
                gt=meta.gt,
                multiple_of=meta.multiple_of,
                absent=meta.absent,
            )
        )
    return tuple(found)


def parse(
    cls: type[T],
    values: Mapping[str, Any],
    *,
    where: Callable[[str], str] = lambda name: name,
) -> T:
    """An instance of `cls` from plain values, such as a TOML table.

    where  gives the words that stand before a problem, from the name of the option
    Raises ConfigError with all problems: unknown names (with the nearest valid one), wrong types,
    values out of range.
    """
    known = {info.name: info for info in describe(cls)}
    problems: list[str] = []
    accepted: dict[str, Any] = {}
    for name, value in values.items():
        info = known.get(name)
        if info is None:
            problems.append(f"{where(name)}: no such option{nearest(name, known)}")
            continue
        try:
            accepted[name] = convert(info, value)
        except ValueError as error:
            problems.append(f"{where(name)}: {error}")
    if problems:
        raise ConfigError(problems)
    return cls(**accepted)


def convert(info: OptionInfo, value: Any) -> Any:
    """One plain value as the option's own type.  Raises ValueError that says what is allowed."""
    if value is None:
        if info.optional:
            return None
        raise ValueError(f"must be a {info.type_name}, is empty")
    if not info.repeated:
        return _convert_one(info, value)
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"must be a {info.type_name}, is {_show(value)}")
    return tuple(_convert_one(info, item) for item in value)


def read(info: OptionInfo, text: str) -> Any:
    """One word of a command line as a plain value; `convert` still has to check it."""
    if info.repeated:
        return [_read_one(info.base, part.strip()) for part in text.split(",") if part.strip()]
    return _read_one(info.base, text)


def plain(options: Any) -> dict[str, Any]:
    """The instance as values that TOML and JSON can hold; the opposite of `parse`."""
    return {item.name: _plain(getattr(options, item.name)) for item in fields(options)}


def json_schema(cls: type) -> dict[str, Any]:
    """JSON Schema (2020-12) of the options, for editors and web forms."""
    properties = {info.name: _schema(info) for info in describe(cls)}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def nearest(name: str, known: Mapping[str, Any] | tuple[str, ...]) -> str:
    """`; did you mean 'x'?` for a name that was mistyped, or the list of what there is."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    if close:
        return f"; did you mean '{close[0]}'?"
    names = ", ".join(sorted(known))
    return f"; there is: {names}" if names else "; there is none here"


def _split(kind: Any) -> tuple[Any, bool, bool]:
    """(type of one value, is it a list, may it be None)."""
    optional = False
    if get_origin(kind) in (Union, types.UnionType):
        rest = [part for part in get_args(kind) if part is not type(None)]
        if len(rest) != 1:
            raise TypeError(f"{kind}: an option has one type")
        optional, kind = len(rest) < len(get_args(kind)), rest[0]
    repeated = get_origin(kind) is tuple
    if repeated:
        kind = get_args(kind)[0]
    if get_origin(kind) is not Literal and not (
        isinstance(kind, type) and issubclass(kind, (bool, int, float, str, Path, Enum))
    ):
        raise TypeError(f"{kind} is no type for an option")
    return kind, repeated, optional


def _choices(base: Any) -> tuple[str, ...]:
    if get_origin(base) is Literal:
        return tuple(str(word) for word in get_args(base))
    if isinstance(base, type) and issubclass(base, Enum):
        return tuple(str(member.value) for member in base)
    return ()


def _convert_one(info: OptionInfo, value: Any) -> Any:
    base = info.base
    if info.choices:
        if isinstance(base, type):
            if isinstance(value, base):
                return value
            if value in info.choices:
                return base(value)
        elif value in get_args(base) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and value in info.absent:
            raise ValueError(f"'{value}' {info.absent[value]}; it may be {', '.join(info.choices)}")
        raise ValueError(
            f"must be one of {', '.join(info.choices)}, is {_show(value)}"
            + (nearest(value, info.choices) if isinstance(value, str) else "").partition(
                "; there is"
            )[0]
        )
    if base is Path and isinstance(value, (str, Path)):
        return Path(value).expanduser()
    if base is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not base:
        raise ValueError(f"must be a {info.type_name.removeprefix('list of ')}, is {_show(value)}")
    if base in (int, float):
        _check_bounds(info, value)
    return value


def _check_bounds(info: OptionInfo, value: float) -> None:
    unit = f" {info.unit}" if info.unit else ""
    if value != value:
        raise ValueError("must be a number, is nan")
    too_low = (info.ge is not None and value < info.ge) or (
        info.gt is not None and value <= info.gt
    )
    too_high = info.le is not None and value > info.le
    uneven = info.multiple_of is not None and value % info.multiple_of != 0
    if too_low or too_high or uneven:
        raise ValueError(f"must be {info.bounds}{unit}, is {_number(value)}")


def _read_one(base: Any, text: str) -> Any:
    if base is bool:
        words = {"true": True, "yes": True, "on": True, "1": True}
        words |= {"false": False, "no": False, "off": False, "0": False}
        return words.get(text.lower(), text)
    for kind in (int, float):
        if base is kind:
            try:
                return kind(text)
            except ValueError:
                return text
    if get_origin(base) is Literal:
        return next((word for word in get_args(base) if str(word) == text), text)
    return text


def _schema(info: OptionInfo) -> dict[str, Any]:
    base = info.base
    item: dict[str, Any]
    if info.choices:
        item = {"enum": list(info.choices)}
    else:
        names = {bool: "boolean", int: "integer", float: "number"}
        item = {"type": names.get(base, "string")}
        bounds = (
            ("minimum", info.ge),
            ("maximum", info.le),
            ("exclusiveMinimum", info.gt),
            ("multipleOf", info.multiple_of),
        )
        item |= {key: bound for key, bound in bounds if bound is not None}
    schema = {"type": "array", "items": item} if info.repeated else item
    return schema | {"description": info.help, "default": _plain(info.default)}


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return cast("str | int | float | bool | None", value)


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else str(value)


def _show(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else f"{value!r}"
