"""Who is in a faceset: faces by their identities, person by person."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import unit_vector

Identities = NDArray[np.float32]
"""(N, D), unit vectors; zeros where nobody is known, which are like nobody."""

SAME = 0.6
"""Cosine from which two faces show the same person, unless somebody knows their embedder better."""

_BLOCK = 4096
_LEAST = 1e-6


def likeness(identities: Identities, people: Identities) -> NDArray[np.float64]:
    """Of each face the cosine to the likest of some others; 0 where it is like nobody.  # (N,)"""
    if not len(people) or people.shape[1] != identities.shape[1]:
        return np.zeros(len(identities))
    blocks = [
        (identities[start : start + _BLOCK] @ people.T).max(axis=1)
        for start in range(0, len(identities), _BLOCK)
    ]
    return np.concatenate(blocks).astype(np.float64)


def tell_apart(identities: Identities, same: float) -> tuple[NDArray[np.int64], Identities]:
    """Which person each face shows, 0 being the one with most faces; -1 where it cannot be told.

    same  cosine to the middle of a person's faces from which a face is of that person
    Returns (N,) numbers and the middles (P, D).  Faces are taken one after the other, each joins
    the person it is likest to or begins a new one; people whose middles turn out alike are joined,
    and at the end every face goes to the nearest.
    """
    known = np.flatnonzero(np.linalg.norm(identities, axis=1) > _LEAST)
    numbers = np.full(len(identities), -1, np.int64)
    if not len(known):
        return numbers, identities[:0]
    found = _gathered(identities[known], same)
    found = _gathered(found[np.argsort(-np.linalg.norm(found, axis=1), kind="stable")], same)
    middles = np.stack([unit_vector(each) for each in found])
    nearest = np.concatenate(
        [
            np.argmax(identities[known[start : start + _BLOCK]] @ middles.T, axis=1)
            for start in range(0, len(known), _BLOCK)
        ]
    )
    counts = np.bincount(nearest, minlength=len(middles))
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] > 0]
    place = np.full(len(middles), -1, np.int64)
    place[order] = np.arange(len(order))
    numbers[known] = place[nearest]
    return numbers, middles[order]


def _gathered(rows: Identities, same: float) -> Identities:
    """Rows summed up by person, in the order in which people were met.  # (N, D) -> (P, D)"""
    room = 16
    sums = np.zeros((room, rows.shape[1]), np.float32)
    units = np.zeros_like(sums)
    count = 0
    for row in rows:
        cosines = units[:count] @ unit_vector(row)
        at = int(np.argmax(cosines)) if count else 0
        if not count or cosines[at] < same:
            at, count = count, count + 1
            if count > room:
                room *= 2
                sums, units = (
                    np.concatenate((each, np.zeros_like(each))) for each in (sums, units)
                )
        sums[at] += row
        units[at] = unit_vector(sums[at])
    return sums[:count]
