"""The work behind the card: light and colour in Lab, each by its own transfer."""

from __future__ import annotations

import cv2
import numpy as np
from mien.arrays import Image
from mien.colour import gaussian
from mien.colour.lab import to_bgr, to_lab
from mien.colour.transfer import Inside, Transfer
from mien.colour.transport import Cloud, carry, even_move, random_bases, random_lines
from mien.stages import Context

from . import Options

_RIDGE = 1e-5
_SOFTEN = 16
_STEPS, _BATCH = 10, 6

# DeepFaceLab's: lines of a step, and what its bilateral filter takes for an edge, in 8-bit steps.
_EXACT_BATCH, _SIGMA_COLOR = 5, 5
_GREY = 100  # the light at which it compares colours, of 255


class Mix(Transfer):
    """Leads light to the plate's mean and spread, and colour to the plate's distribution."""

    def __init__(self, options: Options, context: Context) -> None:
        super().__init__(options.statistics, options.strength)
        self._exact = options.form == "dfl"
        rng = context.rng("mix")
        self.lines: Cloud = (
            random_lines(rng, _STEPS, _EXACT_BATCH)
            if self._exact
            else random_bases(rng, _STEPS, _BATCH, channels=2)
        )

    def move(self, swap: Image, plate: Image, inside: Inside) -> Image:
        """In floating point, or in DeepFaceLab's 8 bits."""
        return (self._in_bytes if self._exact else self._in_floats)(swap, plate, inside)

    def _in_floats(self, swap: Image, plate: Image, inside: Inside) -> Image:
        here, there = (to_lab(each) * np.float32(0.01) for each in (swap, plate))
        light = _matched(here[..., :1], there[..., :1], inside)
        colours = even_move(here[..., 1:], there[..., 1:], inside, self.lines, _SOFTEN)
        moved = np.concatenate((light, here[..., 1:] + colours), axis=-1)
        return to_bgr(moved * np.float32(100))

    def _in_bytes(self, swap: Image, plate: Image, inside: Inside) -> Image:
        labs = [cv2.cvtColor(_bytes(255 * each), cv2.COLOR_BGR2LAB) for each in (swap, plate)]
        own, other = (each[..., :1].astype(np.float32) / np.float32(255) for each in labs)
        light = _bytes(255 * np.clip(_matched(own, other, inside), 0, 1))
        for each in labs:
            each[..., 0] = _GREY
        here, there = (cv2.cvtColor(each, cv2.COLOR_LAB2BGR).astype(np.float32) for each in labs)
        move = np.zeros_like(here)
        cloud = here[inside]
        move[inside] = carry(cloud, there[inside], self.lines) - cloud
        moved = here + cv2.bilateralFilter(move, 0, _SIGMA_COLOR, _SOFTEN)
        lab = cv2.cvtColor(_bytes(moved), cv2.COLOR_BGR2LAB)
        lab[..., :1] = light
        back: Image = cv2.cvtColor(lab, cv2.COLOR_LAB2BGR).astype(np.float32)
        return back / np.float32(255)


def _matched(here: Image, there: Image, inside: Inside) -> Image:
    """One channel (H, W, 1) with the mean and spread of another."""
    source, target = (gaussian.measure(each[inside]) for each in (here, there))
    return gaussian.aim(gaussian.by_roots(source, target, _RIDGE), source, target)(here)


def _bytes(values: Image) -> Image:
    """Truncated to 8 bits."""
    return np.clip(values, 0, 255).astype(np.uint8)
