"""Teaches XSeg which pixels are face, from facesets whose masks were drawn by hand."""
# ruff: noqa: TID253  (imported only when a training begins)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from mien.arrays import Image
from mien.nets.initial import initialise
from mien.stages import Context
from mien.training.base import Side, TrainBatch, TrainerState
from mien.training.learning.learners import Learners
from mien.training.learning.optimizers import DROPOUT, RMSprop
from mien.training.losses import terms
from mien.training.show.preview import pictures
from mien.types import CropSpec
from torch import Tensor
from torch.nn import functional as nnf

from . import LearnOptions
from .net import NetConfig, XSeg
from .variations import Variations

GREEN = (0.0, 0.5, 0.0)
GREY = (0.114, 0.587, 0.299)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """All that the weights depend on."""

    size: int
    base: int


class XSegTrainer:
    """The net while it learns; both facesets are alike to it."""

    def __init__(self, options: LearnOptions, context: Context) -> None:
        size = options.size
        self.input_size = self.output_size = size
        self.spec = CropSpec(face_type=options.face_type, size=size)
        self._device, self._general = torch.device(context.device), options.general
        self._seed = int(context.rng("xseg", "weights").integers(1 << 31))
        with torch.random.fork_rng(devices=[]):
            net = XSeg(NetConfig(base=options.base, size=size))
        initialise(net, torch.Generator().manual_seed(self._seed))
        self._net = net.to(self._device)
        self._optimizer = RMSprop(
            self._net.parameters(), lr=options.learning_rate, dropout=DROPOUT, seed=self._seed
        )
        self.learners = Learners(
            model="xseg",
            config=Shape(size=size, base=options.base),
            net=self._net,
            optimizer=self._optimizer,
            judges={},
        )

    def step(self, batch: TrainBatch) -> Mapping[str, float]:
        """One step of learning; the cross-entropy of `mask`, and the part of it that is `wrong`.

        Where it learns faces in general, how far `grey` pictures are from what they should be.
        """
        if self._general:
            return self._learn_faces(batch)
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + self._optimizer.turn)
        images, masks = Variations(generator)(*_joined(batch))
        self._optimizer.zero_grad(set_to_none=True)
        logits = self._net(images).float()
        loss = nnf.binary_cross_entropy_with_logits(logits, masks)
        self._optimizer.backward(loss)
        self._optimizer.step()
        return {"mask": float(loss.detach()), "wrong": _wrong(logits.detach(), masks)}

    def _learn_faces(self, batch: TrainBatch) -> Mapping[str, float]:
        """All must pass the dense middle; as DeepFaceLab pretrains it."""
        seen = torch.cat((batch.source.warped, batch.target.warped))
        wanted = (seen * seen.new_tensor(GREY).view(1, 3, 1, 1)).sum(1, keepdim=True)
        self._optimizer.zero_grad(set_to_none=True)
        made = torch.sigmoid(self._net.forward_pretrain(seen).float())
        size = wanted.shape[-1]
        structure = sum(
            terms.dssim(made, wanted, int(size / part)).mean(1) for part in (11.6, 23.2)
        )
        loss = (5 * structure + 10 * terms.mean_of((made - wanted).square())).mean()
        self._optimizer.backward(loss)
        self._optimizer.step()
        return {"grey": float(loss.detach())}

    def preview(self, batch: TrainBatch) -> Mapping[str, list[Image]]:
        """Each face over green where its mask ends, what the net finds, and the face with that; or
        each face, and what the net gives back."""
        columns: dict[str, list[Image]] = {}
        net = self._net.forward_pretrain if self._general else self._net
        for name, side in (("source", batch.source), ("target", batch.target)):
            with torch.inference_mode():
                found = torch.sigmoid(net(side.face).float())
            if self._general:
                columns[name] = pictures(side.face)
                columns[f"{name} again"] = pictures(found.expand(-1, 3, -1, -1))
                continue
            columns[name] = pictures(_over_green(side, side.mask))
            columns[f"{name} found"] = pictures(found.expand(-1, 3, -1, -1))
            columns[f"{name} with it"] = pictures(_over_green(side, found))
        return columns

    def state(self) -> TrainerState:
        """Weights, slots, and the net's shape."""
        return self.learners.state()

    def load(self, state: TrainerState) -> None:
        """Go on from `state`.  Raises InputError where it belongs to another net."""
        self.learners.load(state)


def _joined(batch: TrainBatch) -> tuple[Tensor, Tensor]:
    sides = (batch.source, batch.target)
    return torch.cat([side.face for side in sides]), torch.cat([side.mask for side in sides])


def _wrong(logits: Tensor, masks: Tensor) -> float:
    """1 less the overlap (IoU) of what was found with what is."""
    found, wanted = logits > 0, masks > 0.5
    either = (found | wanted).sum().clamp(min=1)
    return float(1 - (found & wanted).sum() / either)


def _over_green(side: Side, mask: Tensor) -> Tensor:
    green = torch.tensor(GREEN, device=mask.device).view(1, 3, 1, 1)
    return side.face * mask + (0.5 * side.face + 0.5 * green) * (1 - mask)
