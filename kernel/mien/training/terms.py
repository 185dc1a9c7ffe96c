"""The terms of which face models' losses are made, one value per sample.

Pictures are (N, C, H, W), masks (N, 1, H, W), all 0..1; a term is (N,) unless it says otherwise,
in float32 whatever the nets run in.  Source: the published behaviour of DeepFaceLab, checked
against numbers that it gave.
"""
# ruff: noqa: TID253  (only the training loop and trainers import this module)

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor
from torch.nn import functional as nnf

DSSIM_SIGMA = 1.5
_C1, _C2 = 0.01**2, 0.03**2


def mean_of(values: Tensor) -> Tensor:
    """(N,): the mean over everything but the batch."""
    return values.flatten(1).mean(1)


def dssim(made: Tensor, wanted: Tensor, window: int) -> Tensor:
    """(N, C): (1 - SSIM) / 2 per channel, over a Gaussian window of `window` pixels, sigma 1.5.

    The window may be even; pixels nearer to the edge than half of it have no value.
    """
    made, wanted = made.float(), wanted.float()

    def blurred(values: Tensor) -> Tensor:
        return _filter(values, max(1, window), DSSIM_SIGMA, valid=True)

    mean_made, mean_wanted = blurred(made), blurred(wanted)
    cross, power = mean_made * mean_wanted, mean_made.square() + mean_wanted.square()
    light = (2 * cross + _C1) / (power + _C1)
    both, energy = blurred(made * wanted), blurred(made.square() + wanted.square())
    structure = (2 * both - 2 * cross + _C2) / (energy - power + _C2)
    return (1 - (light * structure).mean((2, 3))) / 2


def gaussian(values: Tensor, sigma: float) -> Tensor:
    """(N, C, H, W) blurred; black lies around the picture.

    The kernel is as wide as four sigma, odd, and at least 3 pixels.
    """
    width = max(3, int(4 * sigma))
    return _filter(values.float(), width + (width % 2 == 0), sigma, valid=False)


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


def laplacian(made: Tensor, wanted: Tensor, *, levels: int = 5, sigma: float = 1.0) -> Tensor:
    """(N,): mean absolute difference on every level of a Laplacian pyramid, coarse ones most.

    Source: Bojanowski et al. 2018 (optimizing the latent space), eq. 4.
    """
    made, wanted = made.float(), wanted.float()
    total = made.new_zeros(len(made))
    for level in range(levels):
        if min(made.shape[2:]) < 8:
            break
        low_made, low_wanted = gaussian(made, sigma), gaussian(wanted, sigma)
        total = total + 4.0**level * mean_of(((made - low_made) - (wanted - low_wanted)).abs())
        made, wanted = nnf.avg_pool2d(low_made, 2), nnf.avg_pool2d(low_wanted, 2)
    return total


def focal_frequency(made: Tensor, wanted: Tensor, *, alpha: float = 1.0) -> Tensor:
    """(N,): squared difference of the spectra, the hardest frequencies weighing most.

    Source: Jiang, Dai, Wu, Loy 2021 (focal frequency loss), eq. 8-9.
    """
    gap = torch.fft.fft2(made.float(), norm="ortho") - torch.fft.fft2(wanted.float(), norm="ortho")
    energy = gap.real.square() + gap.imag.square()
    weight = energy.detach().sqrt().pow(alpha)
    weight = weight / weight.amax(dim=(2, 3), keepdim=True).clamp(min=1e-12)
    return mean_of(weight * energy)


def gradient_distance(made: Tensor, wanted: Tensor) -> Tensor:
    """(N,): mean absolute difference of the steps from pixel to pixel: keeps edges sharp."""
    made, wanted = made.float(), wanted.float()
    return sum(
        (mean_of((made.diff(dim=axis) - wanted.diff(dim=axis)).abs()) for axis in (2, 3)),
        made.new_zeros(len(made)),
    )


def log_cosh(made: Tensor, wanted: Tensor) -> Tensor:
    """(N,): the logarithm of the hyperbolic cosine: squares small errors, not large ones."""
    gap = (made.float() - wanted.float()).abs()
    return mean_of(gap + nnf.softplus(-2 * gap) - math.log(2))


def _filter(values: Tensor, width: int, sigma: float, *, valid: bool) -> Tensor:
    """Two small matrix products: on a CPU several times faster than a convolution by channels."""
    rows = _band(values.shape[-2], width, sigma, valid, values.device)
    columns = _band(values.shape[-1], width, sigma, valid, values.device)
    with torch.autocast(values.device.type, enabled=False):
        return rows @ values @ columns.T


@functools.lru_cache(maxsize=64)
def _band(size: int, width: int, sigma: float, valid: bool, device: torch.device) -> Tensor:
    """(out, size): row i holds the weights with which the result at i sees every pixel."""
    if valid and width > size:
        raise ValueError(f"a window of {width} pixels does not fit into a picture of {size}")
    middle = (width - 1) / 2 if valid else width // 2
    offsets = torch.arange(width, dtype=torch.float64) - middle
    weights = torch.exp(-0.5 * (offsets / sigma).square())
    weights = (weights / weights.sum()).float()
    pad = 0 if valid else width // 2
    band = torch.zeros(size + 2 * pad - width + 1, size + 2 * pad)
    for row in range(len(band)):
        band[row, row : row + width] = weights
    return band[:, pad : pad + size].contiguous().to(device)
