"""Whether a training still learns: losses that are no numbers, or that have left all bounds."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping

_LOOK_BACK = 500
_TRUST_AFTER = 100
_LOST = ((20.0, 25), (3.0, 250))
"""So many times what it was, for so many iterations in a row: a loss without a bound runs away, one
with a bound, as structural ones are, stays at its worst."""


class Watchdog:
    """Looks at the losses of every iteration.

    A net is lost where a loss is no number, and where for many iterations in a row one is several
    times what it has been: by then the weights are far away, and waiting brings nothing back.
    """

    def __init__(self) -> None:
        self._known: dict[str, deque[float]] = {}
        self._bad = [0] * len(_LOST)

    def see(self, losses: Mapping[str, float]) -> str:
        """What is wrong, in words; empty where nothing is."""
        for name, value in losses.items():
            if not math.isfinite(value):
                return f"'{name}' is {value}"
        lost, doubtful = "", False
        for level, (times, row) in enumerate(_LOST):
            far = [name for name, value in losses.items() if self._is_far(name, value, times)]
            self._bad[level] = self._bad[level] + 1 if far else 0
            doubtful |= bool(far)
            if self._bad[level] >= row and not lost:
                lost = f"'{far[0]}' is {losses[far[0]]:.4g}, it was {self._usual(far[0]):.4g}"
        if not doubtful:
            for name, value in losses.items():
                self._known.setdefault(name, deque(maxlen=_LOOK_BACK)).append(value)
        return lost

    def _is_far(self, name: str, value: float, times: float) -> bool:
        known = self._known.get(name, ())
        return len(known) >= _TRUST_AFTER and value > times * max(self._usual(name), 1e-6)

    def _usual(self, name: str) -> float:
        known = sorted(self._known[name])
        return known[len(known) // 2]
