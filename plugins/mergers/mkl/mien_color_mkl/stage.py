"""The work behind the card: two covariances and the shortest way between them."""

from __future__ import annotations

from mien.arrays import Image
from mien.colour import gaussian
from mien.colour.transfer import Inside, Transfer

# A spread of a quarter of an 8-bit step is noise.  DeepFaceLab's floor is 2.2e-16, by which the
# rounding of a flat picture becomes a picture.
_FLOOR = 1e-6


class Mkl(Transfer):
    """Moves the swap's mean and covariance to the plate's, each colour as little as may be."""

    pointwise = True

    def move(self, swap: Image, plate: Image, inside: Inside) -> Image:
        """One affine step for all pixels."""
        source, target = (gaussian.measure(each[inside]) for each in (swap, plate))
        linear = gaussian.by_floored_transport(source, target, _FLOOR)
        return gaussian.aim(linear, source, target)(swap)
