"""Rising curves that lead one distribution of numbers to another."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]

BINS = 256

# Points of a curve, at equal shares of the numbers, and of the table that is read instead of it.
_KNOTS, _TABLE = 128, 512
_LONGEST = 1 << 14  # cv2.remap takes pictures of fewer than 32768 columns


class QuantileCurve:
    """Says how far a number must go.  Beyond the ends it moves as at the ends."""

    def __init__(self, here: Values, there: Values) -> None:
        """here, there (N,), sorted."""
        at = np.linspace(0, len(here) - 1, _KNOTS)
        low = at.astype(np.intp)
        high, part = np.minimum(low + 1, len(here) - 1), (at - low).astype(np.float32)
        old, new = (each[low] + part * (each[high] - each[low]) for each in (here, there))
        self._first = old[0]
        self._scale = np.float32(_TABLE - 1) / max(old[-1] - old[0], np.float32(1e-6))
        places = old[0] + np.arange(_TABLE, dtype=np.float32) / self._scale
        self._table = np.interp(places, old, new - old).astype(np.float32)[None]

    def __call__(self, values: Values) -> Values:
        """The moves of numbers (N,)."""
        places = (values - self._first) * self._scale
        rows = -(-len(places) // _LONGEST)
        folded = np.zeros((rows, -(-len(places) // rows)), dtype=np.float32)
        folded.ravel()[: len(places)] = places
        moves: Values = cv2.remap(  # type: ignore[assignment]
            self._table,
            folded,
            np.zeros_like(folded),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return moves.ravel()[: len(places)]


def by_bins(values: Values, here: Values, there: Values, bins: int) -> Values:
    """Where numbers (N,) come to by the histograms of two sets of numbers.

    As DeepFaceLab does it: the curve begins at the end of the lowest bin, and what lies below goes
    to 0.
    """
    low, high = min(here.min(), there.min()), max(here.max(), there.max())
    shares = []
    for numbers in (here, there):
        counts, edges = np.histogram(numbers, bins=bins, range=(low, high))
        sums = np.cumsum(counts).astype(np.float32)
        shares.append(sums / sums[-1])
    ends = edges[1:]
    curve = np.interp(shares[0], shares[1], ends)
    moved: Values = np.interp(values, ends, curve, left=0, right=bins).astype(np.float32)
    return moved
