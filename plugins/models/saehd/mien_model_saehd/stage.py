"""The source's face on what the encoder sees in the target, with both masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mien.stages import Context
from mien.training.checkpoint import Generation
from mien.training.learning.swap import NetSwap
from mien.types import CropSpec

from . import Options
from .config import NetConfig, config_of


def make_swap(options: Options, context: Context, generation: Path) -> NetSwap:
    """The stage of a saved generation.

    Raises InputError where the generation is damaged or belongs to another net.
    """
    config = config_of(options)
    return NetSwap(
        "saehd",
        config,
        lambda saved: _net(config, saved),
        context=context,
        generation=generation,
        spec=CropSpec(face_type=options.face_type, size=options.resolution),
        batch_size=options.batch_size,
        masks=True,
    )


def _net(config: NetConfig, generation: Generation) -> Any:
    from mien.training.learning.state import load_weights

    from .net import build_net

    net = build_net(config)
    load_weights(net, generation.weights())
    return net
