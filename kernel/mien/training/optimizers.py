"""Optimizers with the habits of face models: some weights pause, one norm clips all.

AdaBelief and RMSprop as DeepFaceLab has them: no correction for the first steps, epsilon outside
the root, and a state whose names its files know (`acc`; `ms`, `vs`; `iters`).
"""
# ruff: noqa: TID253  (only trainers import this module)

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

EPSILON = 1e-6
DROPOUT = 308 / 1024
"""Share of the weights that move in a step: 0.3 as DeepFaceLab's float16 draws it."""
WAVE = 500
"""Steps of a wave of the learning rate."""


class FaceOptimizer(torch.optim.Optimizer):
    """The steps that both share.

    lr       learning rate;  clip  largest norm of all gradients together, 0 for none
    dropout  share of the weights that move in a step, drawn anew each time; 1 moves all
    period   steps of one cosine wave of the learning rate; 0 keeps it
    seed     of the draws: a step's depend on it and on the number of the step
    """

    def __init__(
        self,
        params: Iterable[Any],
        *,
        lr: float,
        clip: float = 0.0,
        dropout: float = 1.0,
        period: int = 0,
        seed: int = 0,
    ) -> None:
        if lr <= 0:
            raise ValueError(f"lr is {lr}, must be above 0")
        if not 0 < dropout <= 1:
            raise ValueError(f"dropout is {dropout}, must be above 0 and at most 1")
        super().__init__(params, {"lr": lr})
        self.clip, self.dropout, self.period, self.seed = clip, dropout, period, seed
        self.iters = 0

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move the weights by their gradients."""
        if closure is not None:
            raise ValueError("these optimizers take no closure")
        moving = [
            (parameter, group["lr"])
            for group in self.param_groups
            for parameter in group["params"]
            if parameter.grad is not None
        ]
        if not moving:
            return
        weights = [parameter for parameter, _ in moving]
        gradients = [parameter.grad.float() for parameter in weights]
        if self.clip > 0:
            norm = torch.stack(torch._foreach_norm(gradients)).norm()
            shrink = torch.where(norm >= self.clip, self.clip / norm, torch.ones_like(norm))
            gradients = list(torch._foreach_mul(gradients, shrink))
        moves = self.moves(weights, gradients)
        wave = self.wave()
        if self.dropout < 1:
            moves = list(torch._foreach_mul(moves, self._masks(moves)))
        torch._foreach_mul_(moves, [-rate * wave for _, rate in moving])
        torch._foreach_add_(weights, moves)
        self.iters += 1

    def wave(self) -> float:
        """What the learning rate is multiplied with now."""
        if not self.period:
            return 1.0
        return (math.cos(2 * math.pi * self.iters / self.period) + 1) / 2

    def moves(self, weights: list[Tensor], gradients: list[Tensor]) -> list[Tensor]:
        """How far each weight would go at a rate of -1; brings the slots up to date."""
        raise NotImplementedError

    def slots(self, weights: list[Tensor], name: str) -> list[Tensor]:
        """The running values of this name, zero where a weight is new."""
        for weight in weights:
            if name not in self.state[weight]:
                self.state[weight][name] = torch.zeros_like(weight, dtype=torch.float32)
        return [self.state[weight][name] for weight in weights]

    def _masks(self, moves: list[Tensor]) -> list[Tensor]:
        generator = torch.Generator(device=moves[0].device)
        generator.manual_seed((self.seed * 1_000_003 + self.iters) % (1 << 63))
        return [
            torch.empty_like(move).bernoulli_(self.dropout, generator=generator) for move in moves
        ]


class RMSprop(FaceOptimizer):
    """Gradients over the root of their running mean square; slot `acc`."""

    def moves(self, weights: list[Tensor], gradients: list[Tensor]) -> list[Tensor]:
        """See FaceOptimizer."""
        mean = self.slots(weights, "acc")
        torch._foreach_mul_(mean, 0.9)
        torch._foreach_addcmul_(mean, gradients, gradients, 0.1)
        roots = torch._foreach_sqrt(mean)
        torch._foreach_add_(roots, EPSILON)
        return list(torch._foreach_div(gradients, roots))


class AdaBelief(FaceOptimizer):
    """The running mean of the gradients over how far they stray from it; slots `ms`, `vs`.

    Source: Zhuang et al. 2020, without the correction for the first steps.
    """

    def moves(self, weights: list[Tensor], gradients: list[Tensor]) -> list[Tensor]:
        """See FaceOptimizer."""
        mean, stray = self.slots(weights, "ms"), self.slots(weights, "vs")
        torch._foreach_lerp_(mean, gradients, 0.1)
        gaps = torch._foreach_sub(gradients, mean)
        torch._foreach_mul_(stray, 0.999)
        torch._foreach_addcmul_(stray, gaps, gaps, 0.001)
        roots = torch._foreach_sqrt(stray)
        torch._foreach_add_(roots, EPSILON)
        return list(torch._foreach_div(mean, roots))
