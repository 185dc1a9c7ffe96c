"""Teaches two people to one net, with losses by name: the trainer of faceswap's models."""
# ruff: noqa: TID253  (only trainers import this module)

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from ...arrays import Image
from ...nets.fsblocks import Dropout
from ...nets.fsinitial import Drawing, build
from ...nets.fsnets import PeopleNet, Shown, mirror_edges
from ...stages import Context
from ...types import CropSpec
from ..base import TrainBatch, TrainerState
from ..losses.people_loss import PeopleLoss
from ..show.preview import pictures
from .learners import Learners
from .more_optimizers import Adamax, Lion, NAdam
from .optimizers import AdaBelief, Adam, FaceOptimizer, RMSprop
from .people_options import PeopleOptions

_WITH_SHARES: Mapping[str, Callable[..., FaceOptimizer]] = {
    "adam": Adam,
    "adamax": Adamax,
    "nadam": NAdam,
    "lion": Lion,
}


class PeopleTrainer:
    """A model of two people while it learns; both pass the encoder in one batch."""

    def __init__(
        self,
        name: str,
        make: Callable[[], PeopleNet],
        config: Any,
        *,
        options: PeopleOptions,
        context: Context,
        size: int,
        seen: int | None = None,
        sizes: tuple[int, ...] = (),
    ) -> None:
        """name, config  the model's, for messages and checkpoints;  make  the net, without weights
        size   of the faces it makes;  seen  of those it looks at, where they are smaller
        sizes  of all the faces it makes, small ones first, where there are several

        Raises ConfigError where options and sizes do not go together.
        """
        self.config = config
        self.input_size, self.output_size = seen or size, size
        self.spec = CropSpec(face_type=options.face_type, size=size)
        self._loss = PeopleLoss(options, sizes or (size,))
        self._device = torch.device(context.device)
        seed = int(context.rng(name, "weights").integers(1 << 62))
        drawing = Drawing(even=options.icnr_init, aware=options.conv_aware_init)
        self._net = build(make, torch.Generator().manual_seed(seed), drawing).to(self._device)
        if options.reflect_padding:
            mirror_edges(self._net)
        self._seed = seed % (1 << 31)
        self._dropouts = [each for each in self._net.modules() if isinstance(each, Dropout)]
        self._optimizer = self._make_optimizer(options)
        self.learners = Learners(
            model=name,
            config=config,
            net=self._net,
            optimizer=self._optimizer,
            judges={},
            people=self._net.own,
        )

    def step(self, batch: TrainBatch) -> Mapping[str, float]:
        """One step of learning; the losses `source` and `target`, masks included."""
        self._optimizer.zero_grad(set_to_none=True)
        self._give_noise(len(batch.source.warped) + len(batch.target.warped))
        source, target = self._made(batch)
        losses = {
            "source": self._loss(*source, batch.source).mean(),
            "target": self._loss(*target, batch.target).mean(),
        }
        self._optimizer.backward(losses["source"] + losses["target"])
        self._optimizer.step()
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def preview(self, batch: TrainBatch) -> Mapping[str, list[Image]]:
        """Each person, what the net makes of them, and the swap."""
        net = self._net.eval()
        with torch.inference_mode():
            source, target = self._made(batch)
            encoded = net.encoder(batch.target.warped)
            swap, mask = net.source_decoder(net.source_code(encoded))
            columns = {
                "source": batch.source.face,
                "source again": source[0][-1],
                "target": batch.target.face,
                "target again": target[0][-1],
                "swap": swap[-1],
            }
            if mask is not None:
                columns["swap mask"] = mask.expand(-1, 3, -1, -1)
        net.train()
        return {title: pictures(faces) for title, faces in columns.items()}

    def state(self) -> TrainerState:
        """Weights, the optimiser's slots, and the net's shape."""
        return self.learners.state()

    def load(self, state: TrainerState) -> None:
        """Go on from `state`.  Raises InputError where it belongs to another net."""
        self.learners.load(state)

    def _made(self, batch: TrainBatch) -> tuple[Shown, Shown]:
        """What the net gives back for the source and for the target."""
        net = self._net
        counts = len(batch.source.warped), len(batch.target.warped)
        seen = torch.cat((batch.source.warped, batch.target.warped))
        source, target = net.encoder(seen).split(counts)
        codes = net.source_code(source), net.target_code(target)
        if net.source_decoder is not net.target_decoder:
            return net.source_decoder(codes[0]), net.target_decoder(codes[1])
        faces, mask = net.source_decoder(torch.cat(codes))
        parts = [face.split(counts) for face in faces]
        masks = (None, None) if mask is None else mask.split(counts)
        first, second = (
            (tuple(part[number] for part in parts), masks[number]) for number in (0, 1)
        )
        return first, second

    def _give_noise(self, count: int) -> None:
        """What decides which channels drop out in this step, whatever came before it."""
        if not self._dropouts:
            return
        seed = (self._seed * 1_000_003 + self._optimizer.turn) % (1 << 63)
        generator = torch.Generator().manual_seed(seed)
        for each in self._dropouts:
            noise = torch.rand(count, each.channels, generator=generator)
            each.noise = noise.to(self._device)

    def _make_optimizer(self, options: PeopleOptions) -> FaceOptimizer:
        weights, rate = self._net.parameters(), options.learning_rate
        if options.optimizer in ("adabelief", "rmsprop"):
            kind = AdaBelief if options.optimizer == "adabelief" else RMSprop
            return kind(weights, lr=rate, seed=self._seed)
        return _WITH_SHARES[options.optimizer](
            weights,
            lr=rate,
            betas=(options.beta_1, options.beta_2),
            eps=10.0**options.epsilon_exponent,
            decay=options.weight_decay,
            seed=self._seed,
        )
