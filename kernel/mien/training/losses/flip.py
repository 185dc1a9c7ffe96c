"""LDR-FLIP: how much a viewer sees who flips between two pictures.

Source: Andersson et al. 2020, "FLIP: a difference evaluator for alternating images"; a screen of
0.7 m and 3840 pixels, 0.7 m away.
"""
# ruff: noqa: TID253  (only the training loop and trainers import this module)

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from .filters import Kernel, filtered
from .similarity import positive_power

_PER_DEGREE = 0.7 * 3840 / 0.7 * math.pi / 180
_TO_XYZ = (
    (10135552 / 24577794, 8788810 / 24577794, 4435075 / 24577794),
    (2613072 / 12288897, 8788810 / 12288897, 887015 / 12288897),
    (1425312 / 73733382, 8788810 / 73733382, 70074185 / 73733382),
)
"""Linear sRGB to XYZ; the rows' sums are the white point."""
_SENSITIVITY = (
    ((1.0, 0.0047), (0.0, 1e-5)),
    ((1.0, 0.0053), (0.0, 1e-5)),
    ((34.1, 0.04), (13.5, 0.025)),
)
"""Two Gaussians (a, b) each for lightness, red-green and blue-yellow."""
_FEATURE_WIDTH = 0.082
_COLOUR_POWER, _FEATURE_POWER = 0.7, 0.5
_KNEE, _KNEE_VALUE = 0.4, 0.95
_TINY = 1e-15


def flip(made: Tensor, wanted: Tensor) -> Tensor:
    """(N, 1, H, W), 0..1: how visible the difference is.  Pictures (N, 3, H, W) BGR, 0..1."""
    with torch.autocast(made.device.type, enabled=False):
        opponents = [_opponents(picture.float()) for picture in (made, wanted)]
        colour = _colour_gap(*(_seen(picture) for picture in opponents))
        feature = _feature_gap(*((picture[:, :1] + 16) / 116 for picture in opponents))
        return positive_power(colour, 1 - feature)


