"""Finds a learning rate by trying: it rises until the loss does; the best lies well below.

Source: Smith 2017, with the choice that faceswap offers: the lowest loss, divided.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

LOW, HIGH = 1e-3, 1e3
"""Factors of the model's own rate, between which rates are tried."""

_SMOOTH = 0.95
_LOST = 4.0
_BACK = 10.0


def rate_at(step: int, steps: int) -> float:
    """The factor that is tried in step 0, 1, … of `steps`."""
    return LOW * math.exp(math.log(HIGH / LOW) * step / max(1, steps - 1))


def is_over(losses: Sequence[float]) -> bool:
    """Whether the loss has risen so far that higher rates need no trying."""
    if not losses or not math.isfinite(losses[-1]):
        return bool(losses)
    smooth = _smoothed(losses)
    return len(smooth) > 20 and smooth[-1] > _LOST * min(smooth)


def best(losses: Sequence[float], steps: int) -> float:
    """The factor to learn with: a tenth of the one where the smoothed loss was lowest."""
    smooth = [value for value in _smoothed(losses) if math.isfinite(value)]
    if len(smooth) < 2:
        return LOW
    lowest = min(range(len(smooth)), key=smooth.__getitem__)
    return rate_at(lowest, steps) / _BACK


def _smoothed(losses: Sequence[float]) -> list[float]:
    """Running means without the pull of the first value towards nothing."""
    means, mean = [], 0.0
    for number, loss in enumerate(losses, start=1):
        mean = _SMOOTH * mean + (1 - _SMOOTH) * loss
        means.append(mean / (1 - _SMOOTH**number))
    return means
