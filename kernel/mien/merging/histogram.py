"""Matching of distributions, channel by channel, as the blends use it inside the face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import Image, Mask

_BINS = 2048


def match_seen(image: Image, plate: Image, weight: Mask, threshold: float) -> Image:
    """The picture with the plate's distribution of each channel where it is seen, without a sort.

    image, plate  (h, w, 3) float32 0..1;  weight  (h, w, 1);  threshold  0..255
    """
    counts = weight[..., 0].astype(np.float32)
    total = float(counts.sum())
    if total <= 0:
        return image
    made = []
    edges = np.linspace(0, 1, _BINS + 1)
    for channel in range(3):
        reached = _rising(image[..., channel], counts, total) * (threshold / 255)
        offered = _rising(plate[..., channel], counts, total)
        new = np.interp(reached, *_strictly(offered, edges))
        made.append(_looked_up(image[..., channel], new.astype(np.float32)))
    return np.stack(made, axis=-1)


def _looked_up(values: NDArray[np.float32], table: NDArray[np.float32]) -> NDArray[np.float32]:
    """The table's values at 0..1, straight lines between them; cv2 is ten times as fast here."""
    import cv2

    at = values * np.float32(_BINS)
    row = np.zeros_like(at)
    found = cv2.remap(table[None], at, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, dtype=np.float32)


def _rising(
    values: NDArray[np.float32], weight: NDArray[np.float32], total: float
) -> NDArray[np.float64]:
    """Share of the weight below each edge of the bins; 0 first, 1 last."""
    at = np.clip(values * np.float32(_BINS), 0, _BINS - 1).astype(np.intp)
    counts = np.bincount(at.ravel(), weight.ravel(), minlength=_BINS)
    return np.concatenate(([0.0], np.cumsum(counts) / total))


def _strictly(
    shares: NDArray[np.float64], edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The rising function without its flat parts, so that it has one value for every share."""
    kept = np.concatenate(([True], np.diff(shares) > 0))
    kept[:-1] |= kept[1:]  # both ends of every rise
    return shares[kept], edges[kept]
