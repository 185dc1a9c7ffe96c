"""Optimizers with the habits of face models: some weights pause, one norm clips all; and what a
training asks of all of them: gathered steps, several processes, slots in host memory, float16.

AdaBelief and RMSprop as DeepFaceLab has them: no correction for the first steps, epsilon outside
the root, and a state whose names its files know (`acc`; `ms`, `vs`; `iters`).
"""
# ruff: noqa: TID253  (only trainers import this module)

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim.adam import adam

from .clipping import Clipping

EPSILON = 1e-6
"""Outside the root, in DeepFaceLab's two."""
_PIECE = 1 << 17
DROPOUT = 308 / 1024
"""Share of the weights that move in a step: 0.3 as DeepFaceLab's float16 draws it."""
WAVE = 500
"""Steps of a wave of the learning rate."""


class FaceOptimizer(torch.optim.Optimizer):
    """The steps that all share, and what a training asks of every one of them.

    lr       learning rate;  clip  largest norm of all gradients together, 0 for none
    dropout  share of the weights that move in a step, drawn anew each time; 1 moves all
    period   steps of one cosine wave of the learning rate; 0 keeps it
    seed     of the draws: a step's depend on it and on the number of the step

    The loop sets `factor` (of the learning rate), `gather` (calls of `step` that make one step: the
    mean of their gradients), `share` (what several processes do with their gradients before the
    step), `home` (where the slots lie; None beside the weights), `scale` (of losses in float16),
    `place` (this process' number among how many) and `clipping` (in place of `clip`).
    """

    names: ClassVar[tuple[str, ...]] = ()

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
        self.factor, self.gather = 1.0, 1
        self.share: Callable[[list[Tensor]], None] | None = None
        self.home: torch.device | None = None
        self.scale: Scale | None = None
        self.place = 0, 1
        self.clipping: Clipping | None = None
        self._gathered = 0

    @property
    def turn(self) -> int:
        """The number of the batch at hand, which no other batch of any process has.

        What a model draws by chance in a step depends on it, and on nothing that came before.
        """
        rank, count = self.place
        return (self.iters * self.gather + self._gathered) * count + rank

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, unless they are being gathered."""
        if not self._gathered:
            super().zero_grad(set_to_none)

    def backward(self, loss: Tensor) -> None:
        """Gradients of a loss (one number), enlarged where the net computes in float16."""
        scaled = loss if self.scale is None else loss * self.scale.value
        scaled.backward()  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move the weights by their gradients, once `gather` calls have brought theirs."""
        if closure is not None:
            raise ValueError("these optimizers take no closure")
        self._gathered = (self._gathered + 1) % self.gather
        if self._gathered:
            return
        moving = [
            (parameter, group["lr"] * self.factor)
            for group in self.param_groups
            for parameter in group["params"]
            if parameter.grad is not None
        ]
        if not moving:
            return
        weights = [parameter for parameter, _ in moving]
        gradients = [parameter.grad.float() for parameter in weights]
        if self.share is not None:
            self.share(gradients)
        if self.gather > 1:
            torch._foreach_div_(gradients, self.gather)
        if self.scale is not None and not self.scale.restore(gradients):
            return
        if self.clipping is not None:
            gradients = self.clipping(gradients)
        elif self.clip > 0:
            norm = torch.stack(torch._foreach_norm(gradients)).norm()
            shrink = torch.where(norm >= self.clip, self.clip / norm, torch.ones_like(norm))
            gradients = list(torch._foreach_mul(gradients, shrink))
        self.move(weights, gradients, [rate * self.wave() for _, rate in moving])
        self.iters += 1

    def move(self, weights: list[Tensor], gradients: list[Tensor], rates: list[float]) -> None:
        """Move the weights, where the slots lie and with the pauses that dropout gives."""
        slots = [self.slots(weights, name) for name in self.names]
        masks: Iterable[Any] = (
            self.masks(slots[0]) if self.dropout < 1 else itertools.repeat(None, len(weights))
        )
        if slots[0][0].device.type == "cpu":
            for each in zip(weights, gradients, rates, masks, *slots, strict=True):
                self._move_one(*each)
            return
        moves = self.moves(gradients, *slots)
        if self.dropout < 1:
            moves = list(torch._foreach_mul(moves, list(masks)))
        torch._foreach_mul_(moves, [-rate for rate in rates])
        torch._foreach_add_(weights, moves)

    def _move_one(
        self, weight: Tensor, gradient: Tensor, rate: float, mask: Tensor | None, *slots: Tensor
    ) -> None:
        """One weight, piece by piece: what a processor's cache holds is worked on to the end."""
        here = weight.device == slots[0].device
        target = weight if here else torch.zeros_like(slots[0])
        flat = [_flat(each, like=target) for each in (target, gradient, *slots)]
        paused = None if mask is None else _flat(mask, like=target)
        for start in range(0, weight.numel(), _PIECE):
            piece = slice(start, start + _PIECE)
            part, own, *parts = (each[piece] for each in flat)
            (move,) = self.moves([own], *([each] for each in parts))
            if paused is not None:
                move.mul_(paused[piece])
            part.sub_(move, alpha=rate)
        if not here:
            weight.add_(target.to(weight.device))

    def wave(self) -> float:
        """What the learning rate is multiplied with now."""
        if not self.period:
            return 1.0
        return (math.cos(2 * math.pi * self.iters / self.period) + 1) / 2

    def moves(self, gradients: list[Tensor], *slots: list[Tensor]) -> list[Tensor]:
        """How far each weight would go at a rate of -1; brings the slots, as `names`, up to date.

        Works element by element, so that a weight may be given in pieces.
        """
        raise NotImplementedError

    def slots(self, weights: list[Tensor], name: str) -> list[Tensor]:
        """The running values of this name, zero where a weight is new; laid out as the weights."""
        found = []
        for weight in weights:
            kept = self.state[weight].get(name)
            if kept is None:
                kept = torch.zeros_like(weight, dtype=torch.float32, device=self.home)
            elif kept.stride() != weight.stride() or (self.home and kept.device != self.home):
                kept = torch.empty_like(weight, device=self.home, dtype=torch.float32).copy_(kept)
            self.state[weight][name] = kept
            found.append(kept)
        return found

    def masks(self, like: list[Tensor]) -> Iterator[Tensor]:
        """Which parts of the weights move in this step, one tensor of 0 and 1 after the other."""
        generator = torch.Generator(device=like[0].device)
        generator.manual_seed((self.seed * 1_000_003 + self.iters) % (1 << 63))
        for each in like:
            yield torch.empty_like(each).bernoulli_(self.dropout, generator=generator)


