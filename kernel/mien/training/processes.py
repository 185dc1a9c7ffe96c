"""Several processes that teach one model together, a GPU each, as torchrun starts them.

Every process draws its own part of a batch and computes its own gradients; before a step they take
the mean.  All begin with the same weights, so they stay alike.  The first one saves and shows.
"""
# ruff: noqa: TID253  (only the training loop imports this module)

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, distributed


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """This process among those that teach together: number `rank` of `count`."""

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the one that saves and shows."""
        return self.rank == 0

    @property
    def share(self) -> Callable[[list[Tensor]], None] | None:
        """Takes the mean of gradients over all processes; None where there is one."""
        return self._mean if self.count > 1 else None

    def _mean(self, gradients: list[Tensor]) -> None:
        for gradient in gradients:
            distributed.all_reduce(gradient)
            gradient /= self.count

    def agree(self, value: float) -> float:
        """The largest of all processes' values: one that wants to stop stops all."""
        if self.count == 1:
            return value
        told = torch.tensor([value], dtype=torch.float64)
        if distributed.get_backend() == "nccl":
            told = told.cuda()
        distributed.all_reduce(told, op=distributed.ReduceOp.MAX)
        return float(told)


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """The processes that torchrun started, or this one alone."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1 or "RANK" not in os.environ:
        yield Processes()
        return
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(rank=distributed.get_rank(), count=distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
