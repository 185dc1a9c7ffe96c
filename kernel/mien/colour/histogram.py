"""Histograms matched exactly: values are sorted, not binned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arrays import Image
from .transfer import Inside


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """A channel's new values (K,) for old ones (K,), rising; straight lines between."""

    old: NDArray[np.float32]
    new: NDArray[np.float64]

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The new values, of any shape; beyond the ends those of the ends."""
        moved: NDArray[np.float64] = np.interp(values, self.old, self.new)
        return moved.astype(np.float32)


def match(source: NDArray[np.float32], target: NDArray[np.float32], reach: float) -> Curve:
    """The curve that gives values (N,) the distribution of others (M,).

    reach  0..1, up to which quantile of the target the source's are led; below 1 it darkens
    """
    old, counts = np.unique(source, return_counts=True)
    aims, aim_counts = np.unique(target, return_counts=True)
    at = reach * np.cumsum(counts) / source.size
    return Curve(old=old, new=np.interp(at, np.cumsum(aim_counts) / target.size, aims))


def match_image(swap: Image, plate: Image, inside: Inside, reach: float = 1.0) -> Image:
    """A picture (H, W, 3) whose channels, one by one, have the plate's distribution inside."""
    channels = [
        match(swap[..., channel][inside], plate[..., channel][inside], reach)(swap[..., channel])
        for channel in range(swap.shape[2])
    ]
    return np.stack(channels, axis=-1)
