"""The source's face on what the encoder sees in the target, with both masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mien.stages import Context
from mien.training.checkpoint import Generation
from mien.training.learning.swap import NetSwap
from mien.types import CropSpec, FaceType

from . import Options
from .config import SIZE, NetConfig


def make_swap(options: Options, context: Context, generation: Path) -> NetSwap:
    """The stage of a saved generation.

    Raises InputError where the generation is damaged or belongs to another net.
    """
    return NetSwap(
        "quick96",
        NetConfig(),
        _net,
        context=context,
        generation=generation,
        spec=CropSpec(face_type=FaceType.FULL, size=SIZE),
        batch_size=options.batch_size,
        masks=True,
    )


def _net(generation: Generation) -> Any:
    from mien.training.learning.state import load_weights

    from .net import build_net

    net = build_net()
    load_weights(net, generation.weights())
    return net
