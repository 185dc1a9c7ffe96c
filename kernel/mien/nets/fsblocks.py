# ruff: noqa: TID253 - imported only where a net is built
"""Layers of faceswap's nets, NCHW.

Three conventions that torch does not share: "same" padding puts the odd pixel behind; leaky
rectifiers have a slope of 0.1 inside blocks and 0.2 around residual ones; and the activation of an
upscale comes before the pixel shuffle.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from .convolution import conv2d

SLOPE, RES_SLOPE = 0.1, 0.2

Init = Literal["he", "glorot", "normal", "scaled"]
"""First weights: He-uniform, Glorot-uniform, normal with deviation 0.02, or small uniform ones."""


class SameConv(nn.Conv2d):
    """Convolution whose padding follows the TensorFlow rule, as the originals' weights expect.

    With kernel 5 and stride 2 that is one pixel before and two after; torch's own would be two
    and two, and see everything one pixel off.  Beyond the edge all is 0, or the map mirrored.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        *,
        groups: int = 1,
        bias: bool = True,
        init: Init = "he",
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=bias)
        self.init: Init = init
        self.mirrors = False

    def forward(self, x: Tensor) -> Tensor:
        """Convolve, at 1/stride of the size."""
        total = self.kernel_size[0] - self.stride[0]
        before, after = total // 2, total - total // 2
        if before != after or self.mirrors:
            x = nnf.pad(x, (before, after) * 2, "reflect" if self.mirrors else "constant")
            before = 0
        if self.groups > 1:
            return nnf.conv2d(x, self.weight, self.bias, self.stride, before, groups=self.groups)
        return conv2d(x, self.weight, self.bias, self.stride[0], before)


class Dense(nn.Linear):
    """(N, inputs) -> (N, outputs), with no activation."""

    def __init__(self, inputs: int, outputs: int, *, init: Init = "glorot") -> None:
        super().__init__(inputs, outputs)
        self.init: Init = init


class Down(SameConv):
    """Half the size: a 5x5 convolution, then perhaps a norm, then a leaky rectifier."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        slope: float | None = SLOPE,
        norm: bool = False,
        init: Init = "he",
    ) -> None:
        """slope  None leaves the rectifier out"""
        super().__init__(inputs, outputs, 5, 2, init=init)
        self.slope = slope
        self.norm = InstanceNorm() if norm else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, outputs, H / 2, W / 2)."""
        x = super().forward(x)
        if self.norm is not None:
            x = self.norm(x)
        return x if self.slope is None else nnf.leaky_relu(x, self.slope)


class PooledDown(nn.Module):
    """Half the size, the picture itself passed on beside what a convolution makes of it."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.down = Down(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, outputs + inputs, H / 2, W / 2)."""
        return torch.cat((self.down(x), nnf.leaky_relu(nnf.avg_pool2d(x, 2), SLOPE)), 1)


class SeparableDown(nn.Module):
    """Half the size: each channel by itself, then all together, then a rectifier."""

    def __init__(self, inputs: int, outputs: int, *, init: Init = "he") -> None:
        super().__init__()
        self.depthwise = SameConv(inputs, inputs, 5, 2, groups=inputs, bias=False, init=init)
        self.pointwise = SameConv(inputs, outputs, 1, init=init)

    def forward(self, x: Tensor) -> Tensor:
        """(N, outputs, H / 2, W / 2)."""
        return nnf.relu(self.pointwise(self.depthwise(x)))


