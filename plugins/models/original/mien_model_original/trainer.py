"""Teaches the two people to one net."""
# ruff: noqa: TID253  (imported only when a training begins)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import torch
from mien.arrays import Image
from mien.stages import Context
from mien.training.base import Side, TrainBatch, TrainerState
from mien.training.losses import LOSSES, mean_inside, widened
from mien.training.nets import check_net
from mien.training.preview import pictures
from mien.training.state import load_slots, load_weights, save_slots
from mien.types import CropSpec
from torch import Tensor

from . import Options
from .config import config_of
from .net import Original, build


class OriginalTrainer:
    """The original model while it learns; both people pass the encoder in one batch."""

    def __init__(self, options: Options, context: Context) -> None:
        self._options = options
        self.config = config_of(options)
        self.spec = CropSpec(face_type=options.face_type, size=options.size)
        self.input_size = self.output_size = options.size
        self._device = torch.device(context.device)
        seed = int(context.rng("original", "weights").integers(1 << 62))
        net = build(self.config, torch.Generator().manual_seed(seed))
        self._net: Original = net.to(self._device)
        # eps as in the original; fused is the fastest everywhere, the CPU too.
        self._adam = torch.optim.Adam(
            self._net.parameters(), lr=options.learning_rate, eps=1e-7, fused=True
        )

    def step(self, batch: TrainBatch) -> Mapping[str, float]:
        """One step of learning; the losses `source` and `target`, masks included."""
        seen = torch.cat((batch.source.warped, batch.target.warped))
        codes = self._net.encoder(seen).split((len(batch.source.warped), len(batch.target.warped)))
        losses = {
            "source": self._loss(self._net.source(codes[0]), batch.source),
            "target": self._loss(self._net.target(codes[1]), batch.target),
        }
        self._adam.zero_grad(set_to_none=True)
        torch.autograd.backward(list(losses.values()))
        self._adam.step()
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def preview(self, batch: TrainBatch) -> Mapping[str, list[Image]]:
        """Each person, what the net makes of them, and the swap."""
        with torch.inference_mode():
            source = self._net.encoder(batch.source.warped)
            target = self._net.encoder(batch.target.warped)
            columns = {
                "source": batch.source.face,
                "source again": self._net.source(source)[0],
                "target": batch.target.face,
                "target again": self._net.target(target)[0],
                "swap": self._net.source(target)[0],
            }
            if self._net.source.mask is not None:
                columns["swap mask"] = self._net.source.mask(target).expand(-1, 3, -1, -1)
        return {title: pictures(faces) for title, faces in columns.items()}

    def state(self) -> TrainerState:
        """Weights, the optimiser's moments, and the net's shape."""
        return TrainerState(
            weights={name: value.detach() for name, value in self._net.state_dict().items()},
            optimizer=save_slots(self._adam, self._net),
            facts={"net": asdict(self.config)},
        )

    def load(self, state: TrainerState) -> None:
        """Go on from `state`.  Raises InputError where it belongs to another net."""
        check_net(state.facts, self.config, "original")
        load_weights(self._net, state.weights)
        load_slots(self._adam, self._net, state.optimizer)

    def _loss(self, made: tuple[Tensor, Tensor | None], wanted: Side) -> Tensor:
        options = self._options
        face, mask = made
        inside = widened(wanted.mask, options.margin / 100) if options.masked else None
        loss = torch.zeros((), device=self._device)
        for name, weight in ((options.loss, 1.0), (options.loss_2, options.loss_2_weight)):
            if name != "none" and weight > 0:
                loss = loss + weight * mean_inside(LOSSES[name](face, wanted.face), inside)
        if mask is not None:
            loss = loss + LOSSES[options.mask_loss](mask, wanted.mask).mean()
        return loss