def _flat(values: Tensor, *, like: Tensor) -> Tensor:
    """All values in one row, in the order in which those of `like` lie in memory."""
    if values.stride() != like.stride() or values.device != like.device:
        values = torch.empty_like(like, dtype=values.dtype).copy_(values)
    return values.as_strided((values.numel(),), (1,))


class RMSprop(FaceOptimizer):
    """Gradients over the root of their running mean square; slot `acc`."""

    names = ("acc",)

    def moves(self, gradients: list[Tensor], *slots: list[Tensor]) -> list[Tensor]:
        """See FaceOptimizer."""
        (mean,) = slots
        torch._foreach_mul_(mean, 0.9)
        torch._foreach_addcmul_(mean, gradients, gradients, 0.1)
        roots = torch._foreach_sqrt(mean)
        torch._foreach_add_(roots, EPSILON)
        return list(torch._foreach_div(gradients, roots))


class AdaBelief(FaceOptimizer):
    """The running mean of the gradients over how far they stray from it; slots `ms`, `vs`.

    Source: Zhuang et al. 2020, without the correction for the first steps.
    """

    names = ("ms", "vs")

    def moves(self, gradients: list[Tensor], *slots: list[Tensor]) -> list[Tensor]:
        """See FaceOptimizer."""
        mean, stray = slots
        torch._foreach_lerp_(mean, gradients, 0.1)
        gaps = torch._foreach_sub(gradients, mean)
        torch._foreach_mul_(stray, 0.999)
        torch._foreach_addcmul_(stray, gaps, gaps, 0.001)
        roots = torch._foreach_sqrt(stray)
        torch._foreach_add_(roots, EPSILON)
        return list(torch._foreach_div(mean, roots))


class Adam(FaceOptimizer):
    """Adam; with `decay`, AdamW: weights shrink by themselves.  Slots `exp_avg`, `exp_avg_sq`.

    Source: Kingma and Ba 2015; Loshchilov and Hutter 2019.  Epsilon outside the root, behind the
    correction for the first steps, as torch has it.
    """

    names = ("exp_avg", "exp_avg_sq")

    def __init__(
        self,
        params: Iterable[Any],
        *,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-7,
        decay: float = 0.0,
        clip: float = 0.0,
        dropout: float = 1.0,
        period: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(params, lr=lr, clip=clip, dropout=dropout, period=period, seed=seed)
        self.betas, self.eps, self.decay = betas, eps, decay

    def move(self, weights: list[Tensor], gradients: list[Tensor], rates: list[float]) -> None:
        """One pass over memory where nothing else is asked; see FaceOptimizer."""
        if self.dropout < 1 or self.home is not None or len(set(rates)) > 1:
            if self.decay:
                torch._foreach_mul_(weights, [1 - rate * self.decay for rate in rates])
            super().move(weights, gradients, rates)
            return
        adam(
            weights,
            gradients,
            self.slots(weights, "exp_avg"),
            self.slots(weights, "exp_avg_sq"),
            [],
            [torch.tensor(float(self.iters), device=weight.device) for weight in weights],
            fused=True,
            amsgrad=False,
            beta1=self.betas[0],
            beta2=self.betas[1],
            lr=rates[0],
            weight_decay=self.decay,
            eps=self.eps,
            maximize=False,
            decoupled_weight_decay=True,
        )

    def moves(self, gradients: list[Tensor], *slots: list[Tensor]) -> list[Tensor]:
        """See FaceOptimizer."""
        first, second = self.betas
        mean, square = slots
        torch._foreach_lerp_(mean, gradients, 1 - first)
        torch._foreach_mul_(square, second)
        torch._foreach_addcmul_(square, gradients, gradients, 1 - second)
        roots = torch._foreach_sqrt(square)
        torch._foreach_div_(roots, math.sqrt(1 - second ** (self.iters + 1)))
        torch._foreach_add_(roots, self.eps)
        moves = list(torch._foreach_div(mean, roots))
        torch._foreach_div_(moves, 1 - first ** (self.iters + 1))
        return moves


class Scale:
    """How much losses are enlarged so that float16 gradients do not vanish; found by trying."""

    GROW_AFTER = 2000

    def __init__(self, value: float = 2.0**16) -> None:
        self.value, self._good = value, 0

    def restore(self, gradients: list[Tensor]) -> bool:
        """Bring gradients back to their size; False where some overflowed and the step is void."""
        torch._foreach_div_(gradients, self.value)
        if not bool(torch.isfinite(torch.stack(torch._foreach_norm(gradients))).all()):
            self.value, self._good = max(1.0, self.value / 2), 0
            return False
        self._good += 1
        if self._good % self.GROW_AFTER == 0:
            self.value *= 2
        return True
