"""The work behind the card: the plate's colours over the frames around, and one affine step."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import cos, exp, pi
from typing import TypeAlias

import numpy as np
from mien.arrays import Image
from mien.colour.gaussian import Affine, Gaussian, by_transport
from mien.colour.transfer import measurable, towards
from mien.stages import ColorPair, Neighbours, StageBase

from . import Options
from .look import Look, Matrix3, Rows, look_at, robust_mean

Around: TypeAlias = Sequence[tuple[float, Look]]
"""Looks at a face in frames around, with how much each counts; the frame's own first, with 1."""

# A channel that is this much darker or brighter than the plate's is a fault of the model.
_LIGHTS = (0.2, 5.0)

# How far contrast follows besides.  A swap with much less of it than its plate in the same light is
# a soft one, and stretching it further would only blow up its grain.
_GAINS = (0.3, 1.4)

_NOISE = 0.02  # of the range of BGR: less is no disagreement between two pictures
_FLAT = 2.5e-5  # variance of BGR added to both pictures: what varies less is no contrast
_BLACK = 1e-6


class Steady(StageBase):
    """Gives the swap the plate's light and contrast, as they are over the frames around."""

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
        moved = _step(around, options.contrast)(pair.swap)
        return towards(pair.swap, moved, options.strength)


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
    gap = weight @ (other.plate_lab - own.plate_lab) / both
    return exp(-0.5 * float(gap @ gap) / change**2)


def _step(around: Around, contrast: bool) -> Affine:
    """The step in BGR that leads the frame's own swap to the plates of all frames around.

    First the light: it multiplies each channel, so black stays black, and contrast grows with
    brightness.  Then the contrast that is still missing.  It is compared frame by frame, since
    expressions change both pictures alike; colours are compared with the swap of this frame, whose
    own flicker goes with that.
    """
    own = around[0][1]
    weight, plate = _mean_plate(around)
    light = np.clip(weight @ plate / np.maximum(weight @ own.swap, _BLACK), *_LIGHTS)
    linear = np.diag(light.astype(np.float64))
    if contrast:
        source, target = (_mean_spread(around, which) for which in (0, 1))
        lit = Gaussian(mean=source.mean, covariance=linear @ source.covariance @ linear)
        linear = _bounded(by_transport(lit, target, _FLAT)) @ linear
    offset, _ = robust_mean(plate - own.swap @ linear.T.astype(np.float32), weight, _NOISE)
    return Affine(matrix=linear, offset=offset.astype(np.float64))


def _mean_plate(around: Around) -> tuple[Rows, Rows]:
    """The plates around, place by place, as far as they are trusted: weights (P,), BGR (P, 3).

    Only places that are shown of the frame's own swap count, though they may be hidden there.
    """
    own = around[0][1]
    weight, plate = np.zeros_like(own.weight), np.zeros_like(own.plate)
    for share, look in around:
        trusted = np.float32(share) * look.weight
        weight += trusted
        plate += trusted[:, None] * look.plate
    plate /= np.maximum(weight, np.float32(1e-6))[:, None]
    return weight * own.seen, plate


def _bounded(linear: Matrix3) -> Matrix3:
    """A symmetric matrix whose gains stay where a face is the same under another light."""
    gains, axes = np.linalg.eigh(linear)
    made: Matrix3 = axes * np.clip(gains, *_GAINS) @ axes.T
    return made


def _mean_spread(around: Around, which: int) -> Gaussian:
    shares = np.array([share for share, _ in around])
    spreads = np.stack([look.spreads[which] for _, look in around])
    return Gaussian(mean=np.zeros(3), covariance=np.tensordot(shares, spreads, 1) / shares.sum())
