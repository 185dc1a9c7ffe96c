"""What a picture that a net made is worth, compared with the one it should have made.

`made` and `wanted` are (N, 3, H, W), 0..1.  Every loss is a map of the same shape, computed in
float32 whatever the nets run in; `mean_inside` makes one number of it.
"""
# ruff: noqa: TID253  (only the training loop and trainers import this module)

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as nnf

_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2


def absolute(made: Tensor, wanted: Tensor) -> Tensor:
    """|made - wanted|: blurs least where the two are alike."""
    return (made.float() - wanted.float()).abs()


def squared(made: Tensor, wanted: Tensor) -> Tensor:
    """(made - wanted)²: cares for large errors, such as wrong colours."""
    return (made.float() - wanted.float()).square()


def structural(made: Tensor, wanted: Tensor) -> Tensor:
    """1 - SSIM, 0..2, at every pixel, over an 11x11 Gaussian window with sigma 1.5.

    The picture is mirrored at its edges, which must be longer than 5 pixels.
    Source: Wang, Bovik, Sheikh, Simoncelli 2004, eq. 13.
    """
    made, wanted = made.float(), wanted.float()
    products = torch.cat((made, made.square() + wanted.square(), made * wanted))
    mean_made, energy, both = _blur(products).chunk(3)
    mean_wanted = _blur(wanted)
    cross = mean_made * mean_wanted
    power = mean_made.square() + mean_wanted.square()
    light = (2 * cross + _C1) / (power + _C1)
    contrast = (2 * (both - cross) + _C2) / ((energy - power).clamp(min=0) + _C2)
    return 1 - light * contrast


LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "ssim": structural,
    "mse": squared,
    "mae": absolute,
}


def mean_inside(values: Tensor, mask: Tensor | None) -> Tensor:
    """Mean over all pixels of a loss that counts only inside the mask (N, 1, H, W), 0..1."""
    return values.mean() if mask is None else (values * mask).mean()


def widened(mask: Tensor, share: float) -> Tensor:
    """The mask (N, 1, S, S) grown on all sides by `share` of its side."""
    reach = round(share * mask.shape[-1])
    return nnf.max_pool2d(mask, 2 * reach + 1, stride=1, padding=reach) if reach else mask


def _blur(values: Tensor) -> Tensor:
    """Gaussian of every channel, same size, mirrored edges.  # (N, C, H, W)

    Two small matrix products: on a CPU several times faster than a convolution by channels.
    """
    rows = _blur_matrix(values.shape[-2], values.device)
    columns = _blur_matrix(values.shape[-1], values.device)
    return rows @ values @ columns.T


@functools.lru_cache(maxsize=16)
def _blur_matrix(size: int, device: torch.device) -> Tensor:
    """(size, size): row i holds the weights with which the blur at i sees every pixel."""
    half = _WINDOW // 2
    offsets = torch.arange(-half, half + 1)
    weights = torch.softmax(-0.5 * (offsets / _SIGMA).square(), 0)
    eye = torch.eye(size)[None]
    padded = nnf.pad(eye, (half, half), mode="reflect")
    return nnf.conv1d(padded.transpose(0, 1), weights[None, None])[:, 0].T.contiguous().to(device)
