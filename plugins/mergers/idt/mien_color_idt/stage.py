"""The work behind the card: colour space is turned, and each axis gets the plate's histogram."""

from __future__ import annotations

import numpy as np
from mien.arrays import Image
from mien.colour.transfer import Inside, Transfer
from mien.colour.transport import coarseness, turns
from mien.stages import Context
from numpy.typing import NDArray

from . import Options
from .curves import BINS, QuantileCurve, by_bins

# DeepFaceLab's numbers.  Together they go 64 per cent of the way.
_ROUNDS, _PULL = 20, 1 / 20


class Idt(Transfer):
    """Moves the swap's distribution of colours to the plate's; the same turns for every face."""

    def __init__(self, options: Options, context: Context) -> None:
        super().__init__(options.statistics, options.strength)
        self._exact = options.form == "dfl"
        self._pull = options.pull
        rounds = _ROUNDS if self._exact else options.rounds
        self.turns: NDArray[np.float64] = turns(context.rng("idt"), rounds)

    def move(self, swap: Image, plate: Image, inside: Inside) -> Image:
        """Every pixel by the curves that were found on those inside."""
        moved = self._slowly if self._exact else self._quickly
        return moved(swap, plate, inside).T.reshape(swap.shape)

    def _quickly(self, swap: Image, plate: Image, inside: Inside) -> NDArray[np.float32]:
        """Curves are found on a grid of pixels; (3, N)."""
        step = coarseness(inside)
        grid = np.s_[step // 2 :: step, step // 2 :: step]
        here = inside[grid]
        some, goals = (each[grid][here].T.copy() for each in (swap, plate))
        pixels = swap.reshape(-1, 3).T.copy()  # never a view of what is not ours
        for turn in self.turns.astype(np.float32):
            aims = np.sort(turn @ goals, axis=1)
            axes, all_axes = turn @ some, turn @ pixels
            for axis, all_axis, aim in zip(axes, all_axes, aims, strict=True):
                curve = QuantileCurve(np.sort(axis), aim)
                axis[:], all_axis[:] = curve(axis), curve(all_axis)
            some += np.float32(self._pull) * (turn.T @ axes)
            pixels += np.float32(self._pull) * (turn.T @ all_axes)
        return pixels

    def _slowly(self, swap: Image, plate: Image, inside: Inside) -> NDArray[np.float32]:
        """By histograms of all pixels that count; (3, N)."""
        pixels, goals = swap.reshape(-1, 3).T, plate[inside].T
        counted = inside.ravel()
        for turn in self.turns.astype(np.float32):
            axes, aims = turn @ pixels, turn @ goals
            moves = np.stack(
                [
                    by_bins(axis, axis[counted], aim, BINS) - axis
                    for axis, aim in zip(axes, aims, strict=True)
                ]
            )
            pixels = np.float32(_PULL) * np.linalg.solve(turn, moves) + pixels
        return pixels
