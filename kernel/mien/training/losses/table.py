"""What a picture that a net made is worth, compared with the one it should have made.

`made` and `wanted` are (N, 3, H, W), 0..1.  A loss is a map (N, C, H, W), or (N,) where a pixel has
no share of its own; always float32, whatever the nets run in.  Names are faceswap's.
"""
# ruff: noqa: TID253  (only the training loop and trainers import this module)

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as nnf

from .filters import blurred
from .flip import flip
from .similarity import edges, multiscale, structural

_SHARP = 1 / 255
_LEVELS = 5


def absolute(made: Tensor, wanted: Tensor) -> Tensor:
    """|made - wanted|: blurs least where the two are alike."""
    return (made.float() - wanted.float()).abs()


def squared(made: Tensor, wanted: Tensor) -> Tensor:
    """(made - wanted)²: cares for large errors, such as wrong colours."""
    return (made.float() - wanted.float()).square()


def log_cosh(made: Tensor, wanted: Tensor) -> Tensor:
    """The logarithm of the hyperbolic cosine: squares small errors, not large ones."""
    gap = (made.float() - wanted.float()).abs()
    return gap + nnf.softplus(-2 * gap) - math.log(2)


def robust(made: Tensor, wanted: Tensor, *, alpha: float = 1.0) -> Tensor:
    """Barron's general loss: absolute for errors above a grey level, squared below it.

    alpha  2 would square all errors.  Source: Barron 2019, eq. 1, with a scale of 1/255.
    """
    gap = (made.float() - wanted.float()) / _SHARP
    bend = abs(2 - alpha)
    return _SHARP * (bend / alpha) * ((gap.square() / bend + 1) ** (alpha / 2) - 1)


def gradients(made: Tensor, wanted: Tensor, *, parity: bool = False) -> Tensor:
    """How much first and second steps from pixel to pixel differ: keeps edges sharp.

    parity  along colours and rows instead of rows and columns, as faceswap has it
    """
    made, wanted = made.float(), wanted.float()
    one, other = (1, 2) if parity else (2, 3)

    def gap(find: Callable[[Tensor], Tensor]) -> Tensor:
        return robust(find(made), find(wanted), alpha=1.9999)

    total = gap(lambda x: _first(x, one)) + gap(lambda x: _first(x, other))
    total = total + gap(lambda x: _second(x, one)) + gap(lambda x: _second(x, other))
    return (total + 2 * gap(lambda x: _first(_first(x, one), other))) / 2


def largest(made: Tensor, wanted: Tensor, *, parity: bool = False) -> Tensor:
    """(N,): the largest error of each colour, their mean.

    parity  the largest of each column over rows and colours, their mean, as faceswap has it
    """
    return absolute(made, wanted).amax((1, 2) if parity else (2, 3)).mean(1)


def laplacian(made: Tensor, wanted: Tensor) -> Tensor:
    """Differences on five levels of a Laplacian pyramid and what is left, fine ones most.

    Each level counts a fourth of the one before.  Sides must be 32 pixels at least.
    """
    gap = made.float() - wanted.float()  # all is linear: a difference has a pyramid of its own
    size = gap.shape[-2:]
    if min(size) < 1 << _LEVELS:
        raise ValueError(f"a picture of {size[1]}x{size[0]} has no five levels: needs 32 pixels")
    total = torch.zeros_like(gap)
    for level in range(_LEVELS):
        low = blurred(gap, 5, 1.0, edge="repeat")
        total = total + _enlarged((gap - low).abs(), size) * 0.25**level
        gap = nnf.avg_pool2d(low, 2)
    return total + _enlarged(gap.abs(), size) * 0.25**_LEVELS


def focal_frequency(made: Tensor, wanted: Tensor) -> Tensor:
    """(N,): squared difference of the spectra, the hardest frequencies weighing most.

    Source: Jiang, Dai, Wu, Loy 2021 (focal frequency loss), eq. 8-9.
    """
    gap = torch.fft.fft2(made.float(), norm="ortho") - torch.fft.fft2(wanted.float(), norm="ortho")
    energy = gap.real.square() + gap.imag.square()
    weight = energy.detach().sqrt()
    weight = weight / weight.amax((2, 3), keepdim=True).clamp(min=1e-6)
    found: Tensor = (weight * energy).mean((1, 2, 3))
    return found


LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "ssim": structural,
    "ms_ssim": multiscale,
    "gmsd": edges,
    "mae": absolute,
    "mse": squared,
    "logcosh": log_cosh,
    "smooth": robust,
    "laploss": laplacian,
    "ffl": focal_frequency,
    "flip": flip,
    "l_inf_norm": largest,
    "pixel_gradient_diff": gradients,
}

WHOLE = frozenset({"ffl", "l_inf_norm"})
"""Losses that judge a picture as a whole, (N,)."""

SMALLEST: Mapping[str, int] = {"ssim": 6, "ms_ssim": 48, "gmsd": 3, "laploss": 32}
"""The least side of the pictures, in pixels, of losses that need one."""


def widened(mask: Tensor, share: float) -> Tensor:
    """The mask (N, 1, S, S) grown on all sides by `share` of its side."""
    reach = round(share * mask.shape[-1])
    if not reach:
        return mask
    width = 2 * reach + 1  # a square's largest value is the largest of its rows' largest
    rows = nnf.max_pool2d(mask, (width, 1), stride=1, padding=(reach, 0))
    return nnf.max_pool2d(rows, (1, width), stride=1, padding=(0, reach))


def _enlarged(values: Tensor, size: torch.Size) -> Tensor:
    if values.shape[-2:] == size:
        return values
    return nnf.interpolate(values, tuple(size), mode="bilinear")


def _first(values: Tensor, axis: int) -> Tensor:
    """Half the step from the pixel before to the one behind; the edges' pixels stand twice."""
    behind, before = _beside(values, axis)
    return (behind - before) / 2


def _second(values: Tensor, axis: int) -> Tensor:
    behind, before = _beside(values, axis)
    return behind + before - 2 * values


def _beside(values: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    size = values.shape[axis]
    first, last = values.narrow(axis, 0, 1), values.narrow(axis, size - 1, 1)
    behind = torch.cat((values.narrow(axis, 1, size - 1), last), axis)
    return behind, torch.cat((first, values.narrow(axis, 0, size - 1)), axis)
