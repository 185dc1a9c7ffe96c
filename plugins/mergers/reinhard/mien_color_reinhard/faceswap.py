"""The same idea in the 8 bits and with the formulas of faceswap's `color-transfer`."""

from __future__ import annotations

import cv2
import numpy as np
from mien.arrays import Image
from mien.stages import ColorPair


def as_faceswap(pair: ColorPair, paper: bool, clip: bool) -> Image:
    """The swap (H, W, 3) as faceswap recolours it; may leave 0..1 at soft edges.

    paper  stretches by the swap's spread over the plate's, as the paper prints it, the reverse of
           what matches them;  clip  cuts values off where else the channel is squeezed
    """
    swap, plate = (_lab(each * pair.area) for each in (pair.swap, pair.plate))
    for channel in range(3):
        values, aims = swap[..., channel], plate[..., channel]
        spread, aim_spread = float(values.std()), float(aims.std())
        if paper:
            spread, aim_spread = aim_spread, spread
        gain = aim_spread / spread if spread else 1.0
        moved = (values - values.mean()) * np.float32(gain) + aims.mean()
        swap[..., channel] = np.clip(moved, 0, 255) if clip else _squeezed(moved)
    bgr = cv2.cvtColor(swap.astype(np.uint8), cv2.COLOR_LAB2BGR).astype(np.float32)
    result: Image = bgr / np.float32(255) + pair.swap * (1 - pair.area)
    return result


def _lab(image: Image) -> Image:
    """8-bit Lab as float32."""
    whole = np.clip(np.rint(image * np.float32(255)), 0, 255).astype(np.uint8)
    lab: Image = cv2.cvtColor(whole, cv2.COLOR_BGR2LAB).astype(np.float32)
    return lab


def _squeezed(values: Image) -> Image:
    """Scaled into 0..255 where it leaves that range."""
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 255:
        return values
    to_low, to_high = max(low, 0.0), min(high, 255.0)
    shares = (values - np.float32(low)) / np.float32(high - low)
    scaled: Image = shares * np.float32(to_high - to_low) + np.float32(to_low)
    return scaled
