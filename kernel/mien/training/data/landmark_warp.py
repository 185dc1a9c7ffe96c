"""The warp that gives a face the shape of a similar face of the other person.

faceswap's `warp to landmarks`, which DFaker was made for: the net learns to tell expression from
shape.  A face's landmarks move to those of one of its nearest neighbours on the other side, and
each of them trembles a little.  Here a thin plate goes through the points, not flat triangles
between them: it has no creases, it may leave points aside that contradict each other (lips that
touch), and a batch of them is one matrix.  Out(x, y) shows in(source(x, y)); the original exchanged
the axes there.
"""
# ruff: noqa: TID253  (only the training loop imports this module)

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from ...arrays import Points
from .draw import Draw
from .warps import Move

_NEAREST = 10
_TREMBLE = 2 / 256
"""Deviation of each point, of the crop's side."""
_JAW, _CORE = 17, slice(17, 68)
_LATTICE = 33
_STIFF = 2e-3
"""How much the plate resists; points a hundredth of the crop apart may then differ by a little."""
_LOOSE = 1e6
"""A point with this resistance is not held at all."""
_AT_ONCE = 1024


class LandmarkWarp:
    """Moves the faces of one side onto those of the other."""

    def __init__(
        self, own: Tensor, other: Tensor, size: int, strength: float, device: torch.device
    ) -> None:
        """own, other  (N, 68, 2) and (M, 68, 2), pixels of crops of `size`."""
        self._own, self._other = _places(own, size), _places(other, size)
        self._hidden, self._other_hidden = _hidden_jaw(own), _hidden_jaw(other)
        self._near = nearest(self._own, self._other)
        self._strength, self._device = strength, device
        edge = (-1.0, 0.0, 1.0)
        held = [(x, y) for x in edge for y in edge if (x, y) != (0, 0)]
        self._held = torch.tensor(held, dtype=torch.float64)
        self._lattice = torch.linspace(-1, 1, _LATTICE, device=device)
        middle = (torch.arange(size) + 0.5) / size * (_LATTICE - 1)
        off = (middle[:, None] - torch.arange(_LATTICE)).abs()
        self._spread = (1 - off).clamp(min=0).to(device)  # (P, 33)

    def draw(self, draw: Draw, rows: Tensor) -> Tensor:
        """Points where the plate is held and its pull there, and the plate's tilt.

        Returns (N, 79, 4) float32: x, y of the point, pull in x and y; the last three rows hold
        the tilt in their last two columns.
        """
        near = self._near[rows]
        column = (draw.whole(near.shape[1]))[:, None]
        twins = near.gather(1, column)[:, 0]
        shaken = self._other[twins] + draw.normal(68, 2).double() * (2 * _TREMBLE)
        start, hidden = self._own[rows], self._hidden[rows] | self._other_hidden[twins]
        held = self._held.expand(len(rows), -1, -1)
        onto = torch.cat((shaken, held), 1)
        way = torch.cat((start - shaken, torch.zeros_like(held)), 1) * self._strength
        resist = torch.full(onto.shape[:2], _STIFF, dtype=torch.float64)
        resist[:, :_JAW][hidden] = _LOOSE
        pulls = _plates(onto, way, resist)
        return torch.cat((torch.nn.functional.pad(onto, (0, 0, 0, 3)), pulls), 2).float()

    def bend(self, drawn: Tensor, move: Move) -> Tensor:
        """The field (N, 2, P, P): exact on a lattice, bilinear between."""
        places = move.places(self._lattice).flatten(2).mT  # (N, L*L, 2)
        points, pulls, tilt = drawn[:, :-3, :2], drawn[:, :-3, 2:], drawn[:, -3:, 2:]
        rise = _rise(_squares(places, points))
        field = torch.einsum("nlk,nkc->ncl", rise, pulls)
        field = field + tilt[:, 0, :, None]
        for axis in (0, 1):
            field = field + places[:, None, :, axis] * tilt[:, axis + 1, :, None]
        nodes = field.view(-1, 2, _LATTICE, _LATTICE)
        made: Tensor = self._spread @ nodes @ self._spread.T
        return made


def nearest(own: Tensor, other: Tensor) -> Tensor:
    """For each face of `own`, the ten of `other` whose landmarks lie nearest.  # (N, <= 10)"""
    count = min(_NEAREST, len(other))
    flat = other.flatten(1)
    parts = [
        torch.cdist(part.flatten(1), flat).topk(count, largest=False).indices
        for part in torch.split(own, _AT_ONCE)
    ]
    return torch.cat(parts)


def _places(points: Tensor, size: int) -> Tensor:
    """Pixels as places -1..1, edge to edge."""
    return ((points.double() + 0.5) * 2 / size) - 1


def _plates(points: Tensor, values: Tensor, resist: Tensor) -> Tensor:
    """Pulls and tilt of the thin plates through values (N, K, 2) at points (N, K, 2).

    resist  (N, K), 0 where the value must be met exactly.  Returns (N, K + 3, 2).
    Source: Wahba 1990, eq. 2.4.23.
    """
    count, many = points.shape[:2]
    system = torch.zeros(count, many + 3, many + 3, dtype=points.dtype)
    system[:, :many, :many] = _rise(_squares(points, points)) + torch.diag_embed(resist)
    flat = torch.cat((torch.ones(count, many, 1, dtype=points.dtype), points), 2)
    system[:, :many, many:] = flat
    system[:, many:, :many] = flat.mT
    pulls: Tensor = torch.linalg.solve(system, torch.nn.functional.pad(values, (0, 0, 0, 3)))
    return pulls


def _squares(first: Tensor, second: Tensor) -> Tensor:
    """Squared distances (N, A, B).

    By differences: what `cdist` gets from products loses all digits of near points.
    """
    across = first[:, :, None, 0] - second[:, None, :, 0]
    down = first[:, :, None, 1] - second[:, None, :, 1]
    return across.square_().add_(down.square_())


def _rise(squares: Tensor) -> Tensor:
    """What a thin plate does at this squared distance from a pull: r² log r²; 0 at the point."""
    return squares.clamp(min=1e-30).log_().mul_(squares)  # `xlogy` takes five times as long


def _hidden_jaw(points: Tensor) -> Tensor:
    """Which of the jaw's points lie in or on the hull of brows, eyes, nose and mouth.

    A head turned aside hides one side of its jaw; its points then tell nothing.  # (N, 17) bool
    """
    found = torch.zeros(len(points), _JAW, dtype=torch.bool)
    for index, face in enumerate(points.numpy()):
        core: Points = np.asarray(cv2.convexHull(face[_CORE]), np.float32)
        found[index] = torch.tensor([_inside(core, point) for point in face[:_JAW]])
    return found


def _inside(hull: Points, point: Points) -> bool:
    return cv2.pointPolygonTest(hull, (float(point[0]), float(point[1])), False) >= 0
