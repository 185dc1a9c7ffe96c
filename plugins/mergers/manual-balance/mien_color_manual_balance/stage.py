"""The work behind the card: a colour space, three balances, contrast and brightness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from mien.arrays import Image
from mien.stages import ColorPair, StageBase

from . import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class _Space:
    """OpenCV's conversions, and what its float channels are: low and high of each."""

    into: int
    back: int
    low: tuple[float, float, float] = (0, 0, 0)
    high: tuple[float, float, float] = (1, 1, 1)


_SPACES = {
    "hsv": _Space(into=cv2.COLOR_BGR2HSV, back=cv2.COLOR_HSV2BGR, high=(360, 1, 1)),
    "rgb": _Space(into=cv2.COLOR_BGR2RGB, back=cv2.COLOR_RGB2BGR),
    "lab": _Space(
        into=cv2.COLOR_BGR2LAB, back=cv2.COLOR_LAB2BGR, low=(0, -128, -128), high=(100, 127, 127)
    ),
    "ycrcb": _Space(into=cv2.COLOR_BGR2YCrCb, back=cv2.COLOR_YCrCb2BGR),
}
_LOWEST = -126  # of contrast and brightness, of 127: they never turn the picture round


class ManualBalance(StageBase):
    """Changes the swap by numbers; looks neither at the plate nor at the area."""

    batch_size = 8

    def __init__(self, options: Options) -> None:
        self._space = _SPACES[options.space]
        self._turns_hue = options.space == "hsv"
        self._balance = (options.balance_1, options.balance_2, options.balance_3)
        self._in_bytes = options.form == "faceswap"
        self.only_seen = not self._in_bytes  # OpenCV's bytes round differently at a row's end
        self._contrast, self._brightness = (
            max(_LOWEST, round(1.27 * each) if self._in_bytes else 1.27 * each)
            for each in (options.contrast, options.brightness)
        )

    def __call__(self, batch: Sequence[ColorPair], /) -> list[Image]:
        """The changed swaps, float32 BGR 0..1, in order."""
        work = self._bytes if self._in_bytes else self._floats
        return [work(pair.swap) for pair in batch]

    def _floats(self, swap: Image) -> Image:
        result = swap
        if any(self._balance):
            low, high = (np.array(each, np.float32) for each in (self._space.low, self._space.high))
            values = cv2.cvtColor(np.clip(swap, 0, 1), self._space.into)
            shares = self._balanced((values - low) / (high - low))
            result = cv2.cvtColor(shares * (high - low) + low, self._space.back)
        if self._contrast or self._brightness:
            gain = np.float32(self._contrast / 127 + 1)
            result = result * gain + np.float32((self._brightness - self._contrast) / 255)
        return result if result is swap else np.clip(result, 0, 1, dtype=np.float32)

    def _balanced(self, shares: Image) -> Image:
        """Channels 0..1, each led towards 1 or 0; hue goes round by half a circle at most."""
        for channel, percent in enumerate(self._balance):
            part = np.float32(percent / 100)
            values = shares[..., channel]
            if self._turns_hue and channel == 0 and not self._in_bytes:
                shares[..., channel] = np.mod(values + part / 2, 1)
            else:
                shares[..., channel] = (
                    values + (1 - values) * part if part > 0 else values * (1 + part)
                )
        return shares

    def _bytes(self, swap: Image) -> Image:
        values = cv2.cvtColor(_truncated(255 * swap), self._space.into)
        shares = self._balanced(values.astype(np.float32) / np.float32(255))
        bgr = cv2.cvtColor(_truncated(255 * shares), self._space.back).astype(np.float32)
        gain = np.float32(self._contrast / 127 + 1)
        lit = bgr * gain + np.float32(self._brightness - self._contrast)
        result: Image = np.clip(lit, 0, 255) / np.float32(255)
        return result


def _truncated(values: Image) -> Image:
    return np.clip(values, 0, 255).astype(np.uint8)
