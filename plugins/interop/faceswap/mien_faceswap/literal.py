"""Reads the text of a Python value as data: what faceswap writes into the header of a face.

Known are dict, list, tuple, text, bytes, whole and broken numbers, True, False and None; anything
else in the text is refused where it stands.  Nothing of it is ever run.
"""

from __future__ import annotations

import codecs
import re
from typing import Any

_DEPTH = 32
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<open>[\[({])
      | (?P<close>[\])}])
      | (?P<mark>[,:])
      | (?P<number>[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?))
      | (?P<bytes>b(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"))
      | (?P<text>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
      | (?P<word>True|False|None|nan|[+-]?inf)\b
    )""",
    re.VERBOSE,
)
_WORDS = {"True": True, "False": False, "None": None}
_CLOSES = {"]": "[", ")": "(", "}": "{"}
_ESCAPED = re.compile(r"""\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))""", re.S)
_BYTES = re.compile(r"""(?:[^\\]|\\(?:[\\'"abfnrtv]|x[0-9a-fA-F]{2}))*""", re.S)
_PLAIN = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", '"': '"'}
_MOST_DIGITS = 100


class LiteralError(ValueError):
    """The text is no value of plain data."""


class _Open:
    """A container that is being filled: its bracket, its parts, and whether a part is due."""

    __slots__ = ("bracket", "commas", "due", "parts")

    def __init__(self, bracket: str) -> None:
        self.bracket = bracket
        self.parts: list[Any] = []
        self.commas = 0
        self.due = True


def read_literal(text: str) -> Any:
    """The value that `text` stands for.  Raises LiteralError with the place."""
    around: list[_Open] = [_Open("")]
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise _error(text, at, "is nothing that plain data is made of")
        kind, word = str(found.lastgroup), found.group(found.lastgroup or 0)
        inner = around[-1]
        if kind == "open":
            _expect(inner, True, text, at)
            if len(around) > _DEPTH:
                raise _error(text, at, f"is nested deeper than {_DEPTH}")
            around.append(_Open(word))
        elif kind == "close":
            if len(around) < 2 or inner.bracket != _CLOSES[word]:
                raise _error(text, at, "closes what was not opened")
            value = _closed(around.pop(), text, at)
            _put(around[-1], value)
        elif kind == "mark":
            _expect(inner, False, text, at)
            if not inner.bracket or (word == ":") != _wants_colon(inner):
                raise _error(text, at, "stands in the wrong place")
            inner.commas += word == ","
            inner.due = True
        else:
            _expect(inner, True, text, at)
            _put(inner, _leaf(kind, word, text, at))
        at = found.end()
    if len(around) != 1 or len(around[0].parts) != 1:
        raise _error(text, at, "ends too early")
    return around[0].parts[0]


def _put(inner: _Open, value: Any) -> None:
    inner.parts.append(value)
    inner.due = False


def _expect(inner: _Open, due: bool, text: str, at: int) -> None:
    if inner.due is not due or (not inner.bracket and inner.parts):
        raise _error(text, at, "stands in the wrong place")


def _wants_colon(inner: _Open) -> bool:
    return inner.bracket == "{" and len(inner.parts) % 2 == 1


def _closed(inner: _Open, text: str, at: int) -> Any:
    parts = inner.parts
    if inner.due and parts and (inner.bracket == "{" and len(parts) % 2):
        raise _error(text, at, "leaves a key without a value")
    if inner.bracket == "[":
        return parts
    if inner.bracket == "(":
        return parts[0] if len(parts) == 1 and not inner.commas else tuple(parts)
    if len(parts) % 2 or not all(type(key) in (str, int) for key in parts[::2]):
        raise _error(text, at, "ends a table whose keys are no texts")
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _leaf(kind: str, word: str, text: str, at: int) -> Any:
    if kind == "word":
        return _WORDS[word] if word in _WORDS else float(word)
    if kind == "number":
        if len(word) > _MOST_DIGITS:
            raise _error(text, at, "is a number of too many digits")
        return float(word) if set(word) & set(".eE") else int(word)
    if kind == "text":
        return _ESCAPED.sub(lambda found: _character(found, text, at), word[1:-1])
    if not word.isascii() or not _BYTES.fullmatch(word[2:-1]):
        raise _error(text, at, "holds what no bytes are made of")
    return bytes(codecs.escape_decode(word[2:-1].encode())[0])


def _character(found: re.Match[str], text: str, at: int) -> str:
    code = found[1] or found[2] or found[3]
    if code is None:
        if found[4] not in _PLAIN:
            raise _error(text, at, "holds an unknown escape")
        return _PLAIN[found[4]]
    if int(code, 16) > 0x10FFFF:
        raise _error(text, at, "holds an unknown escape")
    return chr(int(code, 16))


def _error(text: str, at: int, reason: str) -> LiteralError:
    return LiteralError(f"at letter {at}: {text[at : at + 20]!r} {reason}")
