"""The nets: a shared encoder, a decoder for each person.  # (N, 3, S, S) -> (N, 3, S, S), 0..1

Written from a description of faceswap's "Original" model.  Tensors are NCHW, and the pixel
shuffle takes torch's channel order; theirs is channels last and `files` translates.
"""
# ruff: noqa: TID253  (only the trainer and the export import this module)

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from .config import NetConfig

SLOPE = 0.1


class SameConv(nn.Conv2d):
    """Convolution whose padding follows the TensorFlow rule, as the original's weights expect.

    With kernel 5 and stride 2 that is one pixel before and two after; torch's own would be two
    and two, and see everything one pixel off.
    """

    def forward(self, values: Tensor) -> Tensor:
        """Convolve, at 1/stride of the size."""
        total = self.kernel_size[0] - self.stride[0]
        if total % 2 == 0:
            return nnf.conv2d(values, self.weight, self.bias, self.stride, total // 2)
        before, after = total // 2, total - total // 2
        padded = nnf.pad(values, (before, after, before, after))
        return nnf.conv2d(padded, self.weight, self.bias, self.stride)


class Upscale(nn.Module):
    """Twice the size: convolution, then activation, then the pixel shuffle."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = SameConv(inputs, outputs * 4, 3)

    def forward(self, values: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, outputs, 2H, 2W)."""
        return nnf.pixel_shuffle(nnf.leaky_relu(self.conv(values), SLOPE), 2)


class Encoder(nn.Module):
    """What is common to both people: pose, expression, light."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        channels = (3, *config.convs)
        self.convs = nn.ModuleList(
            SameConv(before, after, 5, 2) for before, after in pairwise(channels)
        )
        seen = config.size >> len(config.convs)
        self._code = (config.code, config.size // 16, config.size // 16)
        self.squeeze = nn.Linear(config.convs[-1] * seen * seen, config.dense)
        self.spread = nn.Linear(config.dense, math.prod(self._code))
        self.upscale = Upscale(config.code, config.code // 2)

    def forward(self, face: Tensor) -> Tensor:
        """(N, 3, S, S), 0..1 -> (N, code / 2, S/8, S/8)."""
        values = face
        for conv in self.convs:
            values = nnf.leaky_relu(conv(values), SLOPE)
        code = self.spread(self.squeeze(values.flatten(1)))
        made: Tensor = self.upscale(code.view(-1, *self._code))
        return made


class Branch(nn.Module):
    """Three times twice the size, then a picture of `outputs` channels, 0..1."""

    def __init__(self, config: NetConfig, outputs: int) -> None:
        super().__init__()
        channels = (config.code // 2, *config.decoder)
        self.upscales = nn.ModuleList(
            Upscale(before, after) for before, after in pairwise(channels)
        )
        self.out = SameConv(channels[-1], outputs, 5)

    def forward(self, code: Tensor) -> Tensor:
        """(N, code / 2, S/8, S/8) -> (N, outputs, S, S), 0..1."""
        values = code
        for upscale in self.upscales:
            values = upscale(values)
        return torch.sigmoid(self.out(values).float())


class Decoder(nn.Module):
    """One person: a face, and where it is if masks are learned."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.face = Branch(config, 3)
        self.mask = Branch(config, 1) if config.learn_mask else None

    def forward(self, code: Tensor) -> tuple[Tensor, Tensor | None]:
        """The face (N, 3, S, S), and the mask (N, 1, S, S) or None."""
        return self.face(code), None if self.mask is None else self.mask(code)


class Original(nn.Module):
    """Both people: `source` is the face that is put in, `target` the one that receives it."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.source = Decoder(config)
        self.target = Decoder(config)


class SwapNet(nn.Module):
    """What a swap runs: target face -> source face and, if learned, the masks of both."""

    def __init__(self, net: Original) -> None:
        super().__init__()
        self.encoder, self.source, self.mask = net.encoder, net.source, net.target.mask

    def forward(self, face: Tensor) -> tuple[Tensor, ...]:
        """(N, 3, S, S) -> the new face, then the masks of the new face and of the old one."""
        code = self.encoder(face)
        image, mask = self.source(code)
        return (image,) if mask is None or self.mask is None else (image, mask, self.mask(code))


def build(config: NetConfig, generator: torch.Generator | None = None) -> Original:
    """A net on the CPU: He-uniform convolutions, Glorot-uniform dense layers, biases 0.

    generator  None leaves the weights unset, for one that will be loaded
    """
    with torch.device("meta"):  # torch's own initialisers would draw from the global generator
        net = Original(config)
    net.to_empty(device="cpu")
    if generator is not None:
        for module in net.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                _initialise(module, generator)
    return net


def _initialise(module: nn.Conv2d | nn.Linear, generator: torch.Generator) -> None:
    outputs, fan_in = module.weight.shape[0], module.weight[0].numel()
    fan = fan_in if isinstance(module, nn.Conv2d) else fan_in + outputs
    bound = math.sqrt(6 / fan)
    with torch.no_grad():
        module.weight.uniform_(-bound, bound, generator=generator)
        if module.bias is not None:
            module.bias.zero_()
