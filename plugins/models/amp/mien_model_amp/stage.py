"""A face between the target and the source, on what the encoder sees in the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from mien.stages import Context, ExportPlan
from mien.training.checkpoint import Generation
from mien.training.learning.swap import NetSwap
from mien.types import Crop, CropSpec, Swap

from . import Options
from .config import NetConfig, config_of


class AmpSwap(NetSwap):
    """Swaps at a place between the target and the source, each face at one of its own if asked."""

    morph = 1.0

    def __call__(self, batch: Sequence[Crop], /) -> list[Swap]:
        """One swap per crop, all at the same place."""
        return self._at([self.morph] * len(batch), batch)

    def tuned(self, batch: Sequence[Crop], options: Sequence[Options], /) -> list[Swap]:
        """One swap per crop, each at the place that its options say."""
        return self._at([each.morph for each in options], batch)

    def _at(self, morphs: Sequence[float], batch: Sequence[Crop]) -> list[Swap]:
        # The product is rounded to float32 and then cut off, as in exported models.
        count = np.asarray(morphs, np.float32) * np.float32(self.config.inter_dims)
        return self.swaps(batch, {"count": count.astype(np.int32)})

    def export_plan(self) -> ExportPlan:
        """The net with `morph` as an input."""
        import torch

        net = _net(self.config, self.generation)
        return self.plan(net, {"morph": torch.tensor([self.morph])})

    def _plan(self) -> ExportPlan:
        import torch

        plan = self.plan(self._build(self.generation), {"count": torch.tensor([1, 2]).int()})
        return replace(plan, dynamic={**plan.dynamic, "count": {0: "batch"}})


def make_swap(options: Options, context: Context, generation: Path) -> AmpSwap:
    """The stage of a saved generation.

    Raises InputError where the generation is damaged or belongs to another net.
    """
    config = config_of(options)
    stage = AmpSwap(
        "amp",
        config,
        lambda saved: _counted(config, saved),
        context=context,
        generation=generation,
        spec=CropSpec(face_type=options.face_type, size=options.resolution),
        batch_size=options.batch_size,
        masks=True,
        extra="count",
    )
    stage.morph = options.morph
    return stage


def _counted(config: NetConfig, generation: Generation) -> Any:
    from .net import Counted

    return Counted(_net(config, generation))


def _net(config: NetConfig, generation: Generation) -> Any:
    from mien.training.learning.state import load_weights

    from .net import build_net

    net = build_net(config)
    load_weights(net, generation.weights())
    return net
