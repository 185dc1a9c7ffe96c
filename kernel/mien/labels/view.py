"""Which part of a crop a square window shows, and how large."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_MOST = 40.0
"""Pixels of the window that a pixel of the crop may take: enough to see it as a square."""


class View:
    """A crop of `size` pixels in a window of `side` pixels."""

    def __init__(self, size: int, side: int) -> None:
        self._size, self._side = size, side
        self.whole()

    @property
    def side(self) -> int:
        """Of the window, pixels."""
        return self._side

    @property
    def zoom(self) -> float:
        """How much larger than the whole crop would be."""
        return self._zoom

    @property
    def scale(self) -> float:
        """Pixels of the window for one of the crop."""
        return self._side / self._size * self._zoom

    def whole(self) -> None:
        """Show all of the crop."""
        self._zoom, self._left, self._top = 1.0, 0.0, 0.0

    def to_crop(self, x: float, y: float) -> tuple[float, float]:
        """The place in the crop of the middle of a pixel of the window."""
        return self._left + (x + 0.5) / self.scale, self._top + (y + 0.5) / self.scale

    def to_window(self, points: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
        """Places of the crop in the window, (n, 2)."""
        places = np.asarray(points, np.float64).reshape(-1, 2)
        return (places - (self._left, self._top)) * self.scale - 0.5

    def zoom_at(self, x: float, y: float, factor: float) -> None:
        """Make larger or smaller; what is at this place of the window stays there."""
        there = self.to_crop(x, y)
        largest = max(1.0, _MOST * self._size / self._side)
        self._zoom = float(np.clip(self._zoom * factor, 1.0, largest))
        self._left = there[0] - (x + 0.5) / self.scale
        self._top = there[1] - (y + 0.5) / self.scale
        self._stay_inside()

    def pan(self, x: float, y: float) -> None:
        """Move what is shown by so many pixels of the window."""
        self._left -= x / self.scale
        self._top -= y / self.scale
        self._stay_inside()

    def matrix(self) -> NDArray[np.float64]:
        """(2, 3): window to crop, (0, 0) being the middle of the first pixel of either."""
        step = 1 / self.scale
        left, top = self._left + step / 2 - 0.5, self._top + step / 2 - 0.5
        return np.array([[step, 0, left], [0, step, top]])

    def _stay_inside(self) -> None:
        most = self._size - self._size / self._zoom
        self._left = float(np.clip(self._left, 0, most))
        self._top = float(np.clip(self._top, 0, most))
