# ruff: noqa: TID253 - imported only when weights are exported
"""FAN: stacked hourglasses that draw one heat map per point.

Attribute names are those of face-alignment's files.  Source: Bulat and Tzimiropoulos 2017, and the
keys and shapes of `2DFAN4-11f355bf06.pth.tar`.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

POINTS = 68
CHANNELS = 256
DEPTH = 4


class ConvBlock(nn.Module):
    """Three 3 x 3 convolutions, each fed by the one before, side by side; and a shortcut."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        half, quarter = after // 2, after // 4
        self.bn1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, half, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(half)
        self.conv2 = nn.Conv2d(half, quarter, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(quarter)
        self.conv3 = nn.Conv2d(quarter, quarter, 3, padding=1, bias=False)
        self.downsample: nn.Sequential | None = None
        if before != after:
            self.downsample = nn.Sequential(
                nn.BatchNorm2d(before), nn.ReLU(), nn.Conv2d(before, after, 1, bias=False)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) to (N, after, H, W)."""
        first = self.conv1(torch.relu(self.bn1(x)))
        second = self.conv2(torch.relu(self.bn2(first)))
        third = self.conv3(torch.relu(self.bn3(second)))
        shortcut = x if self.downsample is None else self.downsample(x)
        return torch.cat([first, second, third], dim=1) + shortcut


class HourGlass(nn.Module):
    """Looks at four halved sizes and adds them up; sides must be multiples of 16."""

    def __init__(self) -> None:
        super().__init__()
        for level in range(DEPTH, 0, -1):
            for name in ("b1", "b2", "b3"):
                self.add_module(f"{name}_{level}", ConvBlock(CHANNELS, CHANNELS))
        self.add_module("b2_plus_1", ConvBlock(CHANNELS, CHANNELS))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 256, H, W) to the same."""
        return self._level(DEPTH, x)

    def _level(self, level: int, x: Tensor) -> Tensor:
        low = self._block(f"b2_{level}", nn.functional.avg_pool2d(x, 2))
        low = self._level(level - 1, low) if level > 1 else self._block("b2_plus_1", low)
        low = self._block(f"b3_{level}", low)
        up = nn.functional.interpolate(low, scale_factor=2.0, mode="nearest")
        return self._block(f"b1_{level}", x) + up

    def _block(self, name: str, x: Tensor) -> Tensor:
        return cast("Tensor", self.get_submodule(name)(x))


class Fan(nn.Module):
    """(N, 3, 256, 256) RGB 0..1 to heat maps (N, 68, 64, 64), without a final activation.

    stacks  how many hourglasses there are weights for, 1 to 4
    used    how many of them look at the picture; the last one's maps are the answer
    """

    def __init__(self, stacks: int = 4) -> None:
        super().__init__()
        self.stacks = self.used = stacks
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3)
        self.bn1 = nn.BatchNorm2d(64)
        self.conv2 = ConvBlock(64, 128)
        self.conv3 = ConvBlock(128, 128)
        self.conv4 = ConvBlock(128, CHANNELS)
        for k in range(stacks):
            self.add_module(f"m{k}", HourGlass())
            self.add_module(f"top_m_{k}", ConvBlock(CHANNELS, CHANNELS))
            self.add_module(f"conv_last{k}", nn.Conv2d(CHANNELS, CHANNELS, 1))
            self.add_module(f"bn_end{k}", nn.BatchNorm2d(CHANNELS))
            self.add_module(f"l{k}", nn.Conv2d(CHANNELS, POINTS, 1))
            if k < stacks - 1:
                self.add_module(f"bl{k}", nn.Conv2d(CHANNELS, CHANNELS, 1))
                self.add_module(f"al{k}", nn.Conv2d(POINTS, CHANNELS, 1))

    def forward(self, image: Tensor) -> Tensor:
        """The maps of the last stack that is used."""
        return self.all_maps(image)[-1]

    def all_maps(self, image: Tensor) -> list[Tensor]:
        """The maps of every stack that is used, in order."""
        x = torch.relu(self.bn1(self.conv1(image)))
        x = nn.functional.avg_pool2d(self.conv2(x), 2)
        seen = self.conv4(self.conv3(x))
        maps: list[Tensor] = []
        for k in range(self.used):
            high = self._run(f"top_m_{k}", self._run(f"m{k}", seen))
            high = torch.relu(self._run(f"bn_end{k}", self._run(f"conv_last{k}", high)))
            maps.append(self._run(f"l{k}", high))
            if k < self.used - 1:
                seen = seen + self._run(f"bl{k}", high) + self._run(f"al{k}", maps[-1])
        return maps

    def _run(self, name: str, x: Tensor) -> Tensor:
        return cast("Tensor", self.get_submodule(name)(x))
