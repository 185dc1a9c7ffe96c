"""How far a reconstructed face is from the face it should be: what autoencoders learn from.

The weights are those with which DeepFaceLab's models are trained; a sum over the batch of these
values is its objective, a mean is ours.
"""
# ruff: noqa: TID253  (only trainers import this module)

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..base import Side
from . import terms

STRUCTURE, PIXELS, FOCUS, MASK = 10.0, 10.0, 300.0, 10.0
_COARSE, _FINE = 11.6, 23.2
"""The windows of the structural term, as parts of the picture's side."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wanted:
    """What a net shall give back.

    face    (N, 3, S, S), its background blurred where that is asked for
    mask    (N, 1, S, S);  weight  (N, 1, S, S) how much each pixel counts;  focus  (N, 1, S, S)
    """

    face: Tensor
    mask: Tensor
    weight: Tensor
    focus: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceLoss:
    """The loss of one face model.

    size     side of its pictures in pixels
    masked   what lies outside the mask does not count
    focus    eyes and mouth count very much
    blur     the background of what it shall give back is blurred
    windows  of the structural term: 1 large, or 2; 0 takes 2 from 256 pixels on
    hard     the mask's weight is the blurred mask as it is, as Quick96 has it
    """

    size: int
    masked: bool = True
    focus: bool = False
    blur: bool = False
    windows: int = 0
    hard: bool = False

    def wanted(self, side: Side) -> Wanted:
        """What is to be given back for one side of a batch."""
        face, mask = side.face.float(), side.mask.float()
        sigma = max(1, self.size // 32)
        weight = terms.gaussian(mask, sigma) if self.hard else terms.mask_weight(mask, sigma)
        if self.blur:
            face = terms.blur_outside(face, mask, self.size / 128)
        return Wanted(face=face, mask=mask, weight=weight, focus=side.focus.float())

    def __call__(self, made: Tensor, made_mask: Tensor | None, wanted: Wanted) -> Tensor:
        """(N,): the loss of every face."""
        made = made.float()
        loss = self.difference(self.shown(made, wanted), self.shown(wanted.face, wanted))
        if self.focus:
            gap = (wanted.face * wanted.focus - made * wanted.focus).abs()
            loss = loss + FOCUS * terms.mean_of(gap)
        if made_mask is not None:
            gap = (wanted.mask - made_mask.float()).square()
            loss = loss + MASK * terms.mean_of(gap)
        return loss

    def difference(self, made: Tensor, wanted: Tensor, strength: float = 1.0) -> Tensor:
        """(N,): structure and pixels of two pictures."""
        large, small = int(self.size / _COARSE), int(self.size / _FINE)
        if self.windows == 2 or (not self.windows and self.size >= 256):
            structure = 0.5 * (
                terms.dssim(made, wanted, large).mean(1) + terms.dssim(made, wanted, small).mean(1)
            )
        else:
            structure = terms.dssim(made, wanted, large).mean(1)
        pixels = terms.mean_of((made.float() - wanted.float()).square())
        return strength * (STRUCTURE * structure + PIXELS * pixels)

    def shown(self, picture: Tensor, wanted: Wanted) -> Tensor:
        """The part of a picture that counts."""
        return picture * wanted.weight if self.masked else picture


def outside(made: Tensor, wanted: Wanted) -> Tensor:
    """(N,): squared difference outside the mask, which keeps a GAN from painting there."""
    gap = (made.float() - wanted.face) * (1 - wanted.weight)
    return terms.mean_of(gap.square())


def total(losses: Tensor, *, parity: bool) -> Tensor:
    """One number for a batch: the mean, or the sum with which DeepFaceLab steps."""
    return losses.sum() if parity else losses.mean()
