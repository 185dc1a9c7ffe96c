"""Numbers out of other programs' files, each checked before it is believed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

FAR = 1e9
"""No picture is larger, in pixels."""
_NUMBER = (int, float, np.integer, np.floating)
_PLAIN = frozenset((int, float))
_ROW = (list, tuple, np.ndarray)


def real(value: Any, name: str) -> float:
    """A number that a picture may hold; `name` is its key.  Raises ValueError."""
    number = float(value) if isinstance(value, _NUMBER) else math.nan
    if not abs(number) <= FAR:
        raise ValueError(f"'{name}' holds {value!r:.40}, which is no place in a picture")
    return number


def table(value: Any, name: str, rows: int | None, columns: int) -> NDArray[np.float64]:
    """Rows of such numbers, `rows` None for any count.  Raises ValueError.  # (rows, columns)"""
    if not isinstance(value, _ROW) or len(value) != (len(value) if rows is None else rows):
        raise ValueError(f"'{name}' must be a table of {'some' if rows is None else rows} rows")
    if any(not isinstance(row, _ROW) or len(row) != columns for row in value):
        raise ValueError(f"'{name}' must be a table of {columns} columns")
    flat = [each for row in value for each in row]
    if _PLAIN.issuperset(map(type, flat)):
        numbers = np.array(flat, np.float64)
        if (np.abs(numbers) <= FAR).all():
            return numbers.reshape(len(value), columns)
    numbers = np.array([real(each, name) for each in flat], np.float64)
    return numbers.reshape(len(value), columns)
