"""Random geometry, colour and warp, for a whole batch at once on the training device.

Every draw comes from one generator in one order, so a batch depends on its seed and its options,
and on nothing else.  Geometry and warp are one sampling grid: a face is interpolated once.
"""
# ruff: noqa: TID253  (only the training loop imports this module)

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as nnf

from ..base import Side
from ..options_data import DataOptions
from . import colours
from .clahe import clahe, places_of
from .draw import Draw
from .warps import Move, Warp


class Augmenter:
    """Makes batches of one side out of cached faces."""

    def __init__(
        self,
        options: DataOptions,
        size: int,
        device: torch.device,
        *,
        flip: float = 0.0,
        hsv_power: float = 0.0,
        warp: Warp | None = None,
    ) -> None:
        """size  side at which the faces are cached, in pixels

        flip, hsv_power, warp  this side's own;  no warp where None
        """
        self._options, self._size, self._device = options, size, device
        self._flip, self._hsv_power = flip, hsv_power
        self._axis = (torch.arange(size, device=device) * 2 + 1) / size - 1  # (P,), -1..1
        self._warp = warp

    def plain(self, faces: Tensor, input_size: int, output_size: int) -> Side:
        """The faces (N, 5, P, P) uint8 BGR, mask, focus as they are."""
        values = self._unit(faces)
        return _side(values[:, :3], values, input_size, output_size)

    def random(
        self,
        faces: Tensor,
        rows: Tensor,
        input_size: int,
        output_size: int,
        generator: torch.Generator,
    ) -> Side:
        """The faces (N, 5, P, P) uint8 BGR, mask, focus under random light, geometry and warp.

        rows       (N,) which faces of the faceset they are
        generator  on the CPU, so that a seed means the same on every device
        What the net sees is warped; what it shall give back is not, but lit and moved alike.
        """
        draw = Draw(generator, len(faces))
        move = self._geometry(draw).to(self._device)
        values = self._lit(self._unit(faces), draw)
        straight = move.places(self._axis)
        face = self._sample(values, straight)
        face[:, 3:] *= (straight.abs().amax(1, keepdim=True) <= 1).float()
        if self._warp is None:
            seen = face[:, :3]
        else:
            drawn = self._warp.draw(draw, rows).to(self._device)
            seen = self._sample(values[:, :3], straight.add_(self._warp.bend(drawn, move)))
        side = _side(seen, face, input_size, output_size)
        if not self._hsv_power:
            return side
        change = colours.turning(draw, self._hsv_power).to(self._device)
        warped = colours.turned(side.warped, change)
        return Side(warped=warped, face=side.face, mask=side.mask, focus=side.focus)

    def _unit(self, faces: Tensor) -> Tensor:
        """On the device, 0..1."""
        return faces.to(self._device, non_blocking=True).float().div_(255)

    def _sample(self, values: Tensor, places: Tensor) -> Tensor:
        """The pictures at `places` (N, 2, P, P), -1..1; their edges go on outside."""
        grid = places.permute(0, 2, 3, 1)
        return nnf.grid_sample(values, grid, padding_mode="border", align_corners=False)

    def _geometry(self, draw: Draw) -> Move:
        """From a place in the result to one in the face."""
        options = self._options
        angle = draw.uniform() * math.radians(options.rotation)
        scale = 1 + draw.uniform() * options.zoom
        shift = torch.stack((draw.uniform(), draw.uniform()), 1) * (2 * options.shift)
        mirror = torch.where(draw.chance(self._flip), -1.0, 1.0)
        cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
        rows = (torch.stack((cos * mirror, sin), 1), torch.stack((-sin * mirror, cos), 1))
        return Move(linear=torch.stack(rows, 1), shift=shift)

    def _lit(self, values: Tensor, draw: Draw) -> Tensor:
        """The faces under other light; mask and focus as they are."""
        options = self._options
        if options.color:
            gain, offset = colours.mixing(draw, options.color)
            gain, offset = gain.to(self._device), offset.to(self._device)
            values[:, :3] = colours.mixed(values[:, :3], gain, offset)
        if options.lab_light or options.lab_color or options.clahe:
            self._relight(values, draw)
        return values

    def _relight(self, values: Tensor, draw: Draw) -> None:
        """Change lightness, colours and contrast in L*a*b*, in place."""
        options = self._options
        shares = colours.leaning(draw, options.lab_light, options.lab_color)
        evened = draw.chance(options.clahe)
        places = places_of(draw, self._size, options.clahe_size)[evened]
        seen = torch.ones_like(evened) if bool(shares.any()) else evened
        rows, chosen = (which.nonzero()[:, 0].to(self._device) for which in (seen, evened[seen]))
        lab = colours.leant(colours.to_lab(values[rows, :3]), shares[seen].to(self._device))
        lab[chosen, 0] = clahe(lab[chosen, 0], places)
        values[rows, :3] = colours.from_lab(lab)


def _side(warped: Tensor, face: Tensor, input_size: int, output_size: int) -> Side:
    seen = _resize(warped, input_size)
    wanted = _resize(face, output_size)
    return Side(warped=seen, face=wanted[:, :3], mask=wanted[:, 3:4], focus=wanted[:, 4:5])


def _resize(values: Tensor, size: int) -> Tensor:
    if values.shape[-1] == size:
        return values.contiguous()
    return nnf.interpolate(values, size=(size, size), mode="area")
