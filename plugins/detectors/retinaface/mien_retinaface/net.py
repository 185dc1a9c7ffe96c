# ruff: noqa: TID253 - imported only when a net is built
"""RetinaFace in torch, with the key names of the published checkpoints.

Source: Deng et al. 2020 (RetinaFace), in the layout of Pytorch_Retinaface.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import torch
from torch import Tensor, nn
from torch.nn import functional


class Widths(TypedDict):
    """Channels of a body's maps at 1/8, 1/16 and 1/32, and of neck and heads."""

    taps: tuple[int, int, int]
    channels: int


MOBILENET: Widths = {"taps": (64, 128, 256), "channels": 64}
RESNET50: Widths = {"taps": (512, 1024, 2048), "channels": 256}


@dataclass(frozen=True, slots=True, kw_only=True)
class NetConfig:
    """What differs between published nets of the same layout.

    taps      channels that the body gives at 1/8, 1/16 and 1/32 of the picture
    channels  of neck and heads
    anchors   per cell
    slope     of the activation below zero; 0 is a plain ReLU
    points    whether there is a head for the five points
    """

    taps: tuple[int, int, int] = (64, 128, 256)
    channels: int = 64
    anchors: int = 2
    slope: float = 0.1
    points: bool = True


def conv_bn(
    inputs: int,
    outputs: int,
    *,
    kernel: int = 3,
    stride: int = 1,
    groups: int = 1,
    slope: float | None = None,
) -> list[nn.Module]:
    """Convolution without bias, batch norm, and an activation where `slope` is given."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    if slope is not None:
        layers.append(nn.LeakyReLU(slope) if slope else nn.ReLU())
    return layers


class MobileNetBody(nn.Module):
    """MobileNetV1 at a quarter of its width: maps at 1/8, 1/16, 1/32."""

    def __init__(self, slope: float) -> None:
        super().__init__()

        def unit(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
            depthwise = conv_bn(inputs, inputs, stride=stride, groups=inputs, slope=slope)
            return nn.Sequential(*depthwise, *conv_bn(inputs, outputs, kernel=1, slope=slope))

        self.stage1 = nn.Sequential(
            nn.Sequential(*conv_bn(3, 8, stride=2, slope=slope)),
            unit(8, 16),
            unit(16, 32, 2),
            unit(32, 32),
            unit(32, 64, 2),
            unit(64, 64),
        )
        self.stage2 = nn.Sequential(unit(64, 128, 2), *(unit(128, 128) for _ in range(5)))
        self.stage3 = nn.Sequential(unit(128, 256, 2), unit(256, 256))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Maps at 1/8, 1/16 and 1/32 of the picture."""
        fine = self.stage1(image)
        middle = self.stage2(fine)
        return fine, middle, self.stage3(middle)


class Bottleneck(nn.Module):
    """Residual block with the stride on its 3x3 convolution."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv_bn(inputs, width, kernel=1)
        self.conv2, self.bn2 = conv_bn(width, width, stride=stride)
        self.conv3, self.bn3 = conv_bn(width, 4 * width, kernel=1)
        self.downsample = (
            nn.Sequential(*conv_bn(inputs, 4 * width, kernel=1, stride=stride))
            if stride > 1 or inputs != 4 * width
            else nn.Identity()
        )

    def forward(self, features: Tensor) -> Tensor:
        """Four times `width` channels, at 1/stride of the size."""
        inner = functional.relu(self.bn1(self.conv1(features)))
        inner = functional.relu(self.bn2(self.conv2(inner)))
        return functional.relu(self.bn3(self.conv3(inner)) + self.downsample(features))


class ResNetBody(nn.Module):
    """ResNet-50 without its classifier: maps at 1/8, 1/16, 1/32."""

    def __init__(self) -> None:
        super().__init__()

        def layer(inputs: int, width: int, blocks: int, stride: int) -> nn.Sequential:
            first = Bottleneck(inputs, width, stride)
            return nn.Sequential(
                first, *(Bottleneck(4 * width, width, 1) for _ in range(blocks - 1))
            )

        self.conv1, self.bn1 = conv_bn(3, 64, kernel=7, stride=2)
        self.layer1 = layer(64, 64, 3, 1)
        self.layer2 = layer(256, 128, 4, 2)
        self.layer3 = layer(512, 256, 6, 2)
        self.layer4 = layer(1024, 512, 3, 2)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Maps at 1/8, 1/16 and 1/32 of the picture."""
        stem = functional.relu(self.bn1(self.conv1(image)))
        fine = self.layer2(self.layer1(functional.max_pool2d(stem, 3, 2, 1)))
        middle = self.layer3(fine)
        return fine, middle, self.layer4(middle)


