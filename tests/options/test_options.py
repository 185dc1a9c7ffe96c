"""Options: what a plugin author declares, what a user may write, what is said to the wrong word."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mien.errors import ConfigError
from mien.options import convert, describe, json_schema, nearest, option, parse, plain, read


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    threshold: float = option(0.5, "Lowest score", ge=0, le=1)
    count: int = option(4, "How many", unit="faces", ge=1)
    step: int = option(16, "Multiple", ge=16, le=64, multiple_of=16)
    rate: float = option(0.1, "Positive", gt=0)
    on: bool = option(True, "A switch")
    name: str = option("", "A word")
    folder: Path = option(Path("a"), "A place")
    order: Literal["size", "score"] = option("size", "Which first")
    colour: Colour = option(Colour.RED, "A colour")
    sizes: tuple[int, ...] = option((1, 2), "Several", ge=0)
    limit: int | None = option(None, "Maybe")


def test_defaults_are_what_was_declared():
    options = parse(Options, {})
    assert options == Options()
    assert options.threshold == 0.5


def test_values_of_toml_become_the_declared_types():
    options = parse(
        Options,
        {"threshold": 1, "folder": "b/c", "colour": "blue", "sizes": [3], "order": "score"},
    )
    assert options.threshold == 1.0
    assert isinstance(options.threshold, float)
    assert options.folder == Path("b/c")
    assert options.colour is Colour.BLUE
    assert options.sizes == (3,)
    assert options.order == "score"


def test_all_problems_are_said_at_once():
    with pytest.raises(ConfigError) as caught:
        parse(Options, {"treshold": 0.5, "count": 0, "on": "maybe"})
    assert caught.value.problems == (
        "treshold: no such option; did you mean 'threshold'?",
        "count: must be at least 1 faces, is 0",
        "on: must be a true/false, is 'maybe'",
    )


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("threshold", 1.5, "must be 0..1, is 1.5"),
        ("threshold", "x", "must be a number, is 'x'"),
        ("threshold", float("nan"), "must be a number, is nan"),
        ("count", 1.5, "must be a whole number, is 1.5"),
        ("count", True, "must be a whole number, is True"),
        ("step", 24, "must be 16..64, a multiple of 16, is 24"),
        ("rate", 0, "must be above 0, is 0"),
        ("order", "sise", "must be one of size, score, is 'sise'; did you mean 'size'?"),
        ("order", True, "must be one of size, score, is True"),
        ("colour", "green", "must be one of red, blue, is 'green'"),
        ("sizes", 3, "must be a list of whole number, is 3"),
        ("sizes", [1, "x"], "must be a whole number, is 'x'"),
        ("name", None, "must be a text, is empty"),
    ],
)
def test_a_wrong_value_is_answered_with_what_is_allowed(name, value, words):
    info = next(info for info in describe(Options) if info.name == name)
    with pytest.raises(ValueError, match="must be") as caught:
        convert(info, value)
    assert str(caught.value) == words


def test_an_optional_value_may_be_missing():
    assert parse(Options, {"limit": None}).limit is None
    assert parse(Options, {"limit": 3}).limit == 3


@given(
    threshold=st.floats(0, 1),
    count=st.integers(1, 10**6),
    on=st.booleans(),
    name=st.text(),
    sizes=st.lists(st.integers(0, 99)),
    colour=st.sampled_from(Colour),
)
def test_plain_and_parse_are_opposites(threshold, count, on, name, sizes, colour):
    options = Options(
        threshold=threshold, count=count, on=on, name=name, sizes=tuple(sizes), colour=colour
    )
    assert parse(Options, plain(options)) == options


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("count", "7", 7),
        ("threshold", "0.25", 0.25),
        ("on", "no", False),
        ("on", "true", True),
        ("sizes", "1, 2,3", (1, 2, 3)),
        ("folder", "x/y", Path("x/y")),
        ("order", "score", "score"),
    ],
)
def test_words_of_a_command_line_are_read(name, text, value):
    info = next(info for info in describe(Options) if info.name == name)
    assert convert(info, read(info, text)) == value


def test_a_word_that_is_no_number_is_reported_as_it_was_written():
    info = next(info for info in describe(Options) if info.name == "count")
    with pytest.raises(ValueError, match="must be a whole number, is 'many'"):
        convert(info, read(info, "many"))


def test_a_field_that_was_not_declared_as_an_option_is_the_authors_mistake():
    @dataclass
    class Wrong:
        count: int = field(default=1)

    with pytest.raises(TypeError, match=r"Wrong.count is not made by option\(\)"):
        describe(Wrong)


def test_a_type_that_nobody_can_type_in_is_the_authors_mistake():
    @dataclass
    class Wrong:
        count: complex = option(1j, "A number")

    with pytest.raises(TypeError, match="no type for an option"):
        describe(Wrong)


def test_the_schema_tells_a_form_what_to_draw():
    schema = json_schema(Options)
    assert schema["additionalProperties"] is False
    assert schema["properties"]["threshold"] == {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "description": "Lowest score",
        "default": 0.5,
    }
    assert schema["properties"]["order"]["enum"] == ["size", "score"]
    assert schema["properties"]["sizes"]["items"] == {"type": "integer", "minimum": 0}


def test_the_nearest_name_or_all_names_are_offered():
    assert nearest("retinafac", ("retinaface", "s3fd")) == "; did you mean 'retinaface'?"
    assert nearest("zzz", ("b", "a")) == "; there is: a, b"
    assert nearest("zzz", ()) == "; there is none here"


def test_a_word_that_is_no_choice_may_say_why() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Options:
        kind: Literal["a", "b"] = option("a", "Which", absent={"c": "costs too much"})

    with pytest.raises(ConfigError, match="kind: 'c' costs too much; it may be a, b"):
        parse(Options, {"kind": "c"})
