"""Masks by name and arithmetic: `xseg.swap * learned.target + hull`.

    sum     := product (("+" | "-") product)*      clipped to 0..1 after each step
    product := value ("*" value)*
    value   := NAME | NUMBER | "(" sum ")"

A name is a word of letters, digits, `_` and `-`, perhaps with `.swap` or `.target` behind it; so a
minus between two names needs a space before it.  Case does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError

Look = Callable[[str], NDArray[np.float32]]

SAME = {
    "dst": "hull",
    "learned-prd": "swap",
    "learned-dst": "target",
    "learned.swap": "swap",
    "learned.target": "target",
    "xseg-prd": "xseg.swap",
    "xseg-dst": "xseg",
}
"""Other words for a mask: DeepFaceLab's names of its modes, and the long form of ours."""

KERNEL_MASKS = ("full", "hull", "swap", "target", "auto")

_WORD = r"[a-z_][a-z0-9_]*(?:-[a-z0-9_]+)*"
_TOKEN = re.compile(
    rf"\s*(?:(?P<name>{_WORD}(?:\.{_WORD})?)|(?P<number>\d+(?:\.\d+)?|\.\d+)|(?P<sign>[-+*()]))"
)


@dataclass(frozen=True, slots=True)
class _Name:
    text: str


@dataclass(frozen=True, slots=True)
class _Number:
    value: float


@dataclass(frozen=True, slots=True)
class _Both:
    sign: str
    left: _Node
    right: _Node


_Node = _Name | _Number | _Both


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression; `names` are the masks it needs, each once, in order."""

    text: str
    root: Any
    names: tuple[str, ...]

    def value(self, look: Look) -> NDArray[np.float32]:
        """The combined mask; `look` gives a mask by name.  # (S, S), 0..1"""
        return np.asarray(_value(self.root, look), dtype=np.float32)

    @property
    def of_the_swap(self) -> tuple[str, ...]:
        """The maskers that must look at the new face: those written as NAME.swap."""
        return tuple(name[: -len(".swap")] for name in self.names if name.endswith(".swap"))


@lru_cache(maxsize=64)
def parse_mask(text: str) -> Expression:
    """An expression, ready for any number of faces.

    Raises ConfigError that says where the text goes wrong.
    """
    tokens = list(_tokens(text))
    root, rest = _sum(text, tokens, 0)
    if tokens[rest].kind != "end":
        raise _fault(text, tokens[rest], "an operator (+, - or *)")
    return Expression(text, root, tuple(dict.fromkeys(_names(root))))


def _tokens(text: str) -> Iterator[_Token]:
    at, lowered = 0, text.lower()
    while lowered[at:].strip():
        found = _TOKEN.match(lowered, at)
        if found is None:
            at += len(lowered[at:]) - len(lowered[at:].lstrip())
            raise _fault(text, _Token("", text[at], at), "a name, a number or one of + - * ( )")
        kind = str(found.lastgroup)
        yield _Token(kind, found[kind], found.start(kind))
        at = found.end()
    yield _Token("end", "", len(text))


def _sum(text: str, tokens: list[_Token], at: int) -> tuple[_Node, int]:
    left, at = _product(text, tokens, at)
    while tokens[at].text in ("+", "-"):
        right, after = _product(text, tokens, at + 1)
        left, at = _Both(tokens[at].text, left, right), after
    return left, at


def _product(text: str, tokens: list[_Token], at: int) -> tuple[_Node, int]:
    left, at = _one(text, tokens, at)
    while tokens[at].text == "*":
        right, at = _one(text, tokens, at + 1)
        left = _Both("*", left, right)
    return left, at


def _one(text: str, tokens: list[_Token], at: int) -> tuple[_Node, int]:
    token = tokens[at]
    if token.kind == "name":
        return _Name(_plain_name(token.text)), at + 1
    if token.kind == "number":
        return _Number(float(token.text)), at + 1
    if token.text == "(":
        inner, at = _sum(text, tokens, at + 1)
        if tokens[at].text != ")":
            raise _fault(text, tokens[at], f"')' for the '(' at {token.at + 1}")
        return inner, at + 1
    raise _fault(text, token, "the name of a mask")


def _plain_name(name: str) -> str:
    name = SAME.get(name, name)
    return name.removesuffix(".target")


def _fault(text: str, token: _Token, wanted: str) -> ConfigError:
    seen = f"is '{token.text}'" if token.text else "the text ends"
    return ConfigError(f"merge.mask: '{text}': at {token.at + 1} {seen}, must be {wanted}")


def _names(node: _Node) -> Iterator[str]:
    if isinstance(node, _Name):
        yield node.text
    elif isinstance(node, _Both):
        yield from _names(node.left)
        yield from _names(node.right)


def _value(node: _Node, look: Look) -> Any:
    if isinstance(node, _Name):
        return look(node.text)
    if isinstance(node, _Number):
        return np.float32(min(node.value, 1.0))
    left, right = _value(node.left, look), _value(node.right, look)
    if node.sign == "*":
        return left * right
    return np.clip(left + right if node.sign == "+" else left - right, 0, 1)
