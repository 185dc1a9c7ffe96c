"""The source's decoder on what the encoder sees in the target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mien.stages import Context
from mien.training.learning import people_swap
from mien.training.learning.swap import NetSwap

from . import Options
from .config import config_of


def make_swap(options: Options, context: Context, generation: Path) -> NetSwap:
    """The stage of a saved generation.

    Raises InputError where the generation is damaged or belongs to another net.
    """
    config = config_of(options)

    def make() -> Any:
        from .net import make_net

        return make_net(config)

    return people_swap.make_swap(
        "original",
        make,
        config,
        options=options,
        context=context,
        generation=generation,
        size=config.size,
    )
