"""Teaches the two people to one net whose codes can be mixed channel by channel."""
# ruff: noqa: TID253  (imported only when a training begins)

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from mien.arrays import Image
from mien.nets.discriminators import UNetDiscriminator, check_unet
from mien.nets.initial import build
from mien.stages import Context
from mien.training.base import TrainBatch, TrainerState
from mien.training.learning.adversary import Adversary
from mien.training.learning.learners import Learners
from mien.training.learning.optimizers import DROPOUT, WAVE, AdaBelief
from mien.training.losses import terms
from mien.training.losses.face_loss import FaceLoss, outside, total
from mien.training.show.preview import pictures
from mien.types import CropSpec
from torch import Tensor, nn

from . import Options
from .config import config_of
from .net import Amp, build_net, draw_channels

TREMBLE, BESIDE, BESIDE_TARGET = 1e-6, 0.02, 0.1
MORPHS = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Made:
    """Both faces given back."""

    source: Tensor
    source_mask: Tensor
    target: Tensor
    target_mask: Tensor


class AmpTrainer:
    """The model while it learns."""

    def __init__(self, options: Options, context: Context) -> None:
        """Raises ConfigError where the options do not go together."""
        self._options, self._device = options, torch.device(context.device)
        self.config = config_of(options)
        size = options.resolution
        if options.gan_power:
            check_unet(options.gan_patch_size or size // 8, size)
        self.spec = CropSpec(face_type=options.face_type, size=size)
        self.input_size = self.output_size = size
        self._loss = FaceLoss(size=size, focus=True, blur=options.blur_out_mask, windows=2)
        self._seed = int(context.rng("amp", "weights").integers(1 << 31))
        draw = torch.Generator().manual_seed(self._seed)
        self._net: Amp = build_net(self.config, draw).to(self._device)
        self._optimizer = self._make_optimizer(self._learning(), 0)
        self._judge = self._make_judge(draw) if options.gan_power else None
        self.learners = Learners(
            model="amp",
            config=self.config,
            net=self._net,
            optimizer=self._optimizer,
            judges={"gan": self._judge} if self._judge else {},
            people=("inter_src.", "inter_dst."),
        )

    def step(self, batch: TrainBatch) -> Mapping[str, float]:
        """One step of learning; the losses `source` and `target`, and the judge's."""
        parity = self._options.parity
        taken = self.channels(len(batch.source.warped))
        self._optimizer.zero_grad(set_to_none=True)
        objective, made, losses = self.objective(batch, taken)
        self._optimizer.backward(total(objective, parity=parity))
        self._optimizer.step()
        told = {name: float(values.detach().mean()) for name, values in losses.items()}
        if self._judge is not None:
            if parity:
                with torch.no_grad():
                    made = self._make(batch, taken)
            told["gan"] = self._teach(batch, made)
        return told

    def channels(self, count: int) -> Tensor:
        """Which channels of each face come from the source's own layer, in this iteration."""
        generator = torch.Generator()
        generator.manual_seed(self._seed * 1_000_003 + self._optimizer.turn)
        options = self._options
        drawn = draw_channels(options.inter_dims, options.morph_factor, count, generator)
        return drawn.to(self._device)

    def objective(self, batch: TrainBatch, taken: Tensor) -> tuple[Tensor, Made, dict[str, Tensor]]:
        """(N,) what is made small, what the net made, and the losses (N,) of both people.

        taken  (N, inter_dims), as `channels` gives it
        """
        loss, made = self._loss, self._make(batch, taken)
        source, target = loss.wanted(batch.source), loss.wanted(batch.target)
        losses = {
            "source": loss(made.source, made.source_mask, source),
            "target": loss(made.target, made.target_mask, target),
        }
        objective = losses["source"] + losses["target"]
        objective = objective + BESIDE_TARGET * outside(made.target, target)
        objective = objective + TREMBLE * self._tremble(made.target * (1 - target.weight))
        if self._judge is not None:
            doubts = self._judge.doubts(loss.shown(made.source, source))
            doubts = doubts + self._judge.doubts(loss.shown(made.target, target))
            objective = objective + self._options.gan_power * doubts
            objective = objective + TREMBLE * self._tremble(made.source)
            objective = objective + BESIDE * outside(made.source, source)
        return objective, made, losses

    def _tremble(self, picture: Tensor) -> Tensor:
        return terms.total_variation(picture, parity=self._options.parity)

    def _make(self, batch: TrainBatch, taken: Tensor) -> Made:
        net, count = self._net, len(batch.source.warped)
        seen = torch.cat((batch.source.warped, batch.target.warped))
        source, target = net.encoder(seen).split((count, len(batch.target.warped)))
        codes = torch.cat((net.source_code(source, taken), net.target_code(target)))
        face, mask = net.decoder(codes)
        return Made(
            source=face[:count],
            source_mask=mask[:count],
            target=face[count:],
            target_mask=mask[count:],
        )

    def _teach(self, batch: TrainBatch, made: Made) -> float:
        assert self._judge is not None
        loss = self._loss
        source, target = loss.wanted(batch.source), loss.wanted(batch.target)

        def both(one: Tensor, other: Tensor) -> list[Tensor]:
            return [loss.shown(one, source), loss.shown(other, target)]

        true = both(source.face, target.face)
        return self._judge.learn(true, both(made.source, made.target), parity=self._options.parity)

    def preview(self, batch: TrainBatch) -> Mapping[str, list[Image]]:
        """Each person, what the net makes of them, and the way from the target to the source."""
        net = self._net
        with torch.inference_mode():
            source, target = net.encoder(batch.source.warped), net.encoder(batch.target.warped)
            whole = torch.ones(len(source), self.config.inter_dims, device=source.device)
            columns = {
                "source": batch.source.face,
                "source again": net.decoder.face(net.source_code(source, whole)),
                "target": batch.target.face,
                "target again": net.decoder.face(net.target_code(target)),
            }
            for morph in MORPHS:
                share = torch.full((1,), morph, device=target.device)
                code, _ = net.both_codes(target, share)
                columns[f"morph {morph:g}"] = net.decoder.face(code)
        return {title: pictures(faces) for title, faces in columns.items()}

    def state(self) -> TrainerState:
        """Weights, the judge's weights, all slots, and the net's shape."""
        return self.learners.state()

    def load(self, state: TrainerState) -> None:
        """Go on from `state`.  Raises InputError where it belongs to another net."""
        self.learners.load(state)

    def _learning(self) -> Iterable[nn.Parameter]:
        """All weights; in parity the people's own layers keep their first values for ever."""
        parity = self._options.parity
        return (
            weight
            for name, weight in self._net.named_parameters()
            if not (parity and name.startswith("inter_"))
        )

    def _make_optimizer(self, weights: Iterable[nn.Parameter], number: int) -> AdaBelief:
        options = self._options
        return AdaBelief(
            weights,
            lr=options.learning_rate,
            clip=1.0 if options.clip else 0.0,
            dropout=DROPOUT if options.lr_dropout else 1.0,
            period=WAVE if options.lr_dropout else 0,
            seed=self._seed + number,
        )

    def _make_judge(self, draw: torch.Generator) -> Adversary:
        options = self._options
        patch = options.gan_patch_size or options.resolution // 8
        net = build(lambda: UNetDiscriminator(patch, options.gan_dims), draw).to(self._device)
        return Adversary(net, self._make_optimizer(net.parameters(), 1), strength=0.5)
