"""Pictures that show almost the same: found by their 256 bits, in buckets."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

WIDEST = 15
"""Most bits that two pictures may differ in: of 16 bands of 16 bits one is then the same."""

_PAIRS_AT_ONCE = 1 << 20
_SMALL = 24
"""Pictures in a bucket up to which its pairs are told along with those of other buckets."""


def near_duplicates(
    hashes: NDArray[np.uint64], rank: NDArray[np.float64], bits: int
) -> NDArray[np.int64]:
    """For each picture the one that it repeats, -1 where it is to be kept.

    hashes  (N, 4);  rank  (N,), of alike pictures the one with the largest is kept
    bits    in how many bits of 256 pictures may differ and still be alike, 0..15
    A picture is dropped only if a kept one is that near, so nothing is lost along a chain of small
    changes.  Two pictures are compared where one of 16 bands of their bits is equal.
    """
    if not 0 <= bits <= WIDEST:
        raise ValueError(f"bits is {bits}, must be 0..{WIDEST}")
    order = np.argsort(-np.nan_to_num(rank), kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    alike: dict[int, list[int]] = {}
    for better, worse in _alike(hashes[order], bits):
        for one, other in zip(better.tolist(), worse.tolist(), strict=True):
            alike.setdefault(other, []).append(one)
    repeats = np.full(len(order), -1, np.int64)
    for at in range(len(order)):
        for other in sorted(alike.get(at, ())):
            if repeats[order[other]] < 0:
                repeats[order[at]] = order[other]
                break
    return repeats


def _alike(
    hashes: NDArray[np.uint64], bits: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs of pictures within so many bits, the earlier one first; no pair twice."""
    bands = np.ascontiguousarray(hashes).view(np.uint16).reshape(len(hashes), -1)
    for number in range(bands.shape[1]):
        order = np.argsort(bands[:, number], kind="stable")
        for one, other in _bucket_pairs(order, bands[order, number], hashes, bits):
            # A pair that an earlier band has told already.
            fresh = ~(bands[one, :number] == bands[other, :number]).any(axis=1)
            yield one[fresh], other[fresh]


def _bucket_pairs(
    order: NDArray[np.int64], values: NDArray[np.uint16], hashes: NDArray[np.uint64], bits: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Near pairs among pictures of equal value, which stand side by side in `order`."""
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
    counts = np.diff(np.r_[starts, len(values)])
    last = np.repeat(starts + counts, counts)  # where the bucket of each ends
    # Small buckets all at once, each picture with the next one, the one after that, and so on.
    at = np.flatnonzero(np.repeat(counts, counts) <= _SMALL)
    for step in range(1, _SMALL):
        at = at[at + step < last[at]]
        one, other = order[at], order[at + step]
        near = np.bitwise_count(hashes[one] ^ hashes[other]).sum(axis=1) <= bits
        yield one[near], other[near]
    for start, count in zip(starts.tolist(), counts.tolist(), strict=True):
        if count <= _SMALL:
            continue
        members = order[start : start + count]
        rows_at_once = max(1, _PAIRS_AT_ONCE // count)
        for first in range(0, count, rows_at_once):
            rows = members[first : first + rows_at_once]
            near = (_apart(hashes[rows], hashes[members]) <= bits) & (rows[:, None] < members)
            found, partner = np.nonzero(near)
            yield rows[found], members[partner]


def _apart(some: NDArray[np.uint64], many: NDArray[np.uint64]) -> NDArray[np.int64]:
    """In how many bits they differ.  # (A, 4), (B, 4) -> (A, B)"""
    apart = np.zeros((len(some), len(many)), np.int64)
    for word in range(some.shape[1]):
        apart += np.bitwise_count(some[:, None, word] ^ many[None, :, word])
    return apart
