"""Teaches the two people to one net, with the judges that artists switch on towards the end."""
# ruff: noqa: TID253  (imported only when a training begins)

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from mien.arrays import Image
from mien.errors import ConfigError
from mien.nets.discriminators import CodeDiscriminator, UNetDiscriminator, check_unet
from mien.nets.initial import build
from mien.stages import Context
from mien.training.base import TrainBatch, TrainerState
from mien.training.learning.adversary import Adversary
from mien.training.learning.learners import Learners
from mien.training.learning.optimizers import DROPOUT, WAVE, AdaBelief, FaceOptimizer, RMSprop
from mien.training.learning.two_people import Made, make, show
from mien.training.losses import terms
from mien.training.losses.face_loss import FaceLoss, Wanted, outside, total
from mien.types import CropSpec
from torch import Tensor, nn

from . import Options
from .config import NetConfig, config_of
from .net import SaehdNet, TwoInters, build_net

STYLE = 10_000.0
TREMBLE, BESIDE = 1e-6, 0.02


class SaehdTrainer:
    """The model while it learns."""

    def __init__(self, options: Options, context: Context) -> None:
        """Raises ConfigError where the options do not go together."""
        self._options, self._device = options, torch.device(context.device)
        self.config = _check(options)
        size = options.resolution
        self.spec = CropSpec(face_type=options.face_type, size=size)
        self.input_size = self.output_size = size
        self._loss = FaceLoss(
            size=size,
            masked=options.masked_training,
            focus=options.eyes_mouth_prio,
            blur=options.blur_out_mask,
        )
        seed = int(context.rng("saehd", "weights").integers(1 << 62))
        draw = torch.Generator().manual_seed(seed)
        self._net: SaehdNet = build_net(self.config, draw).to(self._device)
        self._seed = seed % (1 << 31)
        self._optimizer = self._make_optimizer(self._learning(), 0)
        self._judge = self._make_judge(draw) if options.gan_power else None
        self._code_judge = self._make_code_judge(draw) if options.true_face_power else None
        judges = {"gan": self._judge, "code": self._code_judge}
        self.learners = Learners(
            model="saehd",
            config=self.config,
            net=self._net,
            optimizer=self._optimizer,
            judges={name: judge for name, judge in judges.items() if judge is not None},
            people=("inter.", "inter_AB.", "inter_B."),
        )

    # --- learning -------------------------------------------------------------------------------

    def step(self, batch: TrainBatch) -> Mapping[str, float]:
        """One step of learning; the losses `source` and `target`, and those of the judges."""
        options = self._options
        self._optimizer.zero_grad(set_to_none=True)
        objective, made, losses = self.objective(batch)
        self._optimizer.backward(total(objective, parity=options.parity))
        self._optimizer.step()
        told = {name: float(values.detach().mean()) for name, values in losses.items()}
        return told | self.judge(batch, made)

    def objective(self, batch: TrainBatch) -> tuple[Tensor, Made, dict[str, Tensor]]:
        """(N,) what is made small, what the net made, and the losses (N,) of both people."""
        options, loss = self._options, self._loss
        source, target = loss.wanted(batch.source), loss.wanted(batch.target)
        made = make(self._net, batch)
        losses = {
            "source": loss(made.source, made.source_mask, source)
            + self._style(made, source, target),
            "target": loss(made.target, made.target_mask, target),
        }
        objective = losses["source"] + losses["target"]
        if self._code_judge is not None:
            doubts = self._code_judge.doubts(made.source_code)
            objective = objective + options.true_face_power * doubts
        if self._judge is not None:
            doubts = self._judge.doubts(loss.shown(made.source, source))
            objective = objective + options.gan_power * doubts
            if options.masked_training:
                objective = objective + BESIDE * outside(made.source, source)
                objective = objective + TREMBLE * terms.total_variation(made.source)
        return objective, made, losses

    def judge(self, batch: TrainBatch, made: Made) -> dict[str, float]:
        """The judges learn from what the net made; in parity from what it makes by now."""
        options, told = self._options, dict[str, float]()
        if self._judge is None and self._code_judge is None:
            return told
        if options.parity:
            with torch.no_grad():
                made = make(self._net, batch)
        if self._code_judge is not None:
            # "True" is the target's code: the source's shall become like it.
            told["true face"] = self._code_judge.learn(
                [made.target_code], [made.source_code], parity=options.parity
            )
        if self._judge is not None:
            source = self._loss.wanted(batch.source)
            told["gan"] = self._judge.learn(
                [self._loss.shown(source.face, source)],
                [self._loss.shown(made.source, source)],
                parity=options.parity,
            )
        return told

    def _style(self, made: Made, source: Wanted, target: Wanted) -> Tensor | float:
        """(N,): how far the swap is from the target in colour, and around the face."""
        options, size = self._options, self._options.resolution
        decoder, extra = self._net.source_decoder, 0.0
        loss: Tensor | float = extra
        if options.face_style_power:
            # The gradient ends at the code: the decoder shall learn colours, not the encoder.
            swap, mask = decoder(made.swap_code.detach())
            like = (made.target * made.target_mask).detach()
            power = STYLE * options.face_style_power / 100
            loss = loss + terms.style_distance(swap * mask.detach(), like, size // 8, power)
        if options.bg_style_power:
            swap = decoder.face(made.swap_code)
            around = 1 - (source if options.parity else target).weight
            one_window = FaceLoss(size=size, windows=1)
            gap = one_window.difference(swap * around, target.face * around)
            loss = loss + options.bg_style_power / 100 * gap
        return loss

    # --- what the loop asks ---------------------------------------------------------------------

    def preview(self, batch: TrainBatch) -> Mapping[str, list[Image]]:
        """Each person, what the net makes of them, and the swap."""
        return show(self._net, batch)

    def state(self) -> TrainerState:
        """Weights, the judges' weights, all slots, and the net's shape."""
        return self.learners.state()

    def load(self, state: TrainerState) -> None:
        """Go on from `state`.  Raises InputError where it belongs to another net."""
        self.learners.load(state)

    # --- making ---------------------------------------------------------------------------------

    def _learning(self) -> Iterable[nn.Parameter]:
        frozen = self._options.freeze_common and isinstance(self._net, TwoInters)
        return (
            weight
            for name, weight in self._net.named_parameters()
            if not (frozen and name.startswith("inter_AB."))
        )

    def _make_optimizer(self, weights: Iterable[Any], number: int) -> FaceOptimizer:
        options = self._options
        kind = AdaBelief if options.optimizer == "adabelief" else RMSprop
        return kind(
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
        return Adversary(net, self._make_optimizer(net.parameters(), 1))

    def _make_code_judge(self, draw: torch.Generator) -> Adversary:
        shape = self.config.shape
        net = build(lambda: CodeDiscriminator(shape.ae_dims, shape.code_side), draw)
        net = net.to(self._device)
        return Adversary(net, self._make_optimizer(net.parameters(), 2))


def _check(options: Options) -> NetConfig:
    """The net that the options ask for.  Raises ConfigError with all that contradicts itself."""
    problems: list[str] = []
    config = None
    try:
        config = config_of(options)
    except ConfigError as error:
        problems += error.problems
    family = options.archi.lower().partition("-")[0]
    if options.true_face_power and family == "liae":
        problems.append(
            f"model.saehd.true_face_power: is for df only, and archi is '{options.archi}'; "
            "set it to 0, or train a df model"
        )
    if options.freeze_common and family == "df":
        problems.append(
            f"model.saehd.freeze_common: is for liae only, and archi is '{options.archi}'; "
            "leave it out, or train a liae model"
        )
    if options.gan_power:
        try:
            check_unet(options.gan_patch_size or options.resolution // 8, options.resolution)
        except ConfigError as error:
            problems += error.problems
    if problems or config is None:
        raise ConfigError(problems)
    return config
