"""The terms of which face models' losses are made, one value per sample.

Pictures are (N, C, H, W), masks (N, 1, H, W), all 0..1; a term is (N,) unless it says otherwise,
in float32 whatever the nets run in.  Source: the published behaviour of DeepFaceLab, checked
against numbers that it gave.
"""
# ruff: noqa: TID253  (only the training loop and trainers import this module)

from __future__ import annotations

import functools

import torch
from torch import Tensor
from torch.nn import functional as nnf

from .filters import blurred
from .similarity import light_and_contrast

DSSIM_SIGMA = 1.5


def mean_of(values: Tensor) -> Tensor:
    """(N,): the mean over everything but the batch."""
    return values.flatten(1).mean(1)


def dssim(made: Tensor, wanted: Tensor, window: int) -> Tensor:
    """(N, C): (1 - SSIM) / 2 per channel, over a Gaussian window of `window` pixels, sigma 1.5.

    The window may be even; pixels nearer to the edge than half of it have no value.
    """
    blur = functools.partial(blurred, width=max(1, window), sigma=DSSIM_SIGMA, edge="valid")
    light, structure = light_and_contrast(made, wanted, blur)
    return (1 - (light * structure).mean((2, 3))) / 2


def gaussian(values: Tensor, sigma: float) -> Tensor:
    """(N, C, H, W) blurred; black lies around the picture.

    The kernel is as wide as four sigma, odd, and at least 3 pixels.
    """
    width = max(3, int(4 * sigma))
    return blurred(values, width + (width % 2 == 0), sigma, edge="black")


def mask_weight(mask: Tensor, sigma: float) -> Tensor:
    """(N, 1, H, W): the mask with a soft edge inside it, 0..1: 1 where the blurred mask is half."""
    return 2 * gaussian(mask, sigma).clamp(0, 0.5)


def blur_outside(wanted: Tensor, mask: Tensor, sigma: float) -> Tensor:
    """The picture with what lies outside the mask blurred, without the face bleeding into it."""
    outside = 1 - mask
    share = 1 - gaussian(mask, sigma)
    share = torch.where(share == 0, torch.ones_like(share), share)
    return wanted * mask + gaussian(wanted * outside, sigma) / share * outside


def style_distance(made: Tensor, wanted: Tensor, blur: int, weight: float) -> Tensor:
    """(N,): how far mean and deviation of the channels lie apart, after a blur of sigma `blur`."""
    made, wanted = made.float(), wanted.float()
    if blur > 0:
        made, wanted = gaussian(made, blur), gaussian(wanted, blur)
    spread_made = (made.var((2, 3), correction=0) + 1e-5).sqrt()
    spread_wanted = (wanted.var((2, 3), correction=0) + 1e-5).sqrt()
    means = (made.mean((2, 3)) - wanted.mean((2, 3))).square()
    spreads = (spread_made - spread_wanted).square()
    return (means + spreads).sum(1) * (weight / made.shape[1])


def total_variation(values: Tensor, *, parity: bool = False) -> Tensor:
    """(N,): the sum of squared steps from pixel to pixel, along rows and columns.

    parity  along colours and rows instead, as DeepFaceLab does it wherever it runs on a GPU
    """
    values = values.float()
    first, second = (1, 2) if parity else (2, 3)
    return sum(
        (values.diff(dim=axis).square().flatten(1).sum(1) for axis in (first, second)),
        values.new_zeros(len(values)),
    )


def verdict(logits: Tensor, *, real: bool) -> Tensor:
    """(N,): cross-entropy of a discriminator's logits against `real`, mean over its places."""
    logits = logits.float()
    return mean_of(nnf.softplus(-logits) if real else nnf.softplus(logits))
