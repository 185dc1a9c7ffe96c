# ruff: noqa: TID253 - imported only where a net is built
"""First weights of faceswap's nets, drawn from a generator of one's own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from .fsblocks import BatchNorm, Dense, Init, InstanceNorm, SameConv, Upscale

Net = TypeVar("Net", bound=nn.Module)

_NOISE = 0.05
"""Deviation of what is added to the basis of a convolution-aware kernel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """How first weights are drawn beside what each layer asks for.

    even   the pixels that a shuffle makes of one begin alike ("ICNR"), against chequered faces
    aware  the spectra of all convolutions begin orthogonal; takes minutes for a large net
    """

    even: bool = False
    aware: bool = False


def build(
    make: Callable[[], Net], generator: torch.Generator | None, drawing: Drawing | None = None
) -> Net:
    """A net on the CPU with first weights; `make` is called with no memory behind its tensors.

    generator  None leaves weights unset, for a net that will be loaded
    """
    with torch.device("meta"):  # torch's own initialisers would draw from the global generator
        net = make()
    net.to_empty(device="cpu")
    if generator is not None:
        initialise(net, generator, drawing or Drawing())
    return net


@torch.no_grad()
def initialise(net: nn.Module, generator: torch.Generator, drawing: Drawing) -> None:
    """Every layer's first weights; biases 0, norms as if they were not there."""
    ratios = dict(_shuffled(net)) if drawing.even else {}
    for layer in net.modules():
        if isinstance(layer, (SameConv, Dense)):
            ratio = ratios.get(layer, 1)
            filters = layer.weight[:: ratio**2]
            if drawing.aware and isinstance(layer, SameConv):
                filters = _aware(filters, generator)
            else:
                filters = _drawn(filters, layer.init, generator)
            layer.weight.copy_(filters.repeat_interleave(ratio**2, 0))
            if layer.bias is not None:
                layer.bias.zero_()
        elif isinstance(layer, (InstanceNorm, BatchNorm)):
            layer.scale.fill_(1)
            layer.shift.zero_()
            if isinstance(layer, BatchNorm):
                layer.mean.zero_()
                layer.power.fill_(1)


def _shuffled(net: nn.Module) -> Iterator[tuple[nn.Module, int]]:
    """Convolutions before a shuffle, with its ratio."""
    for layer in net.modules():
        if isinstance(layer, Upscale):
            yield layer.conv, layer.ratio


def _drawn(weight: Tensor, init: Init, generator: torch.Generator) -> Tensor:
    """Weights of a layer's shape, in its own distribution."""
    drawn = torch.empty(weight.shape)
    if init == "normal":
        return drawn.normal_(0, 0.02, generator=generator)
    seen, made = weight[0].numel(), weight.shape[0] * weight[0, 0].numel()
    powers = {"he": 6 / seen, "glorot": 6 / (seen + made), "scaled": 3 * 0.2 / seen}
    bound = math.sqrt(powers[init])
    return drawn.uniform_(-bound, bound, generator=generator)


def _aware(weight: Tensor, generator: torch.Generator) -> Tensor:
    """Kernels (O, I, H, W) whose spectra are orthogonal to each other, of variance 2 / fan-in.

    Source: Aghajanyan 2017, "Convolution Aware Initialization", section 2.
    """
    outputs, inputs, height, width = weight.shape
    place = (height, width // 2 + 1)
    size = place[0] * place[1]
    if size == 1:
        basis = torch.empty(outputs, inputs, 1, 1).normal_(0, _NOISE, generator=generator)
    else:
        count = -(-inputs // size)
        rough = torch.randn(outputs * count, size, size, generator=generator)
        whole = rough.triu() + rough.triu(1).mT
        vectors = torch.linalg.eigh(whole).eigenvectors.mT
        spectra = vectors.reshape(outputs, count * size, *place)[:, :inputs]
        basis = torch.fft.irfft2(spectra, s=(height, width))
    noise = torch.empty(weight.shape).normal_(0, _NOISE, generator=generator)
    kernel = basis + noise
    found: Tensor = kernel * math.sqrt(2 / weight[0].numel()) / kernel.std(correction=0)
    return found
