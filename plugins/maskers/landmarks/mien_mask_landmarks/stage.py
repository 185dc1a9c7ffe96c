"""The work behind the card: three ways to draw a face from 68 points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from mien.arrays import Mask, Points
from mien.geometry import fill_parts, hull_mask
from mien.stages import StageBase
from mien.types import Crop, CropSpec


class LandmarkMasker(StageBase):
    """Draws the mask of each crop; the picture itself is not looked at."""

    batch_size = 16
    blind = True

    def __init__(
        self, spec: CropSpec, kind: Literal["hull", "components", "extended"], brow: float
    ) -> None:
        self.spec, self._kind, self._brow = spec, kind, brow

    def __call__(self, batch: Sequence[Crop], /) -> list[Mask]:
        """Masks (S, S, 1) float32 0..1, in order."""
        return [self._one(crop.landmarks) for crop in batch]

    def _one(self, points: Points) -> Mask:
        if self._kind == "hull":
            return hull_mask(points, self.spec.size, self._brow)
        shape = lift_brows(points) if self._kind == "extended" else points
        return fill_parts(np.rint(shape).astype(np.int64), self.spec.size, smooth=True)


def lift_brows(points: Points) -> Points:
    """The landmarks with the brows raised as faceswap's `extended` mask does.  # (68, 2)

    The floor divisions are faceswap's, and decide where the mask's edge runs.
    """
    lifted: Points = points.copy()
    middle_left, middle_right = (points[36] + points[0]) // 2, (points[16] + points[45]) // 2
    outer_left, outer_right = (points[36] + middle_left) // 2, (points[45] + middle_right) // 2
    base = np.stack((outer_left, *points[36:40], *points[42:46], outer_right))
    lifted[17:27] += (points[17:27] - base) // 2
    return lifted
