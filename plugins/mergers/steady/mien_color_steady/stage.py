"""The work behind the card: the plate's colours over the frames around, and one affine step."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import cos, exp, pi
from typing import TypeAlias

import numpy as np
from mien.arrays import Image
from mien.colour.gaussian import Affine, Gaussian, by_transport
from mien.colour.lab import to_bgr, to_lab
from mien.colour.transfer import measurable
from mien.stages import ColorPair, Neighbours, StageBase

from . import Options
from .look import RIDGE, Look, Matrix3, look_at, robust_mean

Around: TypeAlias = Sequence[tuple[float, Look]]
"""Looks at a face in frames around, with how much each counts; the frame's own first, with 1."""

# How far contrast follows.  A swap with much less of it than its plate stands in another light, and
# stretching it further would only blow up its grain.
_GAINS = (0.3, 1.4)

# Pixels darker than this part of the face's mean take less tint: black stays black.
_DARK = 0.75


class Steady(StageBase):
    """Gives the swap the plate's Lab colours, as they are over the frames around."""

    batch_size = 8

    def __init__(self, options: Options) -> None:
        self._options = options
        self.window = (options.frames, options.frames)

    def __call__(self, batch: Sequence[ColorPair | Neighbours[ColorPair]], /) -> list[Image]:
        """The recoloured swaps, float32 BGR 0..1, in order."""
        looks = _Looks(self._options.erode / 100)
        return [
            self._one(each if isinstance(each, Neighbours) else Neighbours(item=each), looks)
            for each in batch
        ]

    def _one(self, place: Neighbours[ColorPair], looks: _Looks) -> Image:
        pair, options = place.item, self._options
        own = looks.of(pair)
        if own is None or options.strength == 0:
            return pair.swap
        around: list[tuple[float, Look]] = [(1.0, own)]
        for side in (place.before[::-1], place.after):
            for other in _unbroken(pair, side):
                look = looks.of(other)
                share = _share(abs(other.frame_index - pair.frame_index), options.frames)
                if look is not None and share > 0:
                    around.append((share * _likeness(own, look, options.change), look))
        return _apply(pair.swap, own, _step(around, options.contrast), options.strength)


class _Looks:
    """Looks at faces, each taken once for a batch: windows overlap."""

    def __init__(self, erode: float) -> None:
        self._erode = erode
        self._taken: dict[int, tuple[ColorPair, Look | None]] = {}

    def of(self, pair: ColorPair) -> Look | None:
        """The look of a face; None where nothing is seen, or a picture holds no numbers."""
        if id(pair) not in self._taken:  # kept beside its look, so that no other gets its id
            look = look_at(pair, self._erode) if measurable(pair) else None
            self._taken[id(pair)] = (pair, look)
        return self._taken[id(pair)][1]


def _unbroken(pair: ColorPair, side: Sequence[ColorPair]) -> list[ColorPair]:
    """The neighbours of one side, nearest first, that show the same face.

    A track never crosses a cut.  Without tracks the frames must follow each other.
    """
    if pair.track >= 0:
        return [other for other in side if other.track == pair.track]
    kept: list[ColorPair] = []
    for last, other in pairwise((pair, *side)):
        if other.track >= 0 or abs(other.frame_index - last.frame_index) != 1:
            break
        kept.append(other)
    return kept


def _share(away: int, frames: int) -> float:
    """How much a frame so many frames away counts; falls smoothly from 1 to 0."""
    return 0.5 + 0.5 * cos(pi * away / (frames + 1)) if away <= frames else 0.0


def _likeness(own: Look, other: Look, change: float) -> float:
    """1 for plates in the same light, 0 for light that changed: a flash is not smeared."""
    weight = own.weight * other.weight
    both = weight.sum()
    if both == 0:
        return 0.0
    gap = weight @ (other.plate - own.plate) / both
    return exp(-0.5 * float(gap @ gap) / change**2)


def _step(around: Around, contrast: bool) -> Affine:
    """The step that leads the frame's own swap to the plates of all frames around.

    Contrast is compared frame by frame, since expressions change both pictures alike; colours are
    compared with the swap of this frame, whose own flicker goes with that.
    """
    own = around[0][1]
    linear = np.eye(3)
    if contrast:
        source, target = (_mean_spread(around, which) for which in (0, 1))
        linear = _bounded(by_transport(source, target, RIDGE))
    weight = np.zeros(len(own.weight), dtype=np.float32)
    plate = np.zeros_like(own.plate)
    for share, look in around:
        trusted = np.float32(share) * look.weight
        weight += trusted
        plate += trusted[:, None] * look.plate
    plate /= np.maximum(weight, np.float32(1e-6))[:, None]
    offset, _ = robust_mean(plate - own.swap @ linear.T.astype(np.float32), weight)
    return Affine(matrix=linear, offset=offset.astype(np.float64))


def _bounded(linear: Matrix3) -> Matrix3:
    """A symmetric matrix whose gains stay where a face is the same under another light."""
    gains, axes = np.linalg.eigh(linear)
    made: Matrix3 = axes * np.clip(gains, *_GAINS) @ axes.T
    return made


def _mean_spread(around: Around, which: int) -> Gaussian:
    shares = np.array([share for share, _ in around])
    spreads = np.stack([look.spreads[which] for _, look in around])
    return Gaussian(mean=np.zeros(3), covariance=np.tensordot(shares, spreads, 1) / shares.sum())


def _apply(swap: Image, own: Look, step: Affine, strength: float) -> Image:
    lab = to_lab(swap)
    linear = np.eye(3) + strength * (step.matrix - np.eye(3))
    moved = Affine(matrix=linear, offset=strength * step.offset)(lab)
    full_at = _DARK * float(own.weight @ own.swap[:, 0] / own.weight.sum())
    missing = np.maximum(1 - lab[..., :1] * np.float32(1 / max(full_at, 1.0)), 0)
    moved[..., 1:] -= missing * (strength * step.offset[1:]).astype(np.float32)
    return to_bgr(moved)
