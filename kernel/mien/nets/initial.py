# ruff: noqa: TID253 - imported only where a net is built
"""Nets with the first weights of DeepFaceLab's, drawn from a generator of one's own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

Net = TypeVar("Net", bound=nn.Module)

# Of layers that are neither convolution nor dense: filter-response norm and thresholded rectifier.
_CONSTANTS = {"weight": 1.0, "bias": 0.0, "eps": 1e-6, "tau": 0.0}


def build(make: Callable[[], Net], generator: torch.Generator | None) -> Net:
    """A net on the CPU with first weights; `make` is called with no memory behind its tensors.

    generator  None leaves the weights unset, for a net that will be loaded
    """
    with torch.device("meta"):  # torch's own initialisers would draw from the global generator
        net = make()
    if next(net.buffers(), None) is not None:
        raise TypeError(f"{type(net).__name__} has buffers, which nobody would fill")
    net.to_empty(device="cpu")
    if generator is not None:
        initialise(net, generator)
    return net


@torch.no_grad()
def initialise(net: nn.Module, generator: torch.Generator) -> None:
    """Glorot-uniform convolutions and dense layers, biases 0; norms as if they were not there.

    generator  lies on the device of the net
    """
    for layer in net.modules():
        drawn = isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear))
        for name, value in layer.named_parameters(recurse=False):
            if drawn and name == "weight":
                bound = math.sqrt(6 / ((value.shape[0] + value.shape[1]) * value[0, 0].numel()))
                value.uniform_(-bound, bound, generator=generator)
            else:
                value.fill_(_CONSTANTS[name])
