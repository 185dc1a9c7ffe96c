"""The source's decoder on what the encoder sees in the target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mien.stages import Context
from mien.training.checkpoint import Generation
from mien.training.swap import NetSwap
from mien.types import CropSpec

from . import Options
from .config import NetConfig, config_of


def make_swap(options: Options, context: Context, generation: Path) -> NetSwap:
    """The stage of a saved generation.

    Raises InputError where the generation is damaged or belongs to another net.
    """
    config = config_of(options)
    return NetSwap(
        "original",
        config,
        lambda saved: _net(config, saved),
        context=context,
        generation=generation,
        spec=CropSpec(face_type=options.face_type, size=options.size),
        batch_size=options.batch_size,
        masks=options.learn_mask,
    )


def _net(config: NetConfig, generation: Generation) -> Any:
    from mien.training.state import load_weights

    from .net import SwapNet, build

    net = build(config)
    load_weights(net, generation.weights())
    return SwapNet(net)
