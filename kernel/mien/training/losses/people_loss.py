"""How far the faces of two people are from what they should be, in the measures that users chose.

Where a measure has a value for every pixel, pixels count as the mask and the multipliers say; where
it has one for a picture, it looks at the face, then once more at the eyes and at the mouth.
"""
# ruff: noqa: TID253  (only trainers import this module)

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as nnf

from ...errors import ConfigError
from ..base import Side
from ..learning.people_options import PeopleOptions
from .table import LOSSES, SMALLEST, WHOLE, widened
from .terms import mean_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wanted:
    """What a net shall give back in one size.

    face  (N, 3, S, S);  regions  parts of it (N, 1, S, S), 0..1, and how much each one counts
    """

    face: Tensor
    regions: tuple[tuple[Tensor | None, float], ...]

    @property
    def weight(self) -> Tensor | float:
        """How much every pixel counts."""
        shares = [extent if part is None else part * extent for part, extent in self.regions]
        return sum(shares[1:], start=shares[0])


class PeopleLoss:
    """The loss of a model of two people."""

    def __init__(self, options: PeopleOptions, sizes: tuple[int, ...]) -> None:
        """sizes  sides of the faces that the net makes, in pixels, small ones first

        Raises ConfigError where a face is too small for a measure.
        """
        self._options, self._sizes = options, sizes
        problems = tuple(
            f"the loss {name} needs faces of {SMALLEST[name]} pixels; the model makes {sizes[0]}"
            for name, _ in options.measures
            if sizes[0] < SMALLEST.get(name, 0)
        )
        if problems:
            raise ConfigError(problems)

    def __call__(self, faces: tuple[Tensor, ...], mask: Tensor | None, side: Side) -> Tensor:
        """(N,): the loss of every sample; of all sizes of its face and of its mask."""
        loss = torch.zeros(len(side.face), device=side.face.device)
        for made in faces:
            wanted = self._wanted(side, made.shape[-1])
            for name, weight in self._options.measures:
                loss = loss + weight * _difference(name, made, wanted)
        if mask is not None:
            loss = loss + mean_of(LOSSES[self._options.mask_loss](mask, side.mask))
        return loss

    def _wanted(self, side: Side, size: int) -> Wanted:
        options = self._options
        face, mask, focus = (_sized(each, size) for each in (side.face, side.mask, side.focus))
        inside = widened(mask, options.margin / 100) if options.masked else None
        regions: list[tuple[Tensor | None, float]] = [(inside, 1.0)]
        extras = (options.eye_multiplier - 1, options.mouth_multiplier - 1)
        if any(extras):
            for part, extra in zip(eyes_and_mouth(focus), extras, strict=True):
                if extra:
                    regions.append((part if inside is None else part * inside, extra))
        return Wanted(face=face, regions=tuple(regions))


def eyes_and_mouth(focus: Tensor) -> tuple[Tensor, Tensor]:
    """The map of both (N, 1, S, S) cut into eyes and mouth, between two rows.

    Faces stand upright in their crops.  The cut is where both parts are most apart and most of a
    piece.  Source: Otsu 1979, eq. 18, for the weights of the rows.
    """
    rows = torch.arange(focus.shape[-2], device=focus.device, dtype=torch.float32)
    weight = focus.float().sum((1, 3))  # (N, S)
    share = weight / weight.sum(1, keepdim=True).clamp(min=1e-6)
    above, moment = share.cumsum(1), (share * rows).cumsum(1)
    apart = (moment[:, -1:] * above - moment).square() / (above * (1 - above)).clamp(min=1e-4)
    last = apart.argmax(1)  # the eyes' last row
    upper = (rows <= last[:, None])[:, None, :, None]
    return focus * upper, focus * ~upper


def _difference(name: str, made: Tensor, wanted: Wanted) -> Tensor:
    """(N,): one measure of one picture."""
    find = LOSSES[name]
    if name not in WHOLE:
        return mean_of(find(made, wanted.face) * wanted.weight)
    total = torch.zeros(len(made), device=made.device)
    for part, extent in wanted.regions:
        seen = 1.0 if part is None else part
        total = total + extent * find(made * seen, wanted.face * seen)
    return total


def _sized(values: Tensor, size: int) -> Tensor:
    if values.shape[-1] == size:
        return values
    return nnf.interpolate(values, size=(size, size), mode="area")
