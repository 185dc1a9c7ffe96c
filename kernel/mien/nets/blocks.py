# ruff: noqa: TID253 - imported only where a net is built
"""Layers of DeepFaceLab's nets.  Tensors are NCHW; attribute names are those of the weight files.

Two conventions that torch does not share: "same" padding is symmetric, half the kernel on all four
sides whatever the stride; and depth-to-space counts (row, column, channel), where torch's pixel
shuffle counts (channel, row, column).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .convolution import Conv2d

STEP_SLOPE, RES_SLOPE = 0.1, 0.2


class Cosine(nn.Module):
    """x·cos(x)."""

    def forward(self, x: Tensor) -> Tensor:
        """A tensor of the same shape."""
        return x * torch.cos(x)


def activation(slope: float, cosine: bool) -> nn.Module:
    """A leaky rectifier, or x·cos(x), to which a slope means nothing.

    It works in place: it is only used on the result of a convolution, which nothing else needs.
    """
    return Cosine() if cosine else nn.LeakyReLU(slope, inplace=True)


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> Conv2d:
    """A convolution with padding kernel // 2; kernels of even size grow the map by one."""
    return Conv2d(inputs, outputs, kernel, stride, kernel // 2)


class ConvTranspose(nn.ConvTranspose2d):
    """Transposed convolution 3x3 to `stride` times the size, as TensorFlow aligns it."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__(inputs, outputs, 3, stride, padding=1 if stride == 1 else 0)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(N, outputs, stride H, stride W)."""
        grown = super().forward(x, output_size)
        return grown if self.stride[0] == 1 else grown[..., :-1, :-1]


def depth_to_space(x: Tensor) -> Tensor:
    """(N, 4 C, H, W) -> (N, C, 2 H, 2 W): channel (2 dy + dx) C + c goes to pixel (2y+dy, 2x+dx).

    Keeps the memory layout.  Channels last, it moves rows of C numbers, which is faster than a
    pixel shuffle.
    """
    # Plain numbers: an exported graph then asks nothing for its shapes.
    channels, height, width = int(x.shape[1]) // 4, int(x.shape[2]), int(x.shape[3])
    if x.stride(1) == 1:
        parts = x.permute(0, 2, 3, 1).reshape(-1, height, width, 2, 2, channels)
        rows = parts.permute(0, 1, 3, 2, 4, 5).reshape(-1, 2 * height, 2 * width, channels)
        return rows.permute(0, 3, 1, 2)
    parts = x.reshape(-1, 2, 2, channels, height, width).permute(0, 3, 4, 1, 5, 2)
    return parts.reshape(-1, channels, 2 * height, 2 * width)


def pixel_norm(x: Tensor) -> Tensor:
    """Each row (N, L) divided by the root of its mean square."""
    # In float32 also where the rest is float16: the squares would not fit.
    power = x.float().square().mean(dim=-1, keepdim=True)
    return x * torch.rsqrt(power + 1e-6).to(x.dtype)


class Down(nn.Module):
    """Half the size, rounded up."""

    def __init__(self, inputs: int, outputs: int, *, cosine: bool = False) -> None:
        super().__init__()
        self.conv1 = conv(inputs, outputs, 5, 2)
        self.act = activation(STEP_SLOPE, cosine)

    def forward(self, x: Tensor) -> Tensor:
        """(N, outputs, H / 2, W / 2)."""
        out: Tensor = self.act(self.conv1(x))
        return out


class Downs(nn.Module):
    """Four times half the size, each time with twice the channels."""

    def __init__(self, inputs: int, outputs: int, *, cosine: bool = False) -> None:
        super().__init__()
        channels = (inputs, *(outputs << step for step in range(4)))
        self.downs = nn.ModuleList(
            Down(channels[step], channels[step + 1], cosine=cosine) for step in range(4)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, 8 outputs, H / 16, W / 16)."""
        for down in self.downs:
            x = down(x)
        return x


class Up(nn.Module):
    """Twice the size: convolution, activation, then depth to space."""

    def __init__(self, inputs: int, outputs: int, *, cosine: bool = False) -> None:
        super().__init__()
        self.conv1 = conv(inputs, 4 * outputs, 3)
        self.act = activation(STEP_SLOPE, cosine)

    def forward(self, x: Tensor) -> Tensor:
        """(N, outputs, 2 H, 2 W)."""
        return depth_to_space(self.act(self.conv1(x)))


class Res(nn.Module):
    """Two convolutions whose result is added to what they were given."""

    def __init__(self, channels: int, *, cosine: bool = False) -> None:
        super().__init__()
        self.conv1 = conv(channels, channels, 3)
        self.conv2 = conv(channels, channels, 3)
        self.act = activation(RES_SLOPE, cosine)

    def forward(self, x: Tensor) -> Tensor:
        """A map of the same shape."""
        out: Tensor = self.act(x + self.conv2(self.act(self.conv1(x))))
        return out
