# ruff: noqa: TID253 - imported only when a net is built
"""BiSeNet for faces in torch, with the key names of the published checkpoints.

Source: Yu et al. 2018 (BiSeNet), in the layout of face-parsing.PyTorch, whose spatial path is the
finest map of the body.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True, kw_only=True)
class NetConfig:
    """What differs between nets of this layout.

    classes  that the net tells apart
    blocks   of the body's four layers: (2, 2, 2, 2) is ResNet-18, (3, 4, 6, 3) is ResNet-34
    widths   channels of the body's four layers
    neck     channels of the context path;  fuse  of the joined map;  aux  of the two side heads
    fine     joins at 1/4 of the picture, one level finer than the published nets
    """

    classes: int = 19
    blocks: tuple[int, int, int, int] = (2, 2, 2, 2)
    widths: tuple[int, int, int, int] = (64, 128, 256, 512)
    neck: int = 128
    fuse: int = 256
    aux: int = 64
    fine: bool = False


# The net of the weights that come with the package: some 12 ms of one core for a crop of 256 px.
SMALL = NetConfig(classes=7, widths=(16, 40, 96, 192), neck=32, fuse=40, aux=32, fine=True)


class ConvBNReLU(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, features: Tensor) -> Tensor:
        """A map of the same size."""
        return functional.relu(self.bn(self.conv(features)))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(outputs))

    def forward(self, features: Tensor) -> Tensor:
        """A map `stride` times smaller."""
        inner = functional.relu(self.bn1(self.conv1(features)))
        shortcut = features if self.downsample is None else self.downsample(features)
        return functional.relu(shortcut + self.bn2(self.conv2(inner)))


class ResNet(nn.Module):
    """The body: maps at 1/4, 1/8, 1/16 and 1/32 of the picture."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        first, second, third, fourth = config.widths
        self.conv1 = nn.Conv2d(3, first, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(first)

        def layer(inputs: int, outputs: int, count: int, stride: int) -> nn.Sequential:
            rest = (BasicBlock(outputs, outputs, 1) for _ in range(count - 1))
            return nn.Sequential(BasicBlock(inputs, outputs, stride), *rest)

        self.layer1 = layer(first, first, config.blocks[0], 1)
        self.layer2 = layer(first, second, config.blocks[1], 2)
        self.layer3 = layer(second, third, config.blocks[2], 2)
        self.layer4 = layer(third, fourth, config.blocks[3], 2)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Maps at 1/4, 1/8, 1/16 and 1/32."""
        stem = functional.relu(self.bn1(self.conv1(image)))
        quarter = self.layer1(functional.max_pool2d(stem, 3, 2, 1))
        eighth = self.layer2(quarter)
        sixteenth = self.layer3(eighth)
        return quarter, eighth, sixteenth, self.layer4(sixteenth)


class Attention(nn.Module):
    """Attention refinement: a map weighted by what its global mean says."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = ConvBNReLU(inputs, outputs)
        self.conv_atten = nn.Conv2d(outputs, outputs, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(outputs)

    def forward(self, features: Tensor) -> Tensor:
        """A map of the same size, `outputs` deep."""
        out: Tensor = self.conv(features)
        weights = torch.sigmoid(self.bn_atten(self.conv_atten(out.mean((2, 3), keepdim=True))))
        return out * weights


class ContextPath(nn.Module):
    """The body, and its coarse maps brought back to finer ones."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        _, eighth, sixteenth, last = config.widths
        neck = config.neck
        self.resnet = ResNet(config)
        self.arm16, self.arm32 = Attention(sixteenth, neck), Attention(last, neck)
        self.conv_head32, self.conv_head16 = ConvBNReLU(neck, neck), ConvBNReLU(neck, neck)
        self.conv_avg = ConvBNReLU(last, neck, 1)
        self.fine = config.fine
        if config.fine:
            self.arm8, self.conv_head8 = Attention(eighth, neck), ConvBNReLU(neck, neck)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The finest map of the body, the context at its size, and the side heads' two maps."""
        f4, f8, f16, f32 = self.resnet(image)
        mean = self.conv_avg(f32.mean((2, 3), keepdim=True))
        u32 = self.conv_head32(nearest(self.arm32(f32) + mean, f16))
        u16 = self.conv_head16(nearest(self.arm16(f16) + u32, f8))
        if not self.fine:
            return f8, u16, u16, u32
        u8 = self.conv_head8(nearest(self.arm8(f8) + u16, f4))
        return f4, u8, u16, u32


class Fusion(nn.Module):
    """Feature fusion: spatial and context path joined, weighted by their global mean."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convblk = ConvBNReLU(inputs, outputs, 1)
        self.conv1 = nn.Conv2d(outputs, outputs // 4, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs // 4, outputs, 1, bias=False)

    def forward(self, spatial: Tensor, context: Tensor) -> Tensor:
        """A map of the size of both."""
        joined: Tensor = self.convblk(torch.cat([spatial, context], dim=1))
        inner = functional.relu(self.conv1(joined.mean((2, 3), keepdim=True)))
        return joined * torch.sigmoid(self.conv2(inner)) + joined


class Head(nn.Module):
    """Scores of the classes from a map."""

    def __init__(self, inputs: int, inner: int, classes: int) -> None:
        super().__init__()
        self.conv = ConvBNReLU(inputs, inner)
        self.conv_out = nn.Conv2d(inner, classes, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(N, classes, h, w), before the soft-max."""
        return cast("Tensor", self.conv_out(self.conv(features)))


class BiSeNet(nn.Module):
    """What every pixel of a face is.

    Takes (N, 3, H, W) RGB less mean over deviation, any H and W.  Gives scores before the
    soft-max, (N, classes, H, W): of the net, and of the side heads that help it learn.
    """

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        finest = config.widths[0 if config.fine else 1]
        self.cp = ContextPath(config)
        self.ffm = Fusion(finest + config.neck, config.fuse)
        self.conv_out = Head(config.fuse, config.fuse, config.classes)
        self.conv_out16 = Head(config.neck, config.aux, config.classes)
        self.conv_out32 = Head(config.neck, config.aux, config.classes)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Scores of the net, of the 1/16 head and of the 1/32 head, as large as the picture."""
        main, side16, side32 = self.small_scores(image)
        return enlarge(main, image), enlarge(side16, image), enlarge(side32, image)

    def small_scores(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same at the size at which each head works."""
        spatial, context, u16, u32 = self.cp(image)
        main = self.conv_out(self.ffm(spatial, context))
        return main, self.conv_out16(u16), self.conv_out32(u32)


class Parser(nn.Module):
    """The net as it is exported.

    Takes (N, 3, H, W) RGB 0..1.  Gives the scores before the soft-max at the size at which the net
    works, (N, classes, H / 4 or H / 8, ...): masks of any choice of classes are made from them.
    """

    def __init__(
        self,
        net: BiSeNet,
        mean: tuple[float, float, float],
        deviation: tuple[float, float, float],
    ) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("mean", torch.tensor(mean).reshape(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(deviation).reshape(1, 3, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        """The scores of the net's own head."""
        mean, deviation = cast("Tensor", self.mean), cast("Tensor", self.deviation)
        return self.net.small_scores((image - mean) / deviation)[0]


def nearest(features: Tensor, like: Tensor) -> Tensor:
    """A map enlarged to the size of another by repeating its cells."""
    return functional.interpolate(features, size=like.shape[2:])


def enlarge(scores: Tensor, like: Tensor) -> Tensor:
    """Scores enlarged to the size of the picture; corners on corners, as the nets were trained."""
    return functional.interpolate(scores, size=like.shape[2:], mode="bilinear", align_corners=True)