def _opponents(picture: Tensor) -> Tensor:
    """BGR 0..1 to lightness, red-green and blue-yellow (YCxCz)."""
    rgb = picture.flip(1).clamp(0, 1)
    bent = ((rgb.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    x, y, z = _white(_mixed(torch.where(rgb > 0.04045, bent, rgb / 12.92), _TO_XYZ)).chunk(3, 1)
    return torch.cat((116 * y - 16, 500 * (x - y), 200 * (y - z)), 1)


def _seen(opponents: Tensor) -> Tensor:
    """What the eye resolves, as L*a*b* whose colours fade with the light (Hunt)."""
    blurred = [_eye_filter(opponents[:, i : i + 1], i) for i in range(3)]
    light = (blurred[0] + 16) / 116
    xyz = torch.cat((light + blurred[1] / 500, light, light - blurred[2] / 200), 1)
    inverse = torch.linalg.inv(_matrix(_TO_XYZ, xyz.device))
    rgb = torch.einsum("ij,njhw->nihw", inverse, xyz * _white_point(xyz.device)).clamp(0, 1)
    return _hunt(rgb)


def _hunt(rgb: Tensor) -> Tensor:
    """Linear RGB (N, 3, H, W) to L*a*b*, a and b times a hundredth of the lightness."""
    share = _white(_mixed(rgb, _TO_XYZ))
    knee = 6 / 29
    root = share.clamp(min=knee**3) ** (1 / 3)
    x, y, z = torch.where(share > knee**3, root, share / (3 * knee**2) + 4 / 29).chunk(3, 1)
    light = 116 * y - 16
    fade = 0.01 * light
    return torch.cat((light, fade * 500 * (x - y), fade * 200 * (y - z)), 1)


def _colour_gap(made: Tensor, wanted: Tensor) -> Tensor:
    """(N, 1, H, W), 0..1: distance of the colours, the large ones squeezed together."""
    most = _largest_gap()
    gap = positive_power(_distance(made, wanted), _COLOUR_POWER, 1e-12)
    knee = _KNEE * most
    over = _KNEE_VALUE + (gap - knee) / (most - knee) * (1 - _KNEE_VALUE)
    return torch.where(gap < knee, gap * (_KNEE_VALUE / knee), over)


def _distance(made: Tensor, wanted: Tensor) -> Tensor:
    """(N, 1, H, W): lightness and colour apart (HyAB)."""
    squares = (made - wanted).square()
    light = squares[:, :1].clamp(min=_TINY).sqrt()
    return light + squares[:, 1:].sum(1, keepdim=True).clamp(min=_TINY).sqrt()


def _feature_gap(made: Tensor, wanted: Tensor) -> Tensor:
    """(N, 1, H, W), 0..1: edges and points of one lightness (N, 1, H, W) that the other lacks."""
    lines, spots = _feature_kernels()
    smooth = _normalised(_feature_gaussian())
    gaps = []
    for kernel in (lines, spots):
        strength = []
        for light in (made, wanted):
            across = filtered(light, smooth, kernel, edge="repeat")
            down = filtered(light, kernel, smooth, edge="repeat")
            strength.append((across.square() + down.square()).clamp(min=_TINY).sqrt())
        gaps.append((strength[0] - strength[1]).abs())
    return positive_power(torch.maximum(*gaps) / math.sqrt(2), _FEATURE_POWER)


def _eye_filter(values: Tensor, channel: int) -> Tensor:
    """One channel (N, 1, H, W) as sharp as the eye sees it."""
    widest = max(b for pair in _SENSITIVITY for _, b in pair)
    radius = math.ceil(3 * math.sqrt(widest / (2 * math.pi**2)) * _PER_DEGREE)
    parts = []
    for a, b in _SENSITIVITY[channel]:
        line = [
            math.exp(-((math.pi * place / _PER_DEGREE) ** 2) / b)
            for place in range(-radius, radius + 1)
        ]
        parts.append((a * math.sqrt(math.pi / b) * sum(line) ** 2, _normalised(tuple(line))))
    whole = sum(weight for weight, _ in parts)
    return sum(
        (
            filtered(values, line, line, edge="repeat") * (weight / whole)
            for weight, line in parts
            if weight
        ),
        torch.zeros_like(values),
    )


def _feature_gaussian() -> Kernel:
    sigma = 0.5 * _FEATURE_WIDTH * _PER_DEGREE
    radius = math.ceil(3 * sigma)
    return tuple(math.exp(-0.5 * (place / sigma) ** 2) for place in range(-radius, radius + 1))


@functools.cache
def _feature_kernels() -> tuple[Kernel, Kernel]:
    """First and second derivative of a Gaussian, rising and falling weights of sum 1 each."""
    sigma = 0.5 * _FEATURE_WIDTH * _PER_DEGREE
    bell = _feature_gaussian()
    radius = len(bell) // 2
    first = tuple(-(place - radius) * weight for place, weight in enumerate(bell))
    second = tuple(
        (((place - radius) / sigma) ** 2 - 1) * weight for place, weight in enumerate(bell)
    )
    return _balanced(first), _balanced(second)


def _balanced(kernel: Kernel) -> Kernel:
    up = sum(weight for weight in kernel if weight > 0)
    down = -sum(weight for weight in kernel if weight < 0)
    return tuple(weight / (up if weight > 0 else down) for weight in kernel)


def _normalised(kernel: Kernel) -> Kernel:
    return tuple(weight / sum(kernel) for weight in kernel)


@functools.cache
def _largest_gap() -> float:
    """Between green and blue: 41.28."""
    ends = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])[..., None, None]
    green, blue = _hunt(ends).chunk(2)
    return float(_distance(green, blue) ** _COLOUR_POWER)


def _mixed(values: Tensor, matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    return torch.einsum("ij,njhw->nihw", _matrix(matrix, values.device), values)


def _white(xyz: Tensor) -> Tensor:
    return xyz / _white_point(xyz.device)


def _matrix(rows: tuple[tuple[float, ...], ...], device: torch.device) -> Tensor:
    return torch.tensor(rows, device=device)


def _white_point(device: torch.device) -> Tensor:
    return torch.tensor([sum(row) for row in _TO_XYZ], device=device).view(1, 3, 1, 1)
