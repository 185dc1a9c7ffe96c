"""The work behind the card: two covariances and the matrix between them."""

from __future__ import annotations

from typing import Literal

from mien.arrays import Image
from mien.colour import gaussian
from mien.colour.transfer import Inside, Statistics, Transfer

# DeepFaceLab's: a spread of less than a thousandth of the range counts for little.
_RIDGE = 1e-5
_WAYS = {
    "roots": gaussian.by_roots,
    "cholesky": gaussian.by_cholesky,
    "transport": gaussian.by_transport,
}


class Linear(Transfer):
    """Moves the swap's mean and covariance to the plate's."""

    pointwise = True

    def __init__(
        self,
        statistics: Statistics,
        way: Literal["roots", "cholesky", "transport"],
        strength: float,
    ) -> None:
        super().__init__(statistics, strength)
        self._way = _WAYS[way]

    def move(self, swap: Image, plate: Image, inside: Inside) -> Image:
        """One affine step for all pixels."""
        source, target = (gaussian.measure(each[inside]) for each in (swap, plate))
        return gaussian.aim(self._way(source, target, _RIDGE), source, target)(swap)
