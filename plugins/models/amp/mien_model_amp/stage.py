"""A face between the target and the source, on what the encoder sees in the target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mien.stages import Context, ExportPlan
from mien.training.checkpoint import Generation
from mien.training.learning.swap import NetSwap
from mien.types import CropSpec

from . import Options
from .config import NetConfig, config_of


class AmpSwap(NetSwap):
    """Swaps at one place between the target and the source."""

    morph = 1.0

    def export_plan(self) -> ExportPlan:
        """The net with `morph` as an input."""
        import torch

        net = _net(self.config, self.generation)
        return self.plan(net, {"morph": torch.tensor([self.morph])})


def make_swap(options: Options, context: Context, generation: Path) -> AmpSwap:
    """The stage of a saved generation.

    Raises InputError where the generation is damaged or belongs to another net.
    """
    config, morph = config_of(options), options.morph
    stage = AmpSwap(
        "amp",
        config,
        lambda saved: _fixed(config, morph, saved),
        context=context,
        generation=generation,
        spec=CropSpec(face_type=options.face_type, size=options.resolution),
        batch_size=options.batch_size,
        masks=True,
        extra=f"morph {morph}",
    )
    stage.morph = morph
    return stage


def _fixed(config: NetConfig, morph: float, generation: Generation) -> Any:
    from .net import FixedMorph

    return FixedMorph(_net(config, generation), morph)


def _net(config: NetConfig, generation: Generation) -> Any:
    from mien.training.learning.state import load_weights

    from .net import build_net

    net = build_net(config)
    load_weights(net, generation.weights())
    return net