class Upscale(nn.Module):
    """`ratio` times the size: convolution, then activation, then the pixel shuffle."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        kernel: int = 3,
        ratio: int = 2,
        active: bool = True,
        init: Init = "he",
    ) -> None:
        super().__init__()
        self.conv = SameConv(inputs, outputs * ratio**2, kernel, init=init)
        self.ratio, self.active = ratio, active

    @property
    def outputs(self) -> int:
        """Channels of the result."""
        return self.conv.out_channels // self.ratio**2

    def forward(self, x: Tensor) -> Tensor:
        """(N, outputs, ratio H, ratio W)."""
        x = self.conv(x)
        return nnf.pixel_shuffle(nnf.leaky_relu(x, SLOPE) if self.active else x, self.ratio)


class MixedUpscale(nn.Module):
    """`ratio` times the size in two ways: by a pixel shuffle, and by drawing a map larger.

    summed  both make all the channels and are added ("fast"); else each makes half ("hybrid")
    """

    def __init__(
        self, inputs: int, outputs: int, *, ratio: int = 2, active: bool = True, summed: bool
    ) -> None:
        super().__init__()
        smooth = outputs if summed else outputs // 2
        shuffled = outputs if summed else outputs - smooth
        self.shuffled = Upscale(inputs, shuffled, ratio=ratio, active=active)
        self.smooth = SameConv(inputs, shuffled, 3)
        self.ratio, self.summed, self.outputs = ratio, summed, outputs

    def forward(self, x: Tensor) -> Tensor:
        """(N, outputs, ratio H, ratio W)."""
        sharp, large = self.shuffled(x), enlarged(self.smooth(x), self.ratio)
        return large + sharp if self.summed else torch.cat((sharp, large), 1)


class Residual(nn.Module):
    """Two convolutions whose result is added to what they were given."""

    def __init__(self, channels: int, *, bias: bool = True, init: Init = "he") -> None:
        super().__init__()
        self.conv1 = SameConv(channels, channels, 3, bias=bias, init=init)
        self.conv2 = SameConv(channels, channels, 3, bias=bias, init="scaled")

    def forward(self, x: Tensor) -> Tensor:
        """A map of the same shape."""
        made = self.conv2(nnf.leaky_relu(self.conv1(x), RES_SLOPE))
        return nnf.leaky_relu(x + made, RES_SLOPE)


class Enlarged(nn.Module):
    """`ratio` times the size, bilinear."""

    def __init__(self, ratio: int) -> None:
        super().__init__()
        self.ratio = ratio

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, ratio H, ratio W)."""
        return enlarged(x, self.ratio)


class Shuffle(nn.Module):
    """Twice the size from a fourth of the channels."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C / 4, 2 H, 2 W)."""
        return nnf.pixel_shuffle(x, 2)


class Spread(nn.Module):
    """A code (N, C·side·side) as a map (N, C, side, side)."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.channels, self.side = channels, side

    def forward(self, x: Tensor) -> Tensor:
        """The map."""
        return x.view(-1, self.channels, self.side, self.side)


class Picture(SameConv):
    """The last layer: a picture or a mask, 0..1, in float32."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 5)

    def forward(self, x: Tensor) -> Tensor:
        """(N, outputs, H, W)."""
        return torch.sigmoid(super().forward(x).float())


class InstanceNorm(nn.Module):
    """Mean 0 and deviation 1 over all of a sample, channels too, then one scale and one shift."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.ones(1)), nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """A map of the same shape."""
        mean = x.mean((1, 2, 3), keepdim=True)
        spread = x.var((1, 2, 3), correction=0, keepdim=True).sqrt()
        return (x - mean) / (spread + 1e-3) * self.scale + self.shift


class BatchNorm(nn.Module):
    """Mean 0 and deviation 1 per channel over a batch; over all that were learned, in a swap.

    Unlike torch's it keeps the deviation of the batch itself, not an estimate from it, and counts
    no batches.
    """

    mean: Tensor
    power: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels))
        self.shift = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("power", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """A map of the same shape."""
        mean, power = self.mean, self.power
        if self.training:
            seen = x.float()
            mean, power = seen.mean((0, 2, 3)), seen.var((0, 2, 3), correction=0)
            with torch.no_grad():
                self.mean.lerp_(mean, 0.01)
                self.power.lerp_(power, 0.01)
        gain = self.scale * torch.rsqrt(power + 1e-3)
        return x * gain[:, None, None] + (self.shift - mean * gain)[:, None, None]


class Dropout(nn.Module):
    """Some channels at 0 while it learns, the others stronger.

    It draws nothing: the trainer gives `noise` (at least N, channels), uniform 0..1, before every
    step, so that a training which was interrupted goes on as if it had not been.
    """

    def __init__(self, channels: int, share: float) -> None:
        super().__init__()
        self.channels, self.share = channels, share
        self.noise: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels), or (N, channels, H, W)."""
        if not self.training or self.noise is None:
            return x
        kept = (self.noise[: len(x)] >= self.share).to(x.dtype) / (1 - self.share)
        return x * kept.view(*kept.shape, *(1,) * (x.dim() - 2))


def enlarged(x: Tensor, ratio: int) -> Tensor:
    """(N, C, ratio H, ratio W), bilinear; pixels are squares, their centres stay."""
    return nnf.interpolate(x, scale_factor=float(ratio), mode="bilinear", align_corners=False)


def sequence(*parts: nn.Module | None) -> nn.Sequential:
    """The parts one after the other; None is left out."""
    kept: list[Any] = [part for part in parts if part is not None]
    return nn.Sequential(*kept)
