"""In which order the faces of one side are learned from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

_EDGE, _BINS = 1.2, 128
"""Yaw, in radians, from which on all faces count as looking aside; number of equal steps."""

Shuffle = Callable[[str, int, int], list[int]]
"""The order of `count` things in a round: from a name, the number of the round, and the count."""


class Deck:
    """Deals the faces of one side: each once before any comes again, in an order of its own.

    The hand of an iteration depends on the seed and the iteration alone, so a training that was
    interrupted goes on with the faces it would have had.
    """

    def __init__(self, cards: Sequence[int], batch_size: int, shuffle: Shuffle) -> None:
        """cards  the rows of the faces that may be learned from"""
        self._pool = _Pool(cards, "cards", shuffle)
        self._batch_size = batch_size

    def hand(self, number: int) -> list[int]:
        """Which faces batch 0, 1, … learns from."""
        start = number * self._batch_size
        return [self._pool.card(place) for place in range(start, start + self._batch_size)]

    def rounds(self, number: int) -> int:
        """How often every face had its turn before this batch begins, on average."""
        return number * self._batch_size // len(self._pool)


class YawDeck(Deck):
    """Deals looks to the left, ahead and to the right equally often, as DeepFaceLab does.

    A round shows one face of every bin of yaw; each bin deals its own faces in turn.
    """

    def __init__(
        self, cards: Sequence[int], yaws: Sequence[float], batch_size: int, shuffle: Shuffle
    ) -> None:
        """yaws  of the faces of `cards`, radians"""
        super().__init__(cards, batch_size, shuffle)
        bins: dict[int, list[int]] = {}
        for card, place in zip(cards, yaw_bins(yaws), strict=True):
            bins.setdefault(place, []).append(card)
        self._bins = [_Pool(bins[place], f"bin {place}", shuffle) for place in sorted(bins)]
        self._order = _Pool(range(len(self._bins)), "bins", shuffle)

    def hand(self, number: int) -> list[int]:
        """Which faces batch 0, 1, … learns from."""
        start = number * self._batch_size
        return [self._card(place) for place in range(start, start + self._batch_size)]

    def _card(self, place: int) -> int:
        return self._bins[self._order.card(place)].card(place // len(self._bins))


class _Pool:
    """Cards that are dealt round by round, each round in an order of its own."""

    def __init__(self, cards: Sequence[int], name: str, shuffle: Shuffle) -> None:
        self._cards, self._name, self._shuffle = cards, name, shuffle
        self._round, self._order = -1, list[int]()

    def __len__(self) -> int:
        return len(self._cards)

    def card(self, place: int) -> int:
        """The card at this place of the endless row."""
        number, index = divmod(place, len(self._cards))
        if number != self._round:
            self._round = number
            self._order = self._shuffle(self._name, number, len(self._cards))
        return self._cards[self._order[index]]


def yaw_bins(yaws: Sequence[float]) -> list[int]:
    """The bin of each face, 0..127; what lies beyond the edges counts to the outermost."""
    edges = np.linspace(-_EDGE, _EDGE, _BINS)
    places = np.searchsorted(edges, np.asarray(yaws, np.float64), side="right") - 1
    return [int(place) for place in places.clip(0, _BINS - 1)]


def spread_evenly(count: int, wanted: int) -> list[int]:
    """At most `wanted` of `count` indices, from the first to the last."""
    if wanted >= count:
        return list(range(count))
    return [round(i * (count - 1) / max(1, wanted - 1)) for i in range(wanted)]
