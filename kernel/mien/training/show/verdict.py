"""Whether a training still gets anywhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .curves import Line

GAIN = 0.01
"""Progress is an error smaller by this share than the best one before."""

_BLOCKS, _TOGETHER = 8, 3


def stalled_since(line: Line, begun: int, window: int) -> int | None:
    """The iteration of the best value, where `window` iterations brought none better by `GAIN`.

    begun  what came up to this iteration does not count: it was learned in another way
    None while it gets better, and while too little is known: there must be values from before the
    last `window` iterations, and three blocks of an eighth of it within them.
    """
    counted = line.places > begun
    places, values = line.places[counted], line.means[counted]
    if not len(places):
        return None
    blocks = ((places - begun) // max(1.0, window / _BLOCKS)).astype(int)
    ends = np.array([places[blocks == block][-1] for block in np.unique(blocks)])
    means = _rolling(np.array([values[blocks == block].mean() for block in np.unique(blocks)]))
    early = ends <= places[-1] - window
    if not early.any() or (~early).sum() < _TOGETHER:
        return None
    best = int(np.argmin(means[early]))
    if means[~early].min() < means[best] * (1 - GAIN):
        return None
    return int(ends[best])


def describe(line: Line, begun: int, window: int, what: str) -> str:
    """One line for people: is it still getting better, and since when not."""
    since = stalled_since(line, begun, window)
    if since is not None:
        return f"plateau since iteration {since}: the {what} got no better in {window} iterations"
    counted = line.places > begun
    places, values = line.places[counted], line.means[counted]
    recent = places > (places[-1] - window if len(places) else 0)
    if recent.all() or recent.sum() < _TOGETHER:
        return "too early to say whether it still gets better"
    before, now = float(values[~recent][-_TOGETHER:].mean()), float(values[-_TOGETHER:].mean())
    change = (1 - now / before) * 100 if before else 0.0
    word = "fell" if change >= 0 else "rose"
    return f"improving: the {what} {word} by {abs(change):.1f} % over the last {window} iterations"


def _rolling(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of each value and the two before it: one lucky value is no progress."""
    padded = np.cumsum(np.concatenate(([0.0], values)))
    starts = np.maximum(np.arange(len(values)) - _TOGETHER + 1, 0)
    stops = np.arange(len(values)) + 1
    means: NDArray[np.float64] = (padded[stops] - padded[starts]) / (stops - starts)
    return means
