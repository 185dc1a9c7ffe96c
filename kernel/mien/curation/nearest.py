"""Who is the nearest of many, without a look at each; and walks from one to the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .distance import Metric, Rows, bhattacharyya

Places = NDArray[np.int64]

_SHRINK = 0.5
_DIRECTIONS = 8
_TOO_MANY = 48
_FIRST = 24
_ROUNDING = 1.5e-3
"""By how much a bound in float32 may be too large: the root of what its squares lose."""
_GONE = 0.1
_SMALL = 256


class Search(Protocol):
    """The faces that are left."""

    def remove(self, place: int) -> None:
        """Leave a face out from now on."""
        ...

    def nearest(self, place: int, order: Places) -> int:
        """The face that is wanted next to this one; of equals the first by `order`."""
        ...


@dataclass(slots=True)
class _Cell:
    """Faces around a middle, none farther from it than `radius`."""

    places: Places
    rows: Rows
    alive: NDArray[np.bool_]
    radius: float


class Cells:
    """The faces that are left, in cells; most cells need no look to find the nearest face."""

    def __init__(self, rows: Rows, metric: Metric, *, farthest: bool = False) -> None:
        """rows (N, ...); about the square root of N of them become the middles of cells.

        farthest  the least alike is wanted, instead of the most
        """
        count = len(rows)
        self._farthest = farthest
        chosen = np.random.default_rng(0).permutation(count)[: max(1, int(np.sqrt(count)))]
        self._rows, self._metric = rows, metric
        self._middles = rows[np.sort(chosen)]
        nearest = np.zeros(count, np.int64)
        away = np.full(count, np.inf)
        for number, middle in enumerate(self._middles):
            distances = metric(middle, rows)
            closer = distances < away
            nearest[closer], away[closer] = number, distances[closer]
        self._cells, self._home = [], nearest
        for number in range(len(self._middles)):
            places = np.flatnonzero(nearest == number)
            reach = float(away[places].max()) if len(places) else 0.0
            self._cells.append(_Cell(places, rows[places], np.ones(len(places), np.bool_), reach))

    def remove(self, place: int) -> None:
        """Leave a face out from now on."""
        cell = self._cells[self._home[place]]
        cell.alive[np.searchsorted(cell.places, place)] = False
        if cell.alive.mean() < _SHRINK:
            cell.places, cell.rows = cell.places[cell.alive], cell.rows[cell.alive]
            cell.alive = np.ones(len(cell.places), np.bool_)

    def nearest(self, place: int, order: Places) -> int:
        """The face that is most like a face, or least; of equals the first by `order`; -1: none."""
        farthest = self._farthest
        row = self._rows[place]
        towards = self._metric(row, self._middles)
        radii = np.array([cell.radius for cell in self._cells])
        bounds = -(towards + radii) if farthest else towards - radii
        best, found = np.inf, -1
        for number in np.argsort(bounds, kind="stable"):
            if bounds[number] > best + 1e-9:
                break
            cell = self._cells[number]
            if not cell.alive.any():
                continue
            distances = self._metric(row, cell.rows)
            distances = np.where(cell.alive, -distances if farthest else distances, np.inf)
            least = distances.min()
            if least > best:
                continue
            equals = cell.places[distances == least]
            candidate = int(equals[np.argmin(order[equals])])
            if least < best or found < 0 or order[candidate] < order[found]:
                best, found = least, candidate
        return found


class Histograms:
    """The faces that are left, by their histograms: most are ruled out by their shadows.

    The distance of two histograms of a channel is that of their roots, over the root of 2.  It is
    no less than the distance of their shadows: the roots along the few directions in which the set
    differs most, and the length of all the rest.  Of 768 numbers to compare 27 are left.
    """

    def __init__(self, roots: Rows) -> None:
        """roots (N, C, 256), from `histogram_roots`."""
        self._roots = roots
        shadows = np.stack([_shadows(roots[:, each]) for each in range(roots.shape[1])])
        self._squares = np.square(shadows).sum(axis=2)[:, :, None, None]  # (C, N, 1, 1)
        self._asked = -2 * shadows[:, :, None]  # (C, N, 1, D)
        self._left = np.arange(len(roots))
        self._seen = np.ascontiguousarray(shadows.transpose(0, 2, 1))  # (C, D, N)
        self._lengths = np.square(self._seen).sum(axis=1, keepdims=True)  # (C, 1, N)
        self._at = np.arange(len(roots))
        self._gone = 0

    def remove(self, place: int) -> None:
        """Leave a face out from now on."""
        self._lengths[:, :, self._at[place]] = np.inf
        self._gone += 1
        if self._gone > _GONE * len(self._left) and len(self._left) > _SMALL:
            kept = np.flatnonzero(np.isfinite(self._lengths[0, 0]))
            self._left = self._left[kept]
            self._seen = np.ascontiguousarray(self._seen[:, :, kept])
            self._lengths = np.ascontiguousarray(self._lengths[:, :, kept])
            self._at[self._left] = np.arange(len(kept))
            self._gone = 0

    def nearest(self, place: int, order: Places) -> int:
        """The face that is most like a face; of equals the first by `order`."""
        root, left = self._roots[place], self._left
        bounds = self._bounds(place)
        best = float(bhattacharyya(root, self._roots[left[int(bounds.argmin())]][None])[0])
        near = np.flatnonzero(bounds <= best)
        if len(near) > _TOO_MANY:
            some = near[np.argpartition(bounds[near], _FIRST)[:_FIRST]]
            best = min(best, float(bhattacharyya(root, self._roots[left[some]]).min()))
            near = near[bounds[near] <= best]
        places = left[near]
        distances = bhattacharyya(root, self._roots[places])
        equals = places[distances == distances.min()]
        return int(equals[np.argmin(order[equals])])

    def _bounds(self, place: int) -> NDArray[np.float32]:
        """What the distances to all that are left are no less than."""
        squares: NDArray[np.float32] = np.matmul(self._asked[:, place], self._seen)  # (C, 1, N)
        squares += self._lengths
        squares += self._squares[:, place]
        np.maximum(squares, 0, out=squares)
        total = np.sqrt(squares, out=squares).sum(axis=(0, 1))
        bounds: NDArray[np.float32] = total - np.float32(_ROUNDING * len(squares))
        return bounds


def _shadows(roots: Rows) -> NDArray[np.float32]:
    """Where the roots lie along the main directions, and how far from them.  # (N, D + 1)"""
    apart = roots - roots.mean(axis=0)
    _, directions = np.linalg.eigh(apart.T @ apart)
    along = apart @ directions[:, -_DIRECTIONS:]
    rest = np.square(apart).sum(axis=1) - np.square(along).sum(axis=1)
    shadows = np.column_stack((along, np.sqrt(np.maximum(rest, 0)))) / np.sqrt(2)
    made: NDArray[np.float32] = shadows.astype(np.float32)
    return made


def chain(rows: Rows, metric: Metric, *, farthest: bool = False) -> Places:
    """A walk through all faces from the first: each is followed by the most alike that is left.

    farthest  by the least alike.  Of equals the one that stands first in a list in which every
    chosen face changes places with the one it passes over.  Returns (N,) places.
    """
    return _walk(lambda: Cells(rows, metric, farthest=farthest), len(rows))


def chain_of_histograms(roots: Rows) -> Places:
    """`chain` by `bhattacharyya`, quicker.  roots (N, C, 256), from `histogram_roots`."""
    return _walk(lambda: Histograms(roots), len(roots))


def _walk(make: Callable[[], Search], count: int) -> Places:
    walk = np.arange(count)
    standing = np.arange(count)  # where a face is in `walk`
    if count < 3:
        return walk
    search = make()
    search.remove(0)
    for at in range(count - 1):
        found = search.nearest(int(walk[at]), standing)
        search.remove(found)
        there, passed = int(standing[found]), int(walk[at + 1])
        walk[at + 1], walk[there] = found, passed
        standing[found], standing[passed] = at + 1, there
    return walk
