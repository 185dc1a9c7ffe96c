"""Colours as clouds of points, moved until their distribution is another's.

Sliced optimal transport: on any line through colour space the cheapest way from one cloud to
another of as many points is from the k-th to the k-th, in their order along the line.  Steps along
many lines bring the clouds together (Rabin, Peyré, Delon and Bernot 2011).
"""

from __future__ import annotations

from math import ceil, sqrt
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import Image
from .transfer import Inside

Cloud = NDArray[np.float32]
"""(N, C), one row a pixel."""

POINTS = 4096
"""About how many pixels stand for a picture: twice as many bring the clouds no nearer."""

# A bilateral filter looks no further than 1.5 sigma; a whole Gaussian of this share is as wide.
_WHOLE = 0.68


def unit(normals: NDArray[Any]) -> Cloud:
    """Vectors (..., C) as float32 of length 1."""
    lines = normals.astype(np.float32)
    made: Cloud = lines / np.linalg.norm(lines, axis=-1, keepdims=True)
    return made


def random_lines(rng: np.random.Generator, steps: int, batch: int, channels: int = 3) -> Cloud:
    """Directions (steps, batch, C), each drawn by itself."""
    return unit(rng.standard_normal((steps, batch, channels)))


def random_bases(rng: np.random.Generator, steps: int, batch: int, channels: int = 3) -> Cloud:
    """Directions (steps, batch or a few more, C): whole bases of C lines at right angles, so that
    a step with few lines favours no side."""
    return np.concatenate(
        [turns(rng, steps, channels) for _ in range(ceil(batch / channels))], axis=1
    ).astype(np.float32)


def turns(rng: np.random.Generator, count: int, channels: int = 3) -> NDArray[np.float64]:
    """Rotations (count, C, C), uniform (Haar).  Source: Mezzadri 2007."""
    bases, upper = np.linalg.qr(rng.standard_normal((count, channels, channels)))
    made: NDArray[np.float64] = bases * np.sign(np.diagonal(upper, axis1=1, axis2=2))[:, None, :]
    made[:, :, 0] *= np.sign(np.linalg.det(made))[:, None]
    return made


def carry(cloud: Cloud, target: Cloud, lines: Cloud) -> Cloud:
    """Where the points of `cloud` come to, after a step for each row of `lines`.

    cloud, target (N, C);  lines (steps, batch, C).  All moves of a batch are averaged.
    """
    count = len(cloud)
    bits = max(1, (count - 1).bit_length())
    # One sort gives the order: keys carry the point's number in their low bits.
    kind, room = (np.int32, 30 - bits) if bits <= 14 else (np.int64, 24)
    numbers = np.arange(count, dtype=kind)
    points, goals = cloud.T.copy(), target.T.copy()
    for batch in lines:
        here = batch @ points  # (batch, N)
        low = here.min()
        span = max(here.max() - low, np.float32(1e-9))
        keys = ((here - low) * (np.float32(1 << room) / span)).astype(kind) << bits | numbers
        keys.sort(axis=1)
        keys &= (1 << bits) - 1
        there = np.empty_like(here)
        np.put_along_axis(there, keys, np.sort(batch @ goals, axis=1), axis=1)
        points += batch.T @ (there - here) / np.float32(len(batch))
    return np.ascontiguousarray(points.T)


def even_move(
    source: Image, target: Image, inside: Inside, lines: Cloud, sigma: float
) -> NDArray[np.float32]:
    """How far each pixel (H, W, C) of a picture moves towards the target's distribution.

    inside  (H, W), the pixels that count, in both pictures;  sigma  pixels over which moves are
    evened out, as by DeepFaceLab's filter.  Both are done on a coarser grid, of which so wide a
    Gaussian leaves no trace.
    """
    step = coarseness(inside)
    grid = np.s_[step // 2 :: step, step // 2 :: step]
    near, far, here = source[grid], target[grid], inside[grid]
    move = np.zeros(near.shape, dtype=np.float32)
    cloud = near[here]
    move[here] = carry(cloud, far[here], lines) - cloud
    sigma *= _WHOLE / step
    sums = cv2.GaussianBlur(move, (0, 0), sigma)
    weight = cv2.GaussianBlur(here.astype(np.float32), (0, 0), sigma)
    means = sums / np.maximum(weight, np.float32(1e-6))[..., None]
    height, width = source.shape[:2]
    made: Image = cv2.resize(means, (width, height), interpolation=cv2.INTER_LINEAR)
    return made


def coarseness(inside: Inside) -> int:
    """Every how-many-th row and column, from the middle of the first such step, leaves about
    `POINTS` of the pixels that count; 1 for a pattern that falls through such a grid."""
    step = max(1, ceil(sqrt(np.count_nonzero(inside) / POINTS)))
    return step if inside[step // 2 :: step, step // 2 :: step].any() else 1


def sliced_distance(one: Cloud, other: Cloud, lines: Cloud) -> float:
    """Root mean square distance of two clouds (any sizes) along lines (L, C), by quantiles."""
    at = (np.arange(1024) + 0.5) / 1024
    gaps = [np.quantile(one @ line, at) - np.quantile(other @ line, at) for line in lines]
    return float(np.sqrt(np.mean(np.square(gaps))))
