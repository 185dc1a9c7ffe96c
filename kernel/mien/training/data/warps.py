"""The random warps that a net has to undo, for a whole batch at once.

A warp is drawn on the CPU (`draw`) and bent into a field on the device (`bend`).  Places run from
-1 to 1 over the crop, edge to edge.  A field says how far beside its own place, in the face, each
pixel of the result is taken from.
"""
# ruff: noqa: TID253  (only the training loop imports this module)

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from .draw import Draw

_CELLS = 5
_SIGMA = 5 / 256
"""Jitter of the grid's points, of the crop's side: 5 pixels in a crop of 256."""
_SHOWN = 0.8
"""Share of the jittered grid that the crop shows; a tenth is cut off at each end."""

_PARTS = (2, 4, 8)
_FAR = 2.5
_REACH = 0.24


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Move:
    """Where the results' places lie in the faces, before any warp: `linear @ place + shift`.

    linear  (N, 2, 2);  shift  (N, 2)
    """

    linear: Tensor
    shift: Tensor

    def to(self, device: torch.device) -> Move:
        """The same on another device."""
        return Move(linear=self.linear.to(device), shift=self.shift.to(device))

    def places(self, axis: Tensor) -> Tensor:
        """For each of the results' columns and rows, given as places (P,), x and y in the face.

        Returns (N, 2, P, P).  Sums, not a matrix product: a GPU may compute products in fewer
        bits, which moves a face of 256 pixels by a tenth of one.
        """
        across = self.linear[:, :, 0, None] * axis + self.shift[..., None]
        down = self.linear[:, :, 1, None] * axis
        return across[:, :, None, :] + down[..., None]


class Warp(Protocol):
    """One kind of warp, for one side."""

    def draw(self, draw: Draw, rows: Tensor) -> Tensor:
        """The random part for these faces, on the CPU."""
        ...

    def bend(self, drawn: Tensor, move: Move) -> Tensor:
        """The field (N, 2, P, P) on the device."""
        ...


class GridWarp:
    """A jittered grid of 5 x 5 points, as faceswap's: the field between them is bilinear.

    Not as there: what leaves the picture shows its edge, not black, and no face is shifted by
    half a pixel.
    """

    def __init__(self, size: int, strength: float, device: torch.device) -> None:
        self._spread = _grid_weights(size).to(device)
        self._reach = 2 * _SIGMA * strength

    def draw(self, draw: Draw, rows: Tensor) -> Tensor:
        """How far each point is off.  # (N, 2, 5, 5)"""
        return draw.normal(2, _CELLS, _CELLS) * self._reach

    def bend(self, drawn: Tensor, move: Move) -> Tensor:
        """The field (N, 2, P, P)."""
        return self._spread @ _turned(drawn, move) @ self._spread.T


class DflWarp:
    """DeepFaceLab's: a grid of 2, 4 or 8 cells a side, its inner points off by up to 0.24 cells.

    Not as there: x and y are independent (its field is symmetric), and what is seen is not half a
    pixel beside what is wanted.  `parity_warp` repeats the original.
    """

    def __init__(self, size: int, strength: float, device: torch.device) -> None:
        most = max(_PARTS) + 1
        spreads = [_node_weights(size, parts) for parts in _PARTS]
        padded = [torch.nn.functional.pad(each, (0, most - each.shape[1])) for each in spreads]
        self._spread = torch.stack(padded)  # (3, P, 9)
        self._device, self._strength = device, strength
        inner = torch.zeros(len(_PARTS), most, most)
        for index, parts in enumerate(_PARTS):
            inner[index, 1:parts, 1:parts] = _REACH / _FAR * 2 / parts * strength
        self._inner = inner
        self._on_device = self._spread.to(device)

    def draw(self, draw: Draw, rows: Tensor) -> Tensor:
        """How far each point is off, and the number of the grid before them.  # (N, 1 + 2*81)"""
        which = draw.whole(len(_PARTS))
        side = self._inner.shape[-1]
        off = draw.bounded_normal(_FAR, 2, side, side) * self._inner[which][:, None]
        return torch.cat((which[:, None].float(), off.flatten(1)), 1)

    def bend(self, drawn: Tensor, move: Move) -> Tensor:
        """The field (N, 2, P, P)."""
        side = self._inner.shape[-1]
        spread = self._on_device[drawn[:, 0].long()][:, None]  # (N, 1, P, 9)
        off = _turned(drawn[:, 1:].reshape(-1, 2, side, side), move)
        return spread @ off @ spread.mT


def _turned(off: Tensor, move: Move) -> Tensor:
    """Distances (N, 2, G, G) in the result as distances in the face."""
    columns = move.linear[..., None, None]  # (N, 2, 2, 1, 1)
    return columns[:, :, 0] * off[:, :1] + columns[:, :, 1] * off[:, 1:]


def _grid_weights(size: int) -> Tensor:
    """Bilinear weights (P, 5) that stretch the grid over the crop, a tenth beyond each edge.

    The grid's points are taken as centres of cells, as a resize does.
    """
    share = (torch.arange(size) + 0.5) / size * _SHOWN + (1 - _SHOWN) / 2
    return _between((share * _CELLS - 0.5).clamp(0, _CELLS - 1), _CELLS)


def _node_weights(size: int, parts: int) -> Tensor:
    """Bilinear weights (P, parts + 1) of points on the crop's edges and between its cells."""
    return _between((torch.arange(size) + 0.5) / size * parts, parts + 1)


def _between(place: Tensor, nodes: int) -> Tensor:
    return (1 - (place[:, None] - torch.arange(nodes)).abs()).clamp(min=0)
