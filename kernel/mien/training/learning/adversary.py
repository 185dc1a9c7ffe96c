"""Nets that learn beside a model and judge what it makes: of its pictures, or of its codes."""
# ruff: noqa: TID253  (only trainers import this module)

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from ..losses import terms
from .optimizers import FaceOptimizer


class Adversary:
    """A discriminator, its optimizer, and the two questions it is asked.

    net       gives logits, or several maps of logits whose verdicts add up
    strength  of its own loss
    """

    def __init__(self, net: nn.Module, optimizer: FaceOptimizer, *, strength: float = 1.0) -> None:
        self.net, self.optimizer, self._strength = net, optimizer, strength

    def doubts(self, made: Tensor) -> Tensor:
        """(N,): how far the judge is from taking what was made for true; the model's loss."""
        with self._frozen():
            return self._verdict(made, real=True)

    def learn(self, true: Sequence[Tensor], made: Sequence[Tensor], *, parity: bool) -> float:
        """One step of the judge; the mean of its loss.

        true, made  batches of what it shall tell apart;  parity  step by the batch's sum
        """
        self.optimizer.zero_grad(set_to_none=True)
        losses = self.loss(true, made)
        self.optimizer.backward(losses.sum() if parity else losses.mean())
        self.optimizer.step()
        return float(losses.detach().mean())

    def loss(self, true: Sequence[Tensor], made: Sequence[Tensor]) -> Tensor:
        """(N,): cross-entropy of all verdicts, one half for the true and one for the made."""
        verdicts = [self._verdict(each.detach(), real=True) for each in true]
        verdicts += [self._verdict(each.detach(), real=False) for each in made]
        return torch.stack(verdicts).mean(0) * self._strength

    def _verdict(self, seen: Tensor, *, real: bool) -> Tensor:
        found = self.net(seen)
        maps = (found,) if isinstance(found, Tensor) else found
        return torch.stack([terms.verdict(logits, real=real) for logits in maps]).sum(0)

    def _frozen(self) -> _Frozen:
        return _Frozen(self.net)


class _Frozen:
    """Gradients pass through a net's weights, not into them."""

    def __init__(self, net: nn.Module) -> None:
        self._weights = list(_learning(net))

    def __enter__(self) -> None:
        for weight in self._weights:
            weight.requires_grad_(False)

    def __exit__(self, *error: object) -> None:
        for weight in self._weights:
            weight.requires_grad_(True)


def _learning(net: nn.Module) -> Iterator[nn.Parameter]:
    return (weight for weight in net.parameters() if weight.requires_grad)
