# ruff: noqa: TID253 - imported only when a net is built
"""TernausNet-VGG11 in torch, with the key names of faceswap's file.

Source: Iglovikov and Shvets 2018 (TernausNet), in the layout of faceswap's unet-dfl.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True, kw_only=True)
class NetConfig:
    """Channels of the encoder's first stage; the published net has 64."""

    width: int = 64


class Encoder(nn.Module):
    """One or two 3x3 convolutions, each with ReLU."""

    def __init__(self, inputs: int, outputs: int, count: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number in range(count):
            layers += [nn.Conv2d(outputs if number else inputs, outputs, 3, padding=1), nn.ReLU()]
        self.convs = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """A map of the same size."""
        out: Tensor = self.convs(features)
        return out


class Decoder(nn.Module):
    """A convolution, then a transposed one that doubles the size."""

    def __init__(self, inputs: int, inner: int, outputs: int, *, active: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, inner, 3, padding=1)
        self.conv_trans = nn.ConvTranspose2d(inner, outputs, 3, stride=2)
        self.active = active

    def forward(self, features: Tensor) -> Tensor:
        """A map of twice the size; the transposed convolution's last row and column go."""
        inner = self.conv(features)
        if self.active:
            inner = functional.relu(inner)
        return functional.relu(self.conv_trans(inner)[:, :, :-1, :-1])


class UNet(nn.Module):
    """How surely a pixel is face.

    Takes (N, 3, H, W) BGR 0..1, H and W multiples of 32.  Gives (N, 1, H, W) 0..1.
    """

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        one, two, four, eight = (config.width * times for times in (1, 2, 4, 8))
        half = one // 2
        self.features_0 = Encoder(3, one, 1)
        self.features_3 = Encoder(one, two, 1)
        self.features_8 = Encoder(two, four, 2)
        self.features_13 = Encoder(four, eight, 2)
        self.features_18 = Encoder(eight, eight, 2)
        # The first decoder's convolution has no ReLU in the published net.
        self.dec1 = Decoder(eight, eight, four, active=False)
        self.dec2 = Decoder(four + eight, eight, four)
        self.dec3 = Decoder(four + eight, eight, two)
        self.dec4 = Decoder(two + four, four, one)
        self.dec5 = Decoder(one + two, two, half)
        self.conv2d_6 = nn.Conv2d(half + one, one, 3, padding=1)
        self.conv2d_7 = nn.Conv2d(one, 1, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Probability of face."""
        taps = []
        features = image
        for encoder in (
            self.features_0,
            self.features_3,
            self.features_8,
            self.features_13,
            self.features_18,
        ):
            taps.append(encoder(features))
            features = functional.max_pool2d(taps[-1], 2)
        for decoder in (self.dec1, self.dec2, self.dec3, self.dec4, self.dec5):
            features = torch.cat([decoder(features), taps.pop()], dim=1)
        return torch.sigmoid(self.conv2d_7(functional.relu(self.conv2d_6(features))))
