# ruff: noqa: TID253 - imported only when weights are exported
"""HRNet-W18 with attention blocks, as faceswap uses it for points.

Four resolutions side by side that exchange what they see.  Attribute names are those of
`hrnet_landmark_v2.pth`.  Source: Wang et al. 2019, and the keys and shapes of that file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

POINTS = 68
WIDTHS = (18, 36, 72, 144)
BLOCKS = 4


def _conv(before: int, after: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False)


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3, 1 x 1, to 256 channels."""

    def __init__(self, before: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv(before, 64, 1), nn.BatchNorm2d(64)
        self.conv2, self.bn2 = _conv(64, 64), nn.BatchNorm2d(64)
        self.conv3, self.bn3 = _conv(64, 256, 1), nn.BatchNorm2d(256)
        self.downsample: nn.Sequential | None = None
        if before != 256:
            self.downsample = nn.Sequential(_conv(before, 256, 1), nn.BatchNorm2d(256))

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) to (N, 256, H, W)."""
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        shortcut = x if self.downsample is None else self.downsample(x)
        return torch.relu(self.bn3(self.conv3(y)) + shortcut)


class Block(nn.Module):
    """Two 3 x 3 convolutions and a shortcut; `attentive` ones weigh their result cell by cell."""

    def __init__(self, width: int, attentive: bool) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv(width, width), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = _conv(width, width), nn.BatchNorm2d(width)
        self.attentive = attentive
        if attentive:
            inner = max(1, width // 4)
            self.att1 = nn.Sequential(_conv(width, inner, 1), nn.BatchNorm2d(inner), nn.ReLU())
            self.att2, self.att_bn1 = _conv(inner, inner), nn.BatchNorm2d(inner)
            self.att3, self.att_bn2 = _conv(inner, width, 1), nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        if self.attentive:
            gate = torch.relu(self.att_bn1(self.att2(self.att1(y))))
            y = y * torch.sigmoid(self.att_bn2(self.att3(gate)))
        return torch.relu(y + x)


class Module(nn.Module):
    """Some blocks in each of the first `count` resolutions, then an exchange between all."""

    def __init__(self, count: int, attentive: bool) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(Block(width, attentive) for _ in range(BLOCKS)))
            for width in WIDTHS[:count]
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_exchange(source, target) for source in range(count))
            for target in range(count)
        )

    def forward(self, x: Sequence[Tensor]) -> list[Tensor]:
        """One map per resolution, finest first, to the same."""
        seen = [branch(each) for branch, each in zip(self.branches, x, strict=True)]
        return [
            torch.relu(_sum_at(cast("nn.ModuleList", row), seen, target))
            for target, row in enumerate(self.fuse_layers)
        ]


class HrNet(nn.Module):
    """(N, 3, 256, 256) RGB 0..1 to heat maps (N, 68, 64, 64).

    The means and deviations of ImageNet are taken out here, so that all nets of the plugin are fed
    alike.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv(3, 64, stride=2), nn.BatchNorm2d(64)
        self.conv2, self.bn2 = _conv(64, 64, stride=2), nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(Bottleneck(64), *(Bottleneck(256) for _ in range(3)))
        self.transition1 = nn.ModuleList(
            [_to_width(256, WIDTHS[0]), nn.Sequential(_to_width(256, WIDTHS[1], 2))]
        )
        self.stage2 = nn.Sequential(Module(2, attentive=False))
        self.transition2 = _transition(2)
        self.stage3 = nn.Sequential(*(Module(3, attentive=True) for _ in range(4)))
        self.transition3 = _transition(3)
        self.stage4 = nn.Sequential(*(Module(4, attentive=True) for _ in range(3)))
        total = sum(WIDTHS)
        self.head = nn.Sequential(
            nn.Conv2d(total, total, 1),
            nn.BatchNorm2d(total),
            nn.ReLU(),
            nn.Conv2d(total, POINTS, 1),
        )
        mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        self.register_buffer("mean", mean.view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", deviation.view(3, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """The heat maps."""
        x = (image - self.mean) / self.deviation
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.layer1(torch.relu(self.bn2(self.conv2(x))))
        seen: list[Tensor] = self.stage2([each(x) for each in self.transition1])
        seen = self.stage3([*seen, self.transition2[2](seen[-1])])
        seen = self.stage4([*seen, self.transition3[3](seen[-1])])
        size = seen[0].shape[-2:]
        maps: Tensor = self.head(torch.cat([_bilinear(each, size) for each in seen], dim=1))
        return maps


def _to_width(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(_conv(before, after, stride=stride), nn.BatchNorm2d(after), nn.ReLU())


def _transition(count: int) -> nn.ModuleList:
    """A new resolution behind `count` others, which stay as they are."""
    new = nn.Sequential(_to_width(WIDTHS[count - 1], WIDTHS[count], 2))
    return nn.ModuleList([*(nn.Identity() for _ in range(count)), new])


def _exchange(source: int, target: int) -> nn.Module:
    """What makes one resolution's map fit another's channels, and its size when that is smaller."""
    if source == target:
        return nn.Identity()
    before, after = WIDTHS[source], WIDTHS[target]
    if source > target:
        return nn.Sequential(_conv(before, after, 1), nn.BatchNorm2d(after))
    halvings = [_to_width(before, before, 2) for _ in range(target - source - 1)]
    last = nn.Sequential(_conv(before, after, stride=2), nn.BatchNorm2d(after))
    return nn.Sequential(*halvings, last)


def _sum_at(row: nn.ModuleList, seen: Sequence[Tensor], target: int) -> Tensor:
    size = seen[target].shape[-2:]
    total = seen[target]
    for source, (layer, each) in enumerate(zip(row, seen, strict=True)):
        if source < target:
            total = total + layer(each)
        elif source > target:
            total = total + _bilinear(layer(each), size)
    return total


def _bilinear(x: Tensor, size: Sequence[int]) -> Tensor:
    return nn.functional.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)
