# ruff: noqa: TID253 - imported only when a net is built
"""XSeg in torch: a U-Net with filter-response norm, blurred down-sampling and a dense middle.

Attribute names are DeepFaceLab's variable names, with a dot for each slash.  Sources: the layout of
DeepFaceLab's files; Singh and Krishnan 2019 (filter response normalisation); Zhang 2019 (blurred
down-sampling).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from mien.nets.convolution import Conv2d
from torch import Tensor, nn
from torch.nn import functional

# Per level: convolutions on the way down, taps of the blur after them, convolutions on the way up.
DOWN = (2, 2, 2, 3, 3, 3)
BLUR = (4, 3, 2, 2, 2, 2)
UP = (2, 2, 2, 3, 3, 3)
_BINOMIAL = {2: (1.0, 1.0), 3: (1.0, 2.0, 1.0), 4: (1.0, 3.0, 3.0, 1.0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class NetConfig:
    """Size of the net.

    base    channels of the first level; all models of DeepFaceLab have 32
    size    side of picture and mask, a multiple of 64; the dense middle fixes it
    hidden  width of the dense middle
    """

    base: int = 32
    size: int = 256
    hidden: int = 512

    def channels(self, level: int) -> int:
        """Channels of a level: they double up to level 3."""
        return self.base * min(1 << level, 8)


class FilterResponseNorm(nn.Module):
    """Each channel of each picture by its own root mean square, then scaled and shifted."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = nn.Parameter(torch.full((1,), 1e-6))

    def forward(self, x: Tensor) -> Tensor:
        """A map of the same shape."""
        # In float32 also where the rest is float16: the squares would not fit.
        power = x.float().square().mean(dim=(2, 3), keepdim=True)
        scale = torch.rsqrt(power + self.eps.float().abs()).to(x.dtype)
        return x * scale * self.weight[:, None, None] + self.bias[:, None, None]


class ThresholdedLinear(nn.Module):
    """A rectifier whose threshold is learned for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.tau = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """A map of the same shape."""
        return torch.maximum(x, self.tau[:, None, None])


class ConvBlock(nn.Module):
    """Convolution 3x3, norm, threshold."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = Conv2d(inputs, outputs, 3, padding=1)
        self.frn = FilterResponseNorm(outputs)
        self.tlu = ThresholdedLinear(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, outputs, H, W)."""
        out: Tensor = self.tlu(self.frn(self.conv(x)))
        return out


class UpBlock(nn.Module):
    """Transposed convolution 3x3 of twice the size, norm, threshold."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(inputs, outputs, 3, stride=2)
        self.frn = FilterResponseNorm(outputs)
        self.tlu = ThresholdedLinear(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, outputs, 2 H, 2 W)."""
        grown = self.conv(x)[..., :-1, :-1]  # TensorFlow's padding drops the last row and column
        out: Tensor = self.tlu(self.frn(grown))
        return out


class BlurPool(nn.Module):
    """Half the size, after a binomial blur of `taps` in each direction; nothing to learn."""

    kernel: Tensor

    def __init__(self, channels: int, taps: int) -> None:
        super().__init__()
        line = torch.tensor(_BINOMIAL[taps])
        kernel = torch.outer(line, line)
        kernel = (kernel / kernel.sum()).expand(channels, 1, taps, taps).clone()
        self.register_buffer("kernel", kernel, persistent=False)
        before, after = (taps - 1) // 2, taps // 2
        self.padding = (before, after, before, after)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H / 2, W / 2)."""
        padded = functional.pad(x, self.padding)
        return functional.conv2d(padded, self.kernel, stride=2, groups=self.kernel.shape[0])


class XSeg(nn.Module):
    """Which pixels of a crop are face.

    Takes (N, 3, S, S) BGR 0..1; gives logits (N, 1, S, S), whose sigmoid is the mask.
    """

    def __init__(self, config: NetConfig | None = None) -> None:
        super().__init__()
        config = config or NetConfig()
        self.levels = len(DOWN)
        before = 3
        for level, count in enumerate(DOWN):
            width = config.channels(level)
            for number in range(1, count + 1):
                setattr(self, f"conv{level}{number}", ConvBlock(before, width))
                before = width
            setattr(self, f"blur{level}", BlurPool(width, BLUR[level]))
        self.side = config.size >> self.levels
        self.width = before
        flat = self.side * self.side * before
        self.dense1 = nn.Linear(flat, config.hidden)
        self.dense2 = nn.Linear(config.hidden, flat)
        for level in reversed(range(self.levels)):
            width = config.channels(level)
            grown = width // 2 if level > 2 else width
            setattr(self, f"up{level}", UpBlock(before, grown))
            before = grown + width
            for number in range(UP[level], 0, -1):
                setattr(self, f"uconv{level}{number}", ConvBlock(before, width))
                before = width
        self.out_conv = Conv2d(before, 1, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (N, 1, S, S)."""
        code, skips = self._encode(image)
        return self._decode(code, skips)

    def forward_pretrain(self, image: Tensor) -> Tensor:
        """Logits without what passes the dense middle by: so the middle learns what a face is."""
        code, skips = self._encode(image)
        return self._decode(code, [torch.zeros_like(skip) for skip in skips])

    def _encode(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The map after the dense middle, and each level's map before its blur."""
        skips = []
        for level, count in enumerate(DOWN):
            for number in range(1, count + 1):
                x = self._part(f"conv{level}{number}", x)
            skips.append(x)
            x = self._part(f"blur{level}", x)
        code = self.dense2(self.dense1(x.flatten(1)))
        return code.reshape(-1, self.width, self.side, self.side), skips

    def _decode(self, x: Tensor, skips: list[Tensor]) -> Tensor:
        for level in reversed(range(self.levels)):
            x = torch.cat([self._part(f"up{level}", x), skips[level]], dim=1)
            for number in range(UP[level], 0, -1):
                x = self._part(f"uconv{level}{number}", x)
        logits: Tensor = self.out_conv(x)
        return logits

    def _part(self, name: str, x: Tensor) -> Tensor:
        out: Tensor = getattr(self, name)(x)
        return out
