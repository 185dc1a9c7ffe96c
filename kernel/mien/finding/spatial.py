"""Shapes that do not tremble: a face's points, less what no face of its track does.

Each shape is centred and scaled; what the strongest ways of moving of the whole track do not
explain is dropped; then every shape is averaged with its neighbours.  Places and sizes stay as they
were: smoothing while extracting steadies those.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..arrays import Points

COMPONENTS = 20
REACH = 2
_FAR = 4  # a pause of so many usual steps ends a run
Shapes = NDArray[np.float64]


def steadied_shapes(
    frames: Sequence[int],
    points: Sequence[Points],
    *,
    components: int = COMPONENTS,
    reach: int = REACH,
) -> list[Points]:
    """The points (68, 2) of a track's faces, in order of its frames, with steadier shapes.

    components  ways of moving that are kept;  reach  neighbours on each side that are averaged
    """
    if len(points) < 3:
        return list(points)
    seen = np.stack([np.asarray(each, np.float64) for each in points])  # (n, 68, 2)
    centres = seen.mean(1, keepdims=True)
    sizes = np.sqrt(np.square(seen - centres).sum((1, 2), keepdims=True) / seen.shape[1])
    shapes = (seen - centres) / np.maximum(sizes, 1e-9)
    kept = _explained(shapes.reshape(len(seen), -1), components).reshape(seen.shape)
    steady = np.concatenate([_averaged(kept[part], reach) for part in _runs(frames)])
    moved = (steady * sizes + centres).astype(np.float32)
    return [np.ascontiguousarray(each) for each in moved]


def _explained(shapes: Shapes, components: int) -> Shapes:
    """The shapes (n, 136) as far as the strongest components explain them."""
    middle = shapes.mean(0)
    _, _, ways = np.linalg.svd(shapes - middle, full_matrices=False)
    strongest = ways[:components]
    explained: Shapes = middle + (shapes - middle) @ strongest.T @ strongest
    return explained


def _averaged(shapes: Shapes, reach: int) -> Shapes:
    """Each shape averaged with `reach` on each side; the ends are repeated."""
    padded = np.concatenate((shapes[:1].repeat(reach, 0), shapes, shapes[-1:].repeat(reach, 0)))
    windows = [padded[start : start + len(shapes)] for start in range(2 * reach + 1)]
    averaged: Shapes = np.mean(windows, axis=0)
    return averaged


def _runs(frames: Sequence[int]) -> Iterator[slice]:
    """Parts without a long pause: a face that comes back is not averaged with what it was."""
    steps = np.diff(frames)
    breaks = np.flatnonzero(steps > _FAR * max(float(np.median(steps)), 1.0)) + 1
    edges = [0, *breaks.tolist(), len(frames)]
    for start, stop in pairwise(edges):
        yield slice(start, stop)
