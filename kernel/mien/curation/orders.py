"""Every way to sort a faceset: by which measurements, in which direction, what goes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .best import best_faces
from .distance import city_block, histogram_roots, unlikeness
from .nearest import chain, chain_of_histograms
from .people import SAME, tell_apart
from .table import Group, Table

Scores = NDArray[np.float64]
_NUMBERED = re.compile(r"(\d+)_(\d+)")


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """Faces in order; which are left out, and the score of each where the method has one.

    kept, left  rows of the table;  scores  (N,) by row, or None
    groups      the kept ones as the order itself groups them; empty where it does not
    """

    kept: NDArray[np.int64]
    left: NDArray[np.int64]
    scores: Scores | None = None
    groups: tuple[NDArray[np.int64], ...] = ()


@dataclass(frozen=True, slots=True)
class Method:
    """A way to sort."""

    summary: str
    groups: Group
    run: Callable[[Table, int], Order]


def _by(
    column: str | Callable[[Table], Scores], *, ascending: bool = False, drop_zero: bool = False
) -> Callable[[Table, int], Order]:
    """Sort by a column, largest first; what is not known comes last, equals stay as they were."""

    def run(table: Table, target: int) -> Order:
        scores = np.asarray(table[column] if isinstance(column, str) else column(table), np.float64)
        order = np.argsort(scores if ascending else -scores, kind="stable")
        gone = scores[order] == 0 if drop_zero else np.zeros(len(order), np.bool_)
        return Order(order[~gone], order[gone], scores)

    return run


def _mix(blue: float, green: float, red: float) -> Callable[[Table], Scores]:
    return lambda table: blue * table["blue"] + green * table["green"] + red * table["red"]


def _chain_of_colours(table: Table, target: int) -> Order:
    walk = chain_of_histograms(histogram_roots(table["colours"]))
    return Order(walk, walk[:0])


def _chain_of_first(table: Table, target: int) -> Order:
    walk = chain_of_histograms(histogram_roots(table["colours"][:, :1]))
    return Order(walk, walk[:0])


def _unlike(table: Table) -> Scores:
    return unlikeness(histogram_roots(table["masked-grey"]))


def _walk(column: str, *, farthest: bool = False) -> Callable[[Table, int], Order]:
    def run(table: Table, target: int) -> Order:
        rows = np.ascontiguousarray(table[column].reshape(len(table), -1))
        walk = chain(rows, city_block, farthest=farthest)
        return Order(walk, walk[:0])

    return run


def _by_origin(table: Table, target: int) -> Order:
    names = table.origins
    numbers = table["number"]
    order = sorted(range(len(names)), key=lambda row: (names[row], numbers[row]))
    return Order(np.array(order, np.int64), np.zeros(0, np.int64))


def _one_face(table: Table, target: int) -> Order:
    """Only faces that were alone in their picture."""
    frames, numbers = [], []
    for path, name, number in zip(table.paths, table.origins, table["number"], strict=True):
        match = _NUMBERED.fullmatch(path.stem)
        frames.append(match[1] if match else name)
        numbers.append(int(match[2]) if match else int(number))
    many = {frame for frame, count in Counter(frames).items() if count > 1}
    many |= {frame for frame, number in zip(frames, numbers, strict=True) if number > 0}
    gone = np.array([frame in many for frame in frames], np.bool_)
    return Order(np.flatnonzero(~gone), np.flatnonzero(gone))


def _best(sharpness: str) -> Callable[[Table, int], Order]:
    def run(table: Table, target: int) -> Order:
        kept, left = best_faces(
            np.nan_to_num(table["yaw"]),
            np.nan_to_num(table["pitch"]),
            table[sharpness],
            table["grey"],
            target,
        )
        return Order(kept, left, table[sharpness])

    return run


def by_person(table: Table, same: float) -> Order:
    """The person with most faces first, of each the likest first; unknown faces come last.

    same  cosine from which two faces show the same person.  The score is the cosine to the middle
          of the person's faces.
    """
    identities = table["identity"]
    numbers, middles = tell_apart(identities, same)
    known = numbers >= 0
    scores = np.full(len(table), np.nan)
    scores[known] = np.einsum("nd,nd->n", identities[known], middles[numbers[known]])
    numbers = np.where(known, numbers, len(middles))
    order = np.lexsort((-scores, numbers))
    ends = np.cumsum(np.bincount(numbers, minlength=len(middles) + 1))
    groups = tuple(part for part in np.split(order, ends[:-1]) if len(part))
    return Order(order, order[:0], scores, groups)


_R, _P, _S = Group.RECORD, Group.PICTURE, Group.SHARP

METHODS: Mapping[str, Method] = {
    "blur": Method("sharpest first (CPBD of the face)", _S, _by("blur", drop_zero=True)),
    "motion-blur": Method("least motion blur first", _S, _by("motion-blur", drop_zero=True)),
    "face-yaw": Method("nose to the picture's left first", _R, _by("yaw")),
    "face-pitch": Method("looking up first", _R, _by("pitch")),
    "face-roll": Method("turned clockwise first", _R, _by("roll")),
    "face-source-rect-size": Method("largest box in the frame first", _R, _by("rect")),
    "hist": Method("alike colours side by side", _P, _chain_of_colours),
    "hist-dissim": Method("least like the others first", _P, _by(_unlike)),
    "brightness": Method("brightest picture first", _P, _by("brightness")),
    "hue": Method("by mean hue, largest first", _P, _by("hue")),
    "black": Method("fewest black samples first", _P, _by("black", ascending=True)),
    "origname": Method("by the picture a face was taken from", _R, _by_origin),
    "oneface": Method("only faces that were alone in their picture", _R, _one_face),
    "absdiff": Method("alike pictures side by side", _P, _walk("thumb")),
    "absdiff-dissim": Method(
        "each the least like the one before", _P, _walk("thumb", farthest=True)
    ),
    "final": Method("the best faces, evenly over yaw and pitch", _R | _P | _S, _best("blur")),
    "final-fast": Method("the same, large faces for sharp ones", _R | _P, _best("rect")),
    "laplacian": Method("sharpest first (Laplacian)", _S, _by("laplacian")),
    "blur-fft": Method("sharpest first (fine frequencies)", _S, _by("blur-fft")),
    "distance": Method("nearest to the mean face first", _R, _by("distance", ascending=True)),
    "size": Method("largest face in its frame first", _R, _by("size")),
    "landmarks": Method("alike landmarks side by side", _R, _walk("landmarks")),
    "hist-first": Method("alike histograms of blue side by side", _P, _chain_of_first),
    "color-gray": Method("brightest first", _P, _by(_mix(0.0722, 0.7152, 0.2126))),
    "color-luma": Method("largest luma first", _P, _by(_mix(0.25, 0.5, 0.25))),
    "color-orange": Method("most orange first", _P, _by(_mix(-0.5, 0, 0.5))),
    "color-green": Method("most green first", _P, _by(_mix(-0.25, 0.5, -0.25))),
    "color-black": Method("fewest black pixels first", _P, _by("black-share", ascending=True)),
    "sharpness": Method("sharpest face first, whatever its size", _S, _by("sharpness")),
    "light": Method("brightest face first", _P, _by("light")),
    "mouth": Method("widest open mouth first", _R, _by("mouth")),
    "eyes": Method("widest open eyes first", _R, _by("eyes")),
    "identity": Method(
        "person by person, with most faces first", Group.IDENTITY, lambda t, _: by_person(t, SAME)
    ),
}
"""The first seventeen are DeepFaceLab's (and the roll), then faceswap's, then four of our own; the
last needs an embedder."""

ANGLES = frozenset(("face-yaw", "face-pitch", "face-roll"))
SHARES = frozenset(("color-black",))


def grouped(method: str, order: Order, table: Table, bins: int) -> list[NDArray[np.int64]]:
    """The kept faces in groups, first to last, each in order; empty groups stay in the list.

    Angles fall into bins over 90 to -90 degrees, shares over 0 to 100, other scores over the
    range that the set has; orders without a score are cut into even parts.  Of an order with
    groups of its own the last bin takes all that are too many.
    """
    if order.groups:
        first, rest = order.groups[: bins - 1], order.groups[bins - 1 :]
        return [*first, *([np.concatenate(rest)] if rest else [])]
    if order.scores is None or method in ("final", "final-fast"):
        return [part.astype(np.int64) for part in np.array_split(order.kept, bins)]
    scores = np.nan_to_num(order.scores[order.kept])
    if method in ANGLES:
        low, high = -np.pi / 2, np.pi / 2
    elif method in SHARES:
        low, high = 0.0, 100.0
    else:
        low, high = (float(scores.min()), float(scores.max())) if len(scores) else (0.0, 1.0)
    width = (high - low) / bins or 1.0
    number = np.clip(((scores - low) / width).astype(np.int64), 0, bins - 1)
    if len(scores) > 1 and scores[0] > scores[-1]:
        number = bins - 1 - number  # as the order runs, so do the groups
    return [order.kept[number == each] for each in range(bins)]
