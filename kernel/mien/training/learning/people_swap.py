"""The swap of a model of two people: the source's decoder on what it sees of the target."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...stages import Context
from ...types import CropSpec
from ..checkpoint import Generation
from .people_options import PeopleOptions
from .swap import NetSwap


def make_swap(
    name: str,
    make: Callable[[], Any],
    config: Any,
    *,
    options: PeopleOptions,
    context: Context,
    generation: Path,
    size: int,
    seen: int | None = None,
) -> NetSwap:
    """The stage of a saved generation.

    name, config  the model's;  make  the net (a PeopleNet), without weights
    size  of the crops and of what it makes of them;  seen  of what it looks at, where that is
    smaller: crops are made smaller in the net, as they were while it learned
    Raises InputError where the generation is damaged or belongs to another net.
    """

    def net(saved: Generation) -> Any:
        from ...nets.fsinitial import build
        from ...nets.fsnets import SwapNet, mirror_edges
        from .state import load_weights

        whole = build(make, None)
        load_weights(whole, saved.weights())
        if options.reflect_padding:
            mirror_edges(whole)
        return SwapNet(whole, size, seen or size)

    return NetSwap(
        name,
        config,
        net,
        context=context,
        generation=generation,
        spec=CropSpec(face_type=options.face_type, size=size),
        batch_size=options.batch_size,
        masks=options.learn_mask,
        extra="mirrored edges" if options.reflect_padding else "",
    )
