"""Random numbers for a batch: always drawn on the CPU, so that a seed means the same everywhere."""
# ruff: noqa: TID253  (only the training loop imports this module)

from __future__ import annotations

import math

import torch
from torch import Tensor


class Draw:
    """Draws for `count` faces from one generator; every answer's first axis is the face."""

    def __init__(self, generator: torch.Generator, count: int) -> None:
        self._generator, self._count = generator, count

    def uniform(self, *shape: int) -> Tensor:
        """-1..1, evenly."""
        return torch.rand(self._count, *shape, generator=self._generator) * 2 - 1

    def normal(self, *shape: int) -> Tensor:
        """Normal numbers of deviation 1."""
        return torch.randn(self._count, *shape, generator=self._generator)

    def bounded_normal(self, limit: float, *shape: int) -> Tensor:
        """Normal numbers of deviation 1, none further out than `limit` deviations."""
        most = math.erf(limit / math.sqrt(2))
        return torch.erfinv(self.uniform(*shape) * most) * math.sqrt(2)

    def chance(self, probability: float) -> Tensor:
        """True with this probability."""
        return torch.rand(self._count, generator=self._generator) < probability

    def whole(self, below: int) -> Tensor:
        """Whole numbers 0 .. below - 1."""
        return torch.randint(below, (self._count,), generator=self._generator)
