"""Contrast limited adaptive histogram equalisation, for a whole batch with places of any size.

As OpenCV's where the picture is a multiple of its places; where it is not, places differ by a pixel
instead of reaching over the edge.  Source: Zuiderveld 1994.
"""
# ruff: noqa: TID253  (only the training loop imports this module)

from __future__ import annotations

import torch
from torch import Tensor

from .draw import Draw

_LEVELS = 256
_LIMIT = 2.0


def places_of(draw: Draw, size: int, steps: int) -> Tensor:
    """Places a side for each face, as faceswap draws them.  # (N,)"""
    base = max(2, size // 128)
    return base + draw.whole(steps + 1) * (base // 2)


def clahe(light: Tensor, places: Tensor) -> Tensor:
    """The channel with its contrast evened out in each of its places.

    light  (N, P, P) float32 0..1;  places  (N,) how many a side.  Returns (N, P, P) in 256 steps.
    """
    count, size, _ = light.shape
    if count == 0:
        return light
    most = int(places.max())
    places = places.to(light.device)
    level = (light * (_LEVELS - 1)).round().long().clamp_(0, _LEVELS - 1)
    curves = _curves(level, places, most)

    across = torch.arange(size, device=light.device) * places[:, None] / size - 0.5
    first = across.floor()
    share = across - first  # (N, P)
    low = first.clamp(min=0).long()
    high = torch.minimum(first.long() + 1, places[:, None] - 1)
    face = torch.arange(count, device=light.device)[:, None, None] * (most * most * _LEVELS)
    level += face

    def seen(rows: Tensor, columns: Tensor) -> Tensor:
        place = rows[:, :, None] * most + columns[:, None, :]
        return curves[level + place * _LEVELS]

    right = share[:, None, :]
    above = torch.lerp(seen(low, low), seen(low, high), right)
    below = torch.lerp(seen(high, low), seen(high, high), right)
    return torch.lerp(above, below, share[:, :, None]).round_() / (_LEVELS - 1)


def _curves(level: Tensor, places: Tensor, most: int) -> Tensor:
    """New level of each level in each place, 0..255.  # (N * most * most * 256,)

    Counted and summed as whole numbers, which every device does alike.
    """
    count, size, _ = level.shape
    step = torch.arange(size, device=level.device) * places[:, None] // size  # (N, P)
    place = step[:, :, None] * most + step[:, None, :]
    face = torch.arange(count, device=level.device)[:, None, None] * (most * most)
    index = ((face + place) * _LEVELS + level).flatten()
    bins = torch.zeros(count * most * most * _LEVELS, dtype=torch.int64, device=level.device)
    bins.scatter_add_(0, index, torch.ones_like(index))
    bins = bins.view(-1, _LEVELS)
    area = bins.sum(1, keepdim=True)
    limit = (area * _LIMIT / _LEVELS).floor().clamp(min=1).long()
    kept = bins.minimum(limit)
    cut = area - kept.sum(1, keepdim=True)
    each, rest = cut // _LEVELS, cut % _LEVELS
    # What is left over goes to levels that lie evenly apart, from the darkest on.
    apart = (_LEVELS // rest.clamp(min=1)).clamp(min=1)
    levels = torch.arange(_LEVELS, device=level.device)
    more = (levels % apart == 0) & (levels // apart < rest)
    summed = (kept + each + more).cumsum(1)
    return (summed * ((_LEVELS - 1) / area.clamp(min=1))).round_().clamp_(0, 255).flatten()
