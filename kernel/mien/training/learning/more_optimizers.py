"""Optimizers that faceswap offers besides Adam: Adamax, NAdam, Lion.

Epsilon, shares and decay as torch has them; weights shrink beside the step, as AdamW does it.
"""
# ruff: noqa: TID253  (only trainers import this module)

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import torch
from torch import Tensor

from .optimizers import FaceOptimizer

_MOMENTUM_DECAY = 4e-3


class Shrinking(FaceOptimizer):
    """What the three share: two means, and weights that shrink by themselves."""

    names: ClassVar[tuple[str, ...]] = ("exp_avg", "exp_avg_sq")

    def __init__(
        self,
        params: Iterable[Any],
        *,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-7,
        decay: float = 0.0,
        seed: int = 0,
    ) -> None:
        """betas  shares of the means that stay;  eps  keeps small gradients from large steps

        decay  how fast weights shrink, as a part of the learning rate
        """
        super().__init__(params, lr=lr, seed=seed)
        self.betas, self.eps, self.decay = betas, eps, decay

    def move(self, weights: list[Tensor], gradients: list[Tensor], rates: list[float]) -> None:
        """See FaceOptimizer."""
        if self.decay:
            torch._foreach_mul_(weights, [1 - rate * self.decay for rate in rates])
        super().move(weights, gradients, rates)


class Adamax(Shrinking):
    """The mean gradient over the largest one of late.  Source: Kingma and Ba 2015, algorithm 2."""

    names = ("exp_avg", "exp_inf")

    def moves(self, gradients: list[Tensor], *slots: list[Tensor]) -> list[Tensor]:
        """See FaceOptimizer."""
        first, second = self.betas
        mean, largest = slots
        torch._foreach_lerp_(mean, gradients, 1 - first)
        sizes = torch._foreach_abs(gradients)
        torch._foreach_add_(sizes, self.eps)
        torch._foreach_mul_(largest, second)
        torch._foreach_maximum_(largest, sizes)
        moves = list(torch._foreach_div(mean, largest))
        torch._foreach_div_(moves, 1 - first ** (self.iters + 1))
        return moves


class NAdam(Shrinking):
    """Adam that looks one step ahead.  Source: Dozat 2016, with a momentum that rises."""

    def __init__(self, params: Iterable[Any], **options: Any) -> None:
        super().__init__(params, **options)
        self._product, self._counted = 1.0, 0

    def moves(self, gradients: list[Tensor], *slots: list[Tensor]) -> list[Tensor]:
        """See FaceOptimizer."""
        second = self.betas[1]
        mean, square = slots
        now, ahead, product = self._momenta()
        torch._foreach_lerp_(mean, gradients, 1 - self.betas[0])
        torch._foreach_mul_(square, second)
        torch._foreach_addcmul_(square, gradients, gradients, 1 - second)
        roots = torch._foreach_div(square, 1 - second ** (self.iters + 1))
        torch._foreach_sqrt_(roots)
        torch._foreach_add_(roots, self.eps)
        moves = list(torch._foreach_mul(gradients, (1 - now) / (1 - product)))
        torch._foreach_add_(moves, mean, alpha=ahead / (1 - product * ahead))
        torch._foreach_div_(moves, list(roots))
        return moves

    def _momenta(self) -> tuple[float, float, float]:
        """Of this step and of the next, and the product of all up to this one."""
        if self._counted > self.iters + 1:  # went back to an earlier state
            self._product, self._counted = 1.0, 0
        while self._counted <= self.iters:
            self._counted += 1
            self._product *= self._momentum(self._counted)
        return self._momentum(self._counted), self._momentum(self._counted + 1), self._product

    def _momentum(self, step: int) -> float:
        share: float = self.betas[0] * (1 - 0.5 * 0.96 ** (step * _MOMENTUM_DECAY))
        return share


class Lion(Shrinking):
    """Steps of one size, by the sign of a mean alone; wants a third to a tenth of Adam's rate.

    Source: Chen et al. 2023.
    """

    names = ("exp_avg",)

    def moves(self, gradients: list[Tensor], *slots: list[Tensor]) -> list[Tensor]:
        """See FaceOptimizer."""
        first, second = self.betas
        (mean,) = slots
        moves = list(torch._foreach_lerp(mean, gradients, 1 - first))
        torch._foreach_sign_(moves)
        torch._foreach_lerp_(mean, gradients, 1 - second)
        return moves
