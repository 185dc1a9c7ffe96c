"""Random light and colour, for a whole batch at once.

Pictures are (N, 3, H, W) float32 BGR 0..1, and stay in that range.
"""
# ruff: noqa: TID253  (only the training loop imports this module)

from __future__ import annotations

import torch
from torch import Tensor

from .draw import Draw

_LIGHT, _SATURATION, _TINT = 0.3, 0.25, 0.04
_LUMA = (0.114, 0.587, 0.299)  # of B, G, R

_TO_XYZ = (
    (0.180423, 0.357580, 0.412453),
    (0.072169, 0.715160, 0.212671),
    (0.950227, 0.119193, 0.019334),
)
"""Linear B, G, R to X, Y, Z under D65, as OpenCV's numbers."""
_WHITE = (0.950456, 1.0, 1.088754)
_KNEE, _SLOPE, _FOOT = 0.008856, 7.787, 16 / 116


def mixing(draw: Draw, strength: float) -> tuple[Tensor, Tensor]:
    """Matrices (N, 3, 3) and offsets (N, 3, 1): random light, saturation and tint in one.

    Apply them as `mixed`.
    """
    light = draw.uniform() * min(_LIGHT * strength, 0.9)
    saturation = 1 + draw.uniform() * min(_SATURATION * strength, 1)
    tint = draw.uniform(3) * (_TINT * strength)
    luma = torch.tensor(_LUMA)
    tint = tint - (tint @ luma)[:, None]
    grey = luma.expand(3, 3)
    mixed = saturation[:, None, None] * torch.eye(3) + (1 - saturation)[:, None, None] * grey
    keep = (1 - light.abs())[:, None, None]
    offset = keep[..., 0] * tint + light.clamp(min=0)[:, None]
    return keep * mixed, offset[..., None]


def mixed(pictures: Tensor, gain: Tensor, offset: Tensor) -> Tensor:
    """The pictures with their channels mixed as `mixing` says."""
    lit = torch.baddbmm(offset, gain, pictures.flatten(2)).clamp_(0, 1)
    return lit.view_as(pictures)


def turning(draw: Draw, power: float) -> Tensor:
    """Random hue (degrees), saturation and value to add, as DeepFaceLab draws them.  # (N, 3)"""
    most = max(1, int(180 * power))
    hue = draw.whole(2 * most + 1) - most
    return torch.cat((hue[:, None].float(), draw.uniform(2) * (power / 2)), 1)


def turned(pictures: Tensor, change: Tensor) -> Tensor:
    """The pictures with `change` (N, 3) added to their hue, saturation and value."""
    blue, green, red = pictures.unbind(1)
    value = pictures.amax(1)
    span = value - pictures.amin(1)
    safe = span.clamp(min=1e-12)
    hue = torch.where(green == value, (blue - red) / safe + 2, (red - green) / safe + 4)
    hue = torch.where(red == value, (green - blue) / safe, hue)  # also grey, as OpenCV
    saturation = span / value.clamp(min=1e-12)
    hue = hue + (change[:, 0] / 60)[:, None, None]
    saturation = (saturation + change[:, 1, None, None]).clamp_(0, 1)
    value = (value + change[:, 2, None, None]).clamp_(0, 1)
    made = []
    for corner in (1.0, 3.0, 5.0):
        place = torch.remainder(hue + corner, 6)
        share = torch.minimum(place, 4 - place).clamp_(0, 1)
        made.append(value - value * saturation * share)
    return torch.stack(made, 1)


def to_lab(pictures: Tensor) -> Tensor:
    """BGR as L*a*b*, each channel 0..1: L* / 100, (a* + 128) / 255, (b* + 128) / 255."""
    curve = _power((pictures + 0.055) / 1.055, 2.4)
    linear = torch.where(pictures <= 0.04045, pictures / 12.92, curve)
    white = torch.tensor(_WHITE, device=pictures.device)
    xyz = _product(linear, torch.tensor(_TO_XYZ, device=pictures.device) / white[:, None])
    bent = torch.where(xyz > _KNEE, _power(xyz.clamp(min=_KNEE), 1 / 3), _SLOPE * xyz + _FOOT)
    x, y, z = bent.unbind(1)
    lightness = (116 * y - 16) / 100
    return torch.stack((lightness, (500 * (x - y) + 128) / 255, (200 * (y - z) + 128) / 255), 1)


def from_lab(lab: Tensor) -> Tensor:
    """The opposite of `to_lab`; colours that no screen shows are clipped."""
    lightness, a, b = lab.unbind(1)
    y = (lightness * 100 + 16) / 116
    bent = torch.stack((y + (a * 255 - 128) / 500, y, y - (b * 255 - 128) / 200), 1)
    xyz = torch.where(bent > _KNEE ** (1 / 3), bent**3, (bent - _FOOT) / _SLOPE)
    white = torch.tensor(_WHITE)
    back = torch.linalg.inv(torch.tensor(_TO_XYZ, dtype=torch.float64) / white.double()[:, None])
    linear = _product(xyz, back.float().to(lab.device)).clamp_(0, 1)
    curve = _power(linear.clamp(min=1e-4), 1 / 2.4).mul_(1.055).sub_(0.055)
    return torch.where(linear <= 0.0031308, linear * 12.92, curve)


def leaning(draw: Draw, light: float, color: float) -> Tensor:
    """Shares by which L*, a* and b* move: up towards their top, or down towards nothing.

    # (N, 3), faceswap's draw
    """
    return draw.uniform(3) * torch.tensor((light, color, color))


def leant(lab: Tensor, shares: Tensor) -> Tensor:
    """The pictures, as `to_lab` gives them, moved by `shares` (N, 3)."""
    up = shares[..., None, None].clamp(min=0)
    return lab * (1 - shares.abs()[..., None, None]) + up


def _product(pictures: Tensor, matrix: Tensor) -> Tensor:
    return (matrix @ pictures.flatten(2)).view_as(pictures)


def _power(values: Tensor, exponent: float) -> Tensor:
    """Powers of values above 0, in a third of the time that `**` takes."""
    return values.log().mul_(exponent).exp_()
