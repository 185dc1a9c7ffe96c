"""How unlike two faces are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Rows = NDArray[Any]
Metric = Callable[[Rows, Rows], Rows]
"""(row, rows) -> a distance for each of the rows, which keeps to the triangle's inequality."""

_BLOCK = 1024


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
    What it gives for a pair does not depend on the others that are asked about: a product of
    matrices rounds otherwise with every shape, and equals would no longer be equal.
    """
    unlike = 1 - (many * one).sum(axis=-1)
    np.maximum(unlike, 0, out=unlike)
    total: Rows = np.sqrt(unlike, out=unlike).sum(axis=-1)
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
