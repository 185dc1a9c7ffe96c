"""The graph of the compact aligner: every cell of a coarse grid votes where each point lies.

A small residual net makes a 12 x 12 grid that has seen the whole face; each cell gives, for each
of the 68 points, a place (its own centre and an offset) and a weight.  The point is the weighted
mean of the places: sub-pixel without a decoder, smooth as the picture moves, and, as convolutions
do the looking, learned from few faces.  How far the votes lie apart tells how sure the net is.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

POINTS = 68


class ConvBlock(nn.Sequential):
    """3 x 3 convolution, batch norm, ReLU."""

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(before, after, 3, stride, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
        )


class Residual(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvBlock(channels, channels)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        return torch.relu(x + self.norm(self.second(self.first(x))))


class CompactNet(nn.Module):
    """(N, 3, S, S) RGB 0..1, S a multiple of 16, to points and their spread.

    Returns points (N, 68, 2), 0..1 of the crop, and spread (N, 68), the mean distance of the votes
    from their point in the same unit.  In training also the loss of single votes can be had:
    `votes` gives places (N, 68, cells, 2) and weights (N, 68, cells) that add up to 1.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.stem = nn.Sequential(ConvBlock(3, width // 2, 2), ConvBlock(width // 2, width, 2))
        self.fine = Residual(width)
        self.middle = nn.Sequential(
            ConvBlock(width, 2 * width, 2), Residual(2 * width), Residual(2 * width)
        )
        self.coarse = nn.Sequential(
            ConvBlock(2 * width, 4 * width, 2), Residual(4 * width), Residual(4 * width)
        )
        self.whole = nn.Sequential(
            nn.Linear(4 * width, 4 * width), nn.ReLU(inplace=True), nn.Linear(4 * width, 2 * width)
        )
        self.lift = nn.Conv2d(4 * width, 2 * width, 1)
        self.join = ConvBlock(2 * width, 3 * width)
        self.head = nn.Conv2d(3 * width, 3 * POINTS, 1)
        with torch.no_grad():
            self.head.weight.mul_(0.3)

    def votes(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Places (N, 68, cells, 2), 0..1 of the crop, and weights (N, 68, cells)."""
        across, down, weights = self._cells(image)
        return torch.stack([across, down], dim=-1), weights

    def _cells(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x and y of the places, and their weights, each (N, 68, cells)."""
        centred = image - image.mean(dim=(1, 2, 3), keepdim=True)
        spread = (centred * centred).mean(dim=(1, 2, 3), keepdim=True).sqrt()
        middle = self.middle(self.fine(self.stem(centred / (spread + 0.05))))
        coarse = self.coarse(middle)
        context = self.lift(coarse) + self.whole(coarse.mean(dim=(2, 3)))[:, :, None, None]
        lifted = nn.functional.interpolate(context, scale_factor=2.0, mode="nearest")
        out = self.head(self.join(torch.relu(middle + lifted)))
        side = out.shape[-1]
        out = out.reshape(-1, POINTS, 3, side * side)
        steps = (torch.arange(side, device=out.device, dtype=out.dtype) + 0.5) / side
        across = out[:, :, 0] * 0.1 + steps.repeat(side)
        down = out[:, :, 1] * 0.1 + steps.repeat_interleave(side)
        return across, down, torch.softmax(out[:, :, 2], dim=-1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Points (N, 68, 2) and spread (N, 68), both 0..1 of the crop.

        x and y stay apart until the end: with an axis of two as the last one, onnxruntime spends a
        sixth of the net's time on these few sums.
        """
        across, down, weights = self._cells(image)
        means, away = [], torch.zeros_like(weights)
        for places in (across, down):
            mean = (places * weights).sum(dim=-1, keepdim=True)
            means.append(mean)
            from_mean = places - mean
            away = away + from_mean * from_mean
        return torch.cat(means, dim=-1), (weights * away).sum(dim=-1).sqrt()
