"""A swap in the finer picture that an enhancer made of it."""

from __future__ import annotations

import numpy as np

from ..arrays import Image, as_float
from ..errors import StageError
from ..types import Swap, replace


def enhanced(swap: Swap, fine: Image, power: float) -> Swap:
    """The swap in the size of `fine`, with that share of it; masks and matrix follow.

    fine  (k S, k S, 3) float32 BGR 0..1;  power  0..1
    Raises StageError where the enhancer's picture is not square.
    """
    import cv2

    size, side = swap.image.shape[0], fine.shape[0]
    if fine.ndim != 3 or fine.shape != (side, side, 3) or side < 1:
        raise StageError(f"the enhancer gave a picture of shape {fine.shape}, must be square BGR")
    plain = cv2.resize(swap.image, (side, side), interpolation=cv2.INTER_LINEAR)
    masks = {
        name: as_float(cv2.resize(mask, (side, side)))[..., None]
        for name, mask in {**swap.masks, "": swap.alpha}.items()
        if mask is not None
    }
    alpha = masks.pop("", None)
    return replace(
        swap,
        image=np.clip(plain * np.float32(1 - power) + fine * np.float32(power), 0, 1),
        matrix=_finer(swap, side / size),
        masks=masks,
        alpha=alpha,
    )


def _finer(swap: Swap, factor: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Frame to the finer crop: pixels are cut in equal parts, so the first centre moves."""
    matrix = swap.matrix * factor
    matrix[:, 2] += (factor - 1) / 2
    return matrix
