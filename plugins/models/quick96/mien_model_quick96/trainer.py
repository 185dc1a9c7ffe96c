"""Teaches the two people to one small net."""
# ruff: noqa: TID253  (imported only when a training begins)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from mien.arrays import Image
from mien.nets.autoencoder import TwoDecoders
from mien.stages import Context
from mien.training.base import TrainBatch, TrainerState
from mien.training.learning.learners import Learners
from mien.training.learning.optimizers import DROPOUT, RMSprop
from mien.training.learning.two_people import make, show
from mien.training.losses.face_loss import FaceLoss, total
from mien.types import CropSpec, FaceType
from torch import Tensor

from . import Options
from .config import SIZE, NetConfig
from .net import build_net

AGAIN = 3


class Quick96Trainer:
    """The model while it learns."""

    input_size = output_size = SIZE
    spec = CropSpec(face_type=FaceType.FULL, size=SIZE)

    def __init__(self, options: Options, context: Context) -> None:
        self._parity, self._before = options.parity, list[TrainBatch]()
        self._loss = FaceLoss(size=SIZE, hard=True)
        seed = int(context.rng("quick96", "weights").integers(1 << 31))
        net = build_net(torch.Generator().manual_seed(seed))
        self._net: TwoDecoders = net.to(torch.device(context.device))
        self._optimizer = RMSprop(
            self._net.parameters(), lr=options.learning_rate, dropout=DROPOUT, seed=seed
        )
        self.learners = Learners(
            model="quick96",
            config=NetConfig(),
            net=self._net,
            optimizer=self._optimizer,
            judges={},
            people=("inter.",),
        )

    def step(self, batch: TrainBatch) -> Mapping[str, float]:
        """One step of learning; the losses `source` and `target`."""
        if self._parity:
            batch = self._every_third_again(batch)
        self._optimizer.zero_grad(set_to_none=True)
        losses = self.losses(batch)
        objective = total(losses["source"] + losses["target"], parity=self._parity)
        self._optimizer.backward(objective)
        self._optimizer.step()
        return {name: float(values.detach().mean()) for name, values in losses.items()}

    def losses(self, batch: TrainBatch) -> dict[str, Tensor]:
        """The losses (N,) of both people."""
        loss, made = self._loss, make(self._net, batch)
        return {
            "source": loss(made.source, made.source_mask, loss.wanted(batch.source)),
            "target": loss(made.target, made.target_mask, loss.wanted(batch.target)),
        }

    def preview(self, batch: TrainBatch) -> Mapping[str, list[Image]]:
        """Each person, what the net makes of them, and the swap."""
        return show(self._net, batch)

    def state(self) -> TrainerState:
        """Weights, slots, and the net's shape."""
        return self.learners.state()

    def load(self, state: TrainerState) -> None:
        """Go on from `state`.  Raises InputError where it belongs to another net."""
        self.learners.load(state)

    def _every_third_again(self, batch: TrainBatch) -> TrainBatch:
        before = self._before[-1] if self._before else None
        if before is None or self._optimizer.iters % AGAIN:
            self._before = [batch]
            return batch
        return TrainBatch(
            source=replace(before.source, warped=before.source.face),
            target=replace(before.target, warped=before.target.face),
        )
