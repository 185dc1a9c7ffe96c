"""How alike two pictures are in structure: SSIM, on one scale and on five, and their edges.

Pictures are (N, 3, H, W), 0..1; every result is a map of what is missing to likeness, float32.
"""
# ruff: noqa: TID253  (only the training loop and trainers import this module)

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as nnf

from .filters import blurred

_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2
_SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_EDGE_FLOOR = 0.0025
_SCHARR = (
    (0.0007, 0.0052, 0.0370, 0.0052, 0.0007),
    (0.0037, 0.1187, 0.2589, 0.1187, 0.0037),
    (0.0, 0.0, 0.0, 0.0, 0.0),
    (-0.0037, -0.1187, -0.2589, -0.1187, -0.0037),
    (-0.0007, -0.0052, -0.0370, -0.0052, -0.0007),
)
"""Steps from row to row; turned, from column to column."""


def light_and_contrast(
    made: Tensor, wanted: Tensor, blur: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """The two factors of SSIM: how alike the means are, and how alike what varies around them.

    blur  the window's mean at every pixel.  Source: Wang, Bovik, Sheikh, Simoncelli 2004, eq. 13.
    """
    made, wanted = made.float(), wanted.float()
    products = torch.cat((made, made.square() + wanted.square(), made * wanted))
    mean_made, energy, both = blur(products).chunk(3)
    mean_wanted = blur(wanted)
    cross = mean_made * mean_wanted
    power = mean_made.square() + mean_wanted.square()
    light = (2 * cross + _C1) / (power + _C1)
    contrast = (2 * (both - cross) + _C2) / ((energy - power).clamp(min=0) + _C2)
    return light, contrast


def structural(made: Tensor, wanted: Tensor) -> Tensor:
    """(N, 3, H, W): 1 - SSIM, 0..2, over an 11x11 Gaussian window with sigma 1.5.

    The picture is mirrored at its edges, which must be longer than 5 pixels.
    """
    light, contrast = light_and_contrast(made, wanted, _mirrored(_WINDOW))
    return 1 - light * contrast


def multiscale(made: Tensor, wanted: Tensor) -> Tensor:
    """(N, 3, H, W): 1 - MS-SSIM, 0..1, over five scales, each half as large as the one before.

    Below 176 pixels the window shrinks with the smallest scale.  Sides must be 48 pixels at least.
    Source: Wang, Simoncelli, Bovik 2003, eq. 7, with a map of every scale instead of its mean.
    """
    size = made.shape[-2:]
    room = min(size) >> (len(_SCALES) - 1)
    window = min(_WINDOW, room - 1 + room % 2)
    if window < 3:
        raise ValueError(f"a picture of {size[1]}x{size[0]} has no five scales: needs 48 pixels")
    made, wanted = made.float(), wanted.float()
    alike = torch.ones_like(made)
    for number, weight in enumerate(_SCALES):
        if number:
            made, wanted = _half(made), _half(wanted)
        light, contrast = light_and_contrast(made, wanted, _mirrored(window))
        if number == len(_SCALES) - 1:
            contrast = contrast * light
        large = contrast if not number else nnf.interpolate(contrast, size, mode="bilinear")
        alike = alike * positive_power(large, weight)
    return 1 - alike


def edges(made: Tensor, wanted: Tensor, *, parity: bool = False) -> Tensor:
    """(N, 1, H, W): how much the steps from row to row and from column to column differ, 0..1.

    parity  of the colours, blue looks at rows only and red at columns only, as faceswap has it
    Source: Xue, Zhang, Mou, Bovik 2014 (gradient magnitude similarity), eq. 4, for each direction.
    """
    steps_made, steps_wanted = _steps(made.float()), _steps(wanted.float())  # (N, 3, 2, H, W)
    if parity:
        chosen = torch.tensor([[0, 0], [0, 1], [1, 1]], device=made.device)
        colours = torch.arange(3, device=made.device)[:, None]
        steps_made, steps_wanted = steps_made[:, colours, chosen], steps_wanted[:, colours, chosen]
    power = steps_made.square() + steps_wanted.square()
    alike = (2 * steps_made * steps_wanted + _EDGE_FLOOR) / (power + _EDGE_FLOOR)
    return 1 - alike.mean((1, 2))[:, None]


def positive_power(values: Tensor, exponent: Tensor | float, floor: float = 1e-6) -> Tensor:
    """values ** exponent; 0 with no gradient below `floor`, where the power's would be endless."""
    return torch.where(values > floor, values.clamp(min=floor) ** exponent, 0.0)


def _mirrored(window: int) -> Callable[[Tensor], Tensor]:
    return functools.partial(blurred, width=window, sigma=_SIGMA, edge="mirror")


def _half(values: Tensor) -> Tensor:
    """Half the size, rounded up: the last pixel counts twice where a side is odd."""
    height, width = values.shape[-2:]
    if height % 2 or width % 2:
        values = nnf.pad(values, (0, width % 2, 0, height % 2), mode="replicate")
    return nnf.avg_pool2d(values, 2)


def _steps(values: Tensor) -> Tensor:
    """(N, C, 2, H, W): steps along rows, then columns; the picture is mirrored at its edges."""
    down = torch.tensor(_SCHARR, device=values.device)
    count, channels, height, width = values.shape
    padded = nnf.pad(values.reshape(-1, 1, height, width), (2, 2, 2, 2), mode="reflect")
    with torch.autocast(values.device.type, enabled=False):
        found = nnf.conv2d(padded, torch.stack((down, down.T))[:, None])
    return found.view(count, channels, 2, height, width)
