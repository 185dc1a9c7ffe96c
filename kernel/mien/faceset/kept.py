"""Values of another program as JSON and back, exactly: what its face file says travels in ours.

None, bool, int, text, finite float, list, dict with text as keys    as JSON has them
text that is no Unicode {"text": base64 of UTF-8 with surrogates}
tuple {"tuple": [...]}  bytes {"bytes": base64}  other float {"float": repr}
rows of floats {"rows": base64 of float64, "shape": [68, 2]}
array or scalar {"array": "<f8", "shape": [2, 3] or null, "data": base64}
dict with other keys, or with one of these words as its only key {"dict": [[key, value], ...]}
"""

from __future__ import annotations

import base64
import binascii
import math
import sys
from typing import Any

import numpy as np

_MOST_BYTES = 1 << 26
_WORDS = frozenset({"text", "tuple", "bytes", "float", "rows", "array", "dict"})
_LARGEST = 1 << 63
_CODES = frozenset(
    np.dtype(f"{order}{kind}{size}").str
    for order in "<>"
    for kind, sizes in (("f", "248"), ("i", "1248"), ("u", "1248"), ("b", "1"))
    for size in sizes
)


def keep(value: Any) -> Any:
    """The value in JSON's kinds.  Raises TypeError where it cannot be kept."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value if _is_text(value) else {"text": _text(value.encode("utf-8", "surrogatepass"))}
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.kind not in "fiub":
            raise TypeError(f"numbers of the kind {value.dtype} cannot be kept")
        shape = list(value.shape) if isinstance(value, np.ndarray) else None
        return {"array": value.dtype.str, "shape": shape, "data": _text(value.tobytes())}
    if isinstance(value, int):
        if abs(value) >= _LARGEST:
            raise TypeError("a whole number is too large to be kept")
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, bytes):
        return {"bytes": _text(value)}
    if isinstance(value, tuple):
        return {"tuple": [keep(each) for each in value]}
    if isinstance(value, list):
        return _rows(value) or [keep(each) for each in value]
    if isinstance(value, dict):
        texts = all(type(key) is str and _is_text(key) for key in value)
        if texts and not _WORDS & value.keys():
            return {key: keep(each) for key, each in value.items()}
        return {"dict": [[keep(key), keep(each)] for key, each in value.items()]}
    raise TypeError(f"a {type(value).__name__} cannot be kept")


def kept(value: Any) -> Any:
    """What `keep` was given.  Raises ValueError where the value is not of its making."""
    if isinstance(value, list):
        return [kept(each) for each in value]
    if not isinstance(value, dict):
        return value
    word = next(iter(value), None)
    if word not in _WORDS:
        return {sys.intern(str(key)): kept(each) for key, each in value.items()}
    try:
        return _READERS[word](value)
    except (KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise ValueError(f"a stored {word} is damaged: {error}") from error


def _is_text(value: str) -> bool:
    """Whether it can be written as UTF-8: a pickle may hold halves of characters."""
    return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)


def _rows(value: list[Any]) -> Any:
    """The short form of a table of floats, None for anything else."""
    if not value or type(value[0]) is not list or not value[0]:
        return None
    width = len(value[0])
    for row in value:
        if type(row) is not list or len(row) != width or any(type(x) is not float for x in row):
            return None
    return {"rows": _text(np.array(value, "<f8").tobytes()), "shape": [len(value), width]}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _data(text: Any) -> bytes:
    if not isinstance(text, str) or len(text) > _MOST_BYTES:
        raise ValueError("kept bytes are no text, or too long")
    return base64.b64decode(text, validate=True)


def _array(value: dict[str, Any]) -> Any:
    code = value["array"]
    if code not in _CODES:
        raise ValueError(f"kept numbers of the kind {code!r:.20}")
    flat = np.frombuffer(_data(value["data"]), np.dtype(code))
    shape = value["shape"]
    if shape is None:
        return flat[0] if flat.size == 1 else None
    return flat.reshape(tuple(shape))


_READERS: dict[str, Any] = {
    "text": lambda value: _data(value["text"]).decode("utf-8", "surrogatepass"),
    "tuple": lambda value: tuple(kept(each) for each in value["tuple"]),
    "bytes": lambda value: _data(value["bytes"]),
    "float": lambda value: float(value["float"]),
    "rows": lambda value: (
        np.frombuffer(_data(value["rows"]), "<f8").reshape(tuple(value["shape"])).tolist()
    ),
    "array": _array,
    "dict": lambda value: {kept(key): kept(each) for key, each in value["dict"]},
}
