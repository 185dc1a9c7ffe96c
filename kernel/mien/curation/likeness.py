"""Pictures that show almost the same: found by their 256 bits, in buckets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WIDEST = 15
"""Most bits that two pictures may differ in: of 16 bands of 16 bits one is then the same."""

_FEW = 256
"""Kept pictures with a band in common that are compared one by one; more are compared with all."""

_BANDS = np.arange(16, dtype=np.uint32) << 16
"""Added to the bands of a picture, so that each has keys of its own."""


def near_duplicates(
    hashes: NDArray[np.uint64], rank: NDArray[np.float64], bits: int
) -> NDArray[np.int64]:
    """For each picture the one that it repeats, -1 where it is to be kept.

    hashes  (N, 4);  rank  (N,), of alike pictures the one with the largest is kept
    bits    in how many bits of 256 pictures may differ and still be alike, 0..15
    Pictures are looked at by rank, each only beside those that are kept by then: it is dropped only
    if one of them is that near, so nothing is lost along a chain of small changes, and a thousand
    pictures that are all alike cost no more than others.
    """
    if not 0 <= bits <= WIDEST:
        raise ValueError(f"bits is {bits}, must be 0..{WIDEST}")
    order = np.argsort(-np.nan_to_num(rank), kind="stable")
    repeats = np.full(len(order), -1, np.int64)
    kept = _Kept(bits, len(order))
    rows = np.ascontiguousarray(hashes[order])
    for row, words in zip(order.tolist(), rows, strict=True):
        repeats[row] = kept.first_near(row, words)
    return repeats


class _Kept:
    """The pictures that are kept, findable by each band of their bits."""

    def __init__(self, bits: int, most: int) -> None:
        self._bits = bits
        self._rows: list[int] = []
        self._numbers: list[int] = []
        self._words = np.zeros((most, 4), np.uint64)
        self._same: dict[int, int] = {}
        self._bands: dict[int, list[int]] = {}

    def first_near(self, row: int, words: NDArray[np.uint64]) -> int:
        """The row of the first kept picture that is near; -1 where none is, then this is kept."""
        number = int.from_bytes(words.tobytes(), "little")
        same = self._same.get(number)
        if same is not None:
            return same
        bands = (words.view(np.uint16) + _BANDS).tolist()
        place = self._near(words, number, bands)
        if place >= 0:
            self._same[number] = self._rows[place]
            return self._rows[place]
        place = len(self._rows)
        self._same[number] = row
        self._words[place] = words
        self._rows.append(row)
        self._numbers.append(number)
        for band in bands:
            self._bands.setdefault(band, []).append(place)
        return -1

    def _near(self, words: NDArray[np.uint64], number: int, bands: list[int]) -> int:
        found = [self._bands[band] for band in bands if band in self._bands]
        if sum(map(len, found)) <= _FEW:
            numbers, most = self._numbers, self._bits
            return min(
                (
                    place
                    for places in found
                    for place in places
                    if (numbers[place] ^ number).bit_count() <= most
                ),
                default=-1,
            )
        apart = np.bitwise_count(self._words[: len(self._rows)] ^ words).sum(axis=1)
        near = apart <= self._bits
        return int(near.argmax()) if near.any() else -1
