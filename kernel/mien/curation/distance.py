"""How unlike two faces are, and who is the nearest of many: searched in cells, not one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Rows = NDArray[Any]
Metric = Callable[[Rows, Rows], Rows]
"""(row, rows) -> a distance for each of the rows, which keeps to the triangle's inequality."""

_BLOCK = 1024
_SHRINK = 0.5
_DENSE = 3000
"""Faces up to which a table of all pairs, as one product of matrices, is quicker than cells."""


def histogram_roots(counts: NDArray[np.uint32]) -> Rows:
    """Histograms as vectors of length 1, so that a product is the Bhattacharyya coefficient.

    counts  (N, ..., 256).  Empty ones become zeros.
    """
    total = counts.sum(axis=-1, keepdims=True, dtype=np.float64)
    roots: Rows = np.sqrt(counts / np.maximum(total, 1))
    return roots


def bhattacharyya(one: Rows, many: Rows) -> Rows:
    """Sum over the histograms of a face of their Bhattacharyya distance.

    one  (C, 256);  many  (N, C, 256), both from `histogram_roots`
    """
    total = np.zeros(len(many))
    for channel in range(one.shape[0]):
        total += np.sqrt(np.maximum(0, 1 - many[:, channel] @ one[channel]))
    return total


def bhattacharyya_pairs(rows: Rows) -> Rows:
    """`bhattacharyya` of all pairs.  # (N, C, 256) -> (N, N)"""
    total = np.zeros((len(rows), len(rows)))
    for channel in range(rows.shape[1]):
        part = np.ascontiguousarray(rows[:, channel])
        total += np.sqrt(np.maximum(0, 1 - part @ part.T))
    return total


def city_block(one: Rows, many: Rows) -> Rows:
    """Sum of absolute differences.  one (K,);  many (N, K), both uint8 or both float32."""
    if many.dtype != np.uint8 or not len(many):
        apart: Rows = np.abs(many - one).sum(axis=1, dtype=np.float64)
        return apart
    differences = np.maximum(many, one) - np.minimum(many, one)
    found: Rows = cv2.reduce(differences, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)
    return found[:, 0].astype(np.float64)


def unlikeness(roots: Rows) -> Rows:
    """For each face the sum of its Bhattacharyya distances to all others.

    roots  (N, 256).  Every pair counts, so this grows with the square of N; it is one product of
    matrices, in blocks.
    """
    total = np.zeros(len(roots))
    for start in range(0, len(roots), _BLOCK):
        products = roots[start : start + _BLOCK] @ roots.T
        np.subtract(1, products, out=products)
        np.maximum(products, 0, out=products)
        np.sqrt(products, out=products)
        count = products.shape[0]
        products[np.arange(count), start + np.arange(count)] = 0  # a face and itself
        total[start : start + count] = products.sum(axis=1)
    return total


@dataclass(slots=True)
class _Cell:
    """Faces around a middle, none farther from it than `radius`."""

    places: NDArray[np.int64]
    rows: Rows
    alive: NDArray[np.bool_]
    radius: float


class Cells:
    """The faces that are left, in cells; most cells need no look to find the nearest face."""

    def __init__(self, rows: Rows, metric: Metric) -> None:
        """rows (N, ...); about the square root of N of them become the middles of cells."""
        count = len(rows)
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

    def nearest(self, place: int, order: NDArray[np.int64], *, farthest: bool = False) -> int:
        """The face that is most like a face, or least; of equals the first by `order`; -1: none."""
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


class _Pairs:
    """The faces that are left, with a table of all distances: the same answers as `Cells`."""

    def __init__(self, distances: Rows) -> None:
        self._distances = distances
        self._gone = np.zeros(len(distances))

    def remove(self, place: int) -> None:
        self._gone[place] = np.inf

    def nearest(self, place: int, order: NDArray[np.int64], *, farthest: bool = False) -> int:
        row = self._distances[place]
        row = (-row if farthest else row) + self._gone
        equals = np.flatnonzero(row == row.min())
        return int(equals[np.argmin(order[equals])])


def chain(
    rows: Rows,
    metric: Metric,
    *,
    farthest: bool = False,
    pairs: Callable[[Rows], Rows] | None = None,
) -> NDArray[np.int64]:
    """A walk through all faces from the first: each is followed by the most alike that is left.

    Of equals the one that stands first in a list in which every chosen face changes places with
    the one it passes over.  `pairs` gives the metric of all pairs at once, used where that is the
    quicker way.  Returns (N,) places.
    """
    count = len(rows)
    walk = np.arange(count)
    if count < 3:
        return walk
    dense = pairs is not None and count <= _DENSE
    cells = _Pairs(pairs(rows)) if pairs is not None and dense else Cells(rows, metric)
    standing = np.arange(count)  # where a face is in `walk`
    cells.remove(0)
    for at in range(count - 1):
        found = cells.nearest(int(walk[at]), standing, farthest=farthest)
        cells.remove(found)
        there, passed = int(standing[found]), int(walk[at + 1])
        walk[at + 1], walk[there] = found, passed
        standing[found], standing[passed] = at + 1, there
    return walk
