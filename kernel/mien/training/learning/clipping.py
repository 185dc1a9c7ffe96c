"""Ways to keep one bad batch from ruining a net, besides one norm for all gradients."""
# ruff: noqa: TID253  (only trainers import this module)

from __future__ import annotations

from collections import deque
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

Kind = Literal["norm", "weight", "value", "auto"]


class Clipping(Protocol):
    """Makes gradients smaller where they are too large."""

    def __call__(self, gradients: list[Tensor]) -> list[Tensor]:
        """The gradients, perhaps smaller."""
        ...


class ByWeight:
    """The gradient of each weight by its own norm."""

    def __init__(self, most: float) -> None:
        self._most = most

    def __call__(self, gradients: list[Tensor]) -> list[Tensor]:
        """See Clipping."""
        norms = torch._foreach_norm(gradients)
        shares = [(self._most / (norm + 1e-6)).clamp(max=1) for norm in norms]
        return list(torch._foreach_mul(gradients, shares))


class ByValue:
    """Every number by itself."""

    def __init__(self, most: float) -> None:
        self._most = most

    def __call__(self, gradients: list[Tensor]) -> list[Tensor]:
        """See Clipping."""
        smaller = list(torch._foreach_clamp_max(gradients, self._most))
        torch._foreach_clamp_min_(smaller, -self._most)
        return smaller


class ByHistory:
    """All gradients together, by a percentile of the norms of late.

    Source: Seetharaman et al. 2020 (AutoClip).
    """

    def __init__(self, percentile: float, history: int) -> None:
        """history  norms that are remembered"""
        self._percentile = percentile
        self._norms: deque[float] = deque(maxlen=history)

    def __call__(self, gradients: list[Tensor]) -> list[Tensor]:
        """See Clipping."""
        norm = float(torch.stack(torch._foreach_norm(gradients)).norm())
        if not np.isfinite(norm):
            return gradients
        self._norms.append(norm)
        most = float(np.percentile(self._norms, self._percentile))
        if norm <= most:
            return gradients
        return list(torch._foreach_mul(gradients, most / norm))

    @property
    def norms(self) -> Tensor:
        """(N,) what is remembered, for a saved state."""
        return torch.tensor(list(self._norms), dtype=torch.float64)

    @norms.setter
    def norms(self, values: Tensor) -> None:
        self._norms.clear()
        self._norms.extend(values.tolist())


def make_clipping(kind: Kind, most: float, history: int) -> Clipping | None:
    """What clips as `kind` says; None for one norm, which every optimizer knows by itself."""
    if kind == "weight":
        return ByWeight(most)
    if kind == "value":
        return ByValue(most)
    return ByHistory(most, history) if kind == "auto" else None
