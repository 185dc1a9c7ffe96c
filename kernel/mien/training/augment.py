"""Random geometry, colour and warp, for a whole batch at once on the training device.

Every draw comes from one generator in one order, so a batch depends on its seed and on nothing
else.  Geometry and warp are one sampling grid: a face is interpolated once.
"""
# ruff: noqa: TID253  (only the training loop imports this module)

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as nnf

from .base import Side
from .options import TrainOptions

_CELLS = 5
_WARP_SIGMA = 5 / 256
"""Jitter of the grid's points, of the crop's side: 5 pixels in a crop of 256."""
_WARP_SHOWN = 0.8
"""Share of the jittered grid that the crop shows; a tenth is cut off at each end."""

_LIGHT, _SATURATION, _TINT = 0.3, 0.25, 0.04
_LUMA = (0.114, 0.587, 0.299)  # of B, G, R


class Augmenter:
    """Makes batches out of cached faces; size is the side at which they are cached, in pixels."""

    def __init__(self, options: TrainOptions, size: int, device: torch.device) -> None:
        self._options = options
        self._device = device
        self._size = size
        axis = (torch.arange(size, device=device) * 2 + 1) / size - 1
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        self._plane = torch.stack((x, y)).reshape(1, 2, -1)  # (1, 2, P*P), -1..1
        self._spread = _spread_matrix(size).to(device)

    def plain(self, faces: Tensor, input_size: int, output_size: int) -> Side:
        """The faces (N, 5, P, P) uint8 BGR, mask, focus as they are."""
        values = faces.to(self._device).float().div_(255)
        return _side(values[:, :3], values, input_size, output_size)

    def random(
        self, faces: Tensor, input_size: int, output_size: int, generator: torch.Generator
    ) -> Side:
        """The faces (N, 5, P, P) uint8 BGR, mask, focus under random light, geometry and warp.

        generator  on the CPU, so that a seed means the same on every device
        What the net sees is warped; what it shall give back is not, but lit and moved alike.
        """
        count = len(faces)
        draw = _Draw(generator, count)
        linear, shift = (part.to(self._device) for part in self._geometry(draw))
        gain, offset = (part.to(self._device) for part in self._colour(draw))
        jitter = draw.normal(2, _CELLS, _CELLS) * (2 * _WARP_SIGMA * self._options.warp)

        values = faces.to(self._device).float().div_(255)
        lit = torch.baddbmm(offset, gain, values[:, :3].flatten(2)).clamp_(0, 1)
        values[:, :3] = lit.view_as(values[:, :3])

        straight = torch.baddbmm(shift, linear, self._plane.expand(count, -1, -1))
        face = self._sample(values, straight)
        if self._options.warp == 0:
            return _side(face[:, :3], face, input_size, output_size)
        rough = jitter.to(self._device)
        smooth = (self._spread @ rough @ self._spread.T).flatten(2)  # (N, 2, P*P)
        warped = self._sample(values[:, :3], straight + linear @ smooth)
        return _side(warped, face, input_size, output_size)

    def _sample(self, values: Tensor, points: Tensor) -> Tensor:
        """The pictures at `points` (N, 2, P*P), -1..1; their edges go on outside."""
        grid = points.view(-1, 2, self._size, self._size).permute(0, 2, 3, 1)
        return nnf.grid_sample(values, grid, padding_mode="border", align_corners=False)

    def _geometry(self, draw: _Draw) -> tuple[Tensor, Tensor]:
        """Matrices (N, 2, 2) and shifts (N, 2, 1) from a place in the result to one in the face."""
        options = self._options
        angle = draw.uniform() * math.radians(options.rotation)
        scale = 1 + draw.uniform() * options.zoom
        shift = torch.stack((draw.uniform(), draw.uniform()), 1) * (2 * options.shift)
        mirror = torch.where(draw.chance(options.flip), -1.0, 1.0)
        cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
        rows = (torch.stack((cos * mirror, sin), 1), torch.stack((-sin * mirror, cos), 1))
        return torch.stack(rows, 1), shift[..., None]

    def _colour(self, draw: _Draw) -> tuple[Tensor, Tensor]:
        """Matrices (N, 3, 3) and offsets (N, 3, 1): light, saturation and tint in one."""
        strength = self._options.color
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


class _Draw:
    """Random numbers for a batch of `count`, always on the CPU."""

    def __init__(self, generator: torch.Generator, count: int) -> None:
        self._generator, self._count = generator, count

    def uniform(self, *shape: int) -> Tensor:
        return torch.rand(self._count, *shape, generator=self._generator) * 2 - 1

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(self._count, *shape, generator=self._generator)

    def chance(self, probability: float) -> Tensor:
        return torch.rand(self._count, generator=self._generator) < probability


def _side(warped: Tensor, face: Tensor, input_size: int, output_size: int) -> Side:
    seen = _resize(warped, input_size)
    wanted = _resize(face, output_size)
    return Side(warped=seen, face=wanted[:, :3], mask=wanted[:, 3:4], focus=wanted[:, 4:5])


def _resize(values: Tensor, size: int) -> Tensor:
    if values.shape[-1] == size:
        return values.contiguous()
    return nnf.interpolate(values, size=(size, size), mode="area")


def _spread_matrix(size: int) -> Tensor:
    """Bilinear weights (P, 5) that stretch the grid over the crop, a tenth beyond each edge.

    The grid's points are taken as centres of cells, as a resize does, but the pixels stay where
    they are: the original of this warp also shifts every face by half a pixel.
    """
    share = (torch.arange(size) + 0.5) / size * _WARP_SHOWN + (1 - _WARP_SHOWN) / 2
    place = (share * _CELLS - 0.5).clamp(0, _CELLS - 1)
    nodes = torch.arange(_CELLS)
    return (1 - (place[:, None] - nodes).abs()).clamp(min=0)
