"""Nets and optimisers as named tensors, and back: what every trainer's `state` and `load` need."""
# ruff: noqa: TID253  (only trainers import this module)

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ...errors import InputError

_SHOWN = 3


def load_weights(net: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy the weights into the net.

    Raises InputError, naming the first few, where names or shapes are not the net's own.
    """
    own = net.state_dict()
    wrong = [f"{name} is missing" for name in own if name not in weights]
    wrong += [f"{name} is unknown" for name in weights if name not in own]
    wrong += [
        f"{name} is {tuple(weights[name].shape)}, must be {tuple(value.shape)}"
        for name, value in own.items()
        if name in weights and weights[name].shape != value.shape
    ]
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise InputError(f"the weights belong to another net: {', '.join(wrong[:_SHOWN])}{more}")
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(weights[name])


def save_slots(
    optimizer: torch.optim.Optimizer, net: nn.Module, prefix: str = ""
) -> dict[str, Tensor]:
    """The optimizer's tensors, named `parameter/key`; empty before the first step.

    prefix  stands before every name, so that several optimizers fit into one file
    """
    names: dict[Tensor, str] = {value: name for name, value in net.named_parameters()}
    return {
        f"{prefix}{names[parameter]}/{key}": value.detach()
        for parameter, values in optimizer.state.items()
        for key, value in values.items()
        if isinstance(value, Tensor)
    }


def load_slots(
    optimizer: torch.optim.Optimizer,
    net: nn.Module,
    tensors: Mapping[str, Tensor],
    prefix: str = "",
) -> None:
    """Give the optimizer its tensors back; its learning rate and the like stay as they are.

    Raises InputError where a tensor does not fit its parameter.
    """
    optimizer.state.clear()
    parameters = dict(net.named_parameters())
    for full, value in tensors.items():
        if "/" not in full or not full.startswith(prefix):
            continue
        owner, _, key = full.removeprefix(prefix).rpartition("/")
        parameter = parameters.get(owner)
        if parameter is None or value.shape not in (parameter.shape, torch.Size([])):
            raise InputError(f"the optimizer's '{full}' belongs to another net")
        optimizer.state[parameter][key] = value.clone().to(parameter.device)