class Pyramid(nn.Module):
    """Feature pyramid: coarse maps are added to the finer ones."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        width, slope = config.channels, config.slope
        self.output1, self.output2, self.output3 = (
            nn.Sequential(*conv_bn(tap, width, kernel=1, slope=slope)) for tap in config.taps
        )
        self.merge1 = nn.Sequential(*conv_bn(width, width, slope=slope))
        self.merge2 = nn.Sequential(*conv_bn(width, width, slope=slope))

    def forward(self, taps: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """The three maps, all `channels` deep."""
        fine, middle, coarse = self.output1(taps[0]), self.output2(taps[1]), self.output3(taps[2])
        middle = self.merge2(middle + functional.interpolate(coarse, size=middle.shape[2:]))
        fine = self.merge1(fine + functional.interpolate(middle, size=fine.shape[2:]))
        return fine, middle, coarse


class FieldBlock(nn.Module):
    """Single-stage headless block (SSH): three fields of view side by side."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        width, slope = config.channels, config.slope
        quarter = width // 4
        self.conv3X3 = nn.Sequential(*conv_bn(width, width // 2))
        self.conv5X5_1 = nn.Sequential(*conv_bn(width, quarter, slope=slope))
        self.conv5X5_2 = nn.Sequential(*conv_bn(quarter, quarter))
        self.conv7X7_2 = nn.Sequential(*conv_bn(quarter, quarter, slope=slope))
        self.conv7x7_3 = nn.Sequential(*conv_bn(quarter, quarter))

    def forward(self, features: Tensor) -> Tensor:
        """A map of the same size and depth."""
        shared = self.conv5X5_1(features)
        wide = self.conv7x7_3(self.conv7X7_2(shared))
        joined = torch.cat([self.conv3X3(features), self.conv5X5_2(shared), wide], dim=1)
        return functional.relu(joined)


class Head(nn.Module):
    """`values` numbers per anchor, from a 1x1 convolution."""

    def __init__(self, config: NetConfig, values: int) -> None:
        super().__init__()
        self.values = values
        self.conv1x1 = nn.Conv2d(config.channels, config.anchors * values, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(N, cells * anchors, values), over row, column and anchor."""
        out: Tensor = self.conv1x1(features).permute(0, 2, 3, 1)
        return out.reshape(out.shape[0], -1, self.values)


class RetinaFace(nn.Module):
    """Faces as offsets from anchors.

    Takes (N, 3, H, W) BGR 0..255 less (104, 117, 123), any H and W.  Gives box offsets (N, K, 4),
    probabilities of nothing and of a face (N, K, 2), point offsets (N, K, 10); the anchors K run
    over level, row, column and size.
    """

    def __init__(self, config: NetConfig, body: nn.Module | None = None) -> None:
        super().__init__()
        self.config = config
        self.body = body if body is not None else MobileNetBody(config.slope)
        self.fpn = Pyramid(config)
        self.ssh1, self.ssh2, self.ssh3 = (FieldBlock(config) for _ in range(3))
        self.ClassHead = nn.ModuleList(Head(config, 2) for _ in range(3))
        self.BboxHead = nn.ModuleList(Head(config, 4) for _ in range(3))
        if config.points:
            self.LandmarkHead = nn.ModuleList(Head(config, 10) for _ in range(3))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Box offsets, probabilities and, where there is a head for them, point offsets."""
        boxes, classes, *points = self.numbers(image)
        return boxes, functional.softmax(classes, dim=-1), *points

    def numbers(self, image: Tensor) -> tuple[Tensor, ...]:
        """The same with classes before the soft-max, as training wants them."""
        fine, middle, coarse = self.fpn(self.body(image))
        features = (self.ssh1(fine), self.ssh2(middle), self.ssh3(coarse))
        kinds = [self.BboxHead, self.ClassHead]
        if self.config.points:
            kinds.append(self.LandmarkHead)
        return tuple(
            torch.cat([head(level) for head, level in zip(heads, features, strict=True)], dim=1)
            for heads in kinds
        )
