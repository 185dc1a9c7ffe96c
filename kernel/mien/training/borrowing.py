"""A new model that begins with the weights of another."""
# ruff: noqa: TID253  (only the training loop imports this module)

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from ..errors import InputError
from . import checkpoint

_NAMED = 3


def borrow(net: nn.Module, lender: Path, plugin: str) -> tuple[str, ...]:
    """Give a net the weights of a model's newest generation, as far as names and shapes agree.

    Returns what the user should know.  Raises InputError where there is no such model, it is of
    another plugin, or nothing of it fits.
    """
    card = checkpoint.read_card(lender)
    if card is None:
        raise InputError(f"train.begin_with: '{lender}' holds no model (no model.json)")
    if card.plugin != plugin:
        raise InputError(
            f"train.begin_with: '{lender}' is a model of '{card.plugin}'; only weights of "
            f"'{plugin}' fit this one"
        )
    said: list[str] = []
    generation = checkpoint.take_up(lender, said.append)
    if generation is None:
        raise InputError(f"train.begin_with: '{lender}' holds no whole generation yet")
    theirs, own = generation.weights(), net.state_dict()
    fitting = [n for n in own if n in theirs and theirs[n].shape == own[n].shape]
    if not fitting:
        raise InputError(
            f"train.begin_with: nothing of '{lender}' fits this net; its options are "
            f"{dict(card.options)}"
        )
    with torch.no_grad():
        for name in fitting:
            own[name].copy_(theirs[name])
    said.append(f"begins with the weights of '{lender}', iteration {generation.iteration}")
    left = [name for name in own if name not in fitting]
    if left:
        more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
        said.append(f"its {', '.join(left[:_NAMED])}{more} do not fit, and begin anew")
    return tuple(said)
