"""Faces and their masks in all the conditions that a clip may bring, for a batch at once.

What DeepFaceLab varies for its XSeg, in torch: another face behind or beside, geometry and warp of
picture and mask together, glare on the face or behind it, colours, blur, lost detail, JPEG; much of
it only within a faded circle, so that a face is not of one quality throughout.
"""
# ruff: noqa: TID253  (imported only when a training begins)

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as nnf

_TURN, _ZOOM, _SHIFT, _FLIP = 10.0, 0.05, 0.05, 0.4
_WARP = 0.02
_CELLS = 6
# JPEG's table for luminance, which serves all channels here.  Source: ITU-T T.81, annex K.
_TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


class Variations:
    """Draws from one generator on the CPU, so that a seed means the same on every device."""

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator

    def __call__(self, images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (N, 3, S, S) BGR 0..1 and masks (N, 1, S, S), varied; the masks are 0 or 1."""
        masks = (masks > 0.5).to(images.dtype)
        images, masks = self._mix(images, masks)
        images, masks = self._move(images, masks, _TURN, _ZOOM, _SHIFT, _WARP)
        masks = (masks > 0.5).to(images.dtype)
        images = self._glare(images, masks)
        images = self._within_circle(images, self._colours(images), 1.0)
        images = self._within_circle(images, self._blurred(images), 0.25)
        images = self._within_circle(images, self._coarse(images), 0.25)
        images = images.clamp(0, 1)
        return self._within_circle(images, self._compressed(images), 0.25).clamp(0, 1), masks

    # --- geometry -------------------------------------------------------------------------------

    def _mix(self, images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """In half of the pictures another face's picture shows through behind the face, its own
        face cut out."""
        count = len(images)
        if count < 2:
            return images, masks
        others, cut = self._move(images.roll(1, 0), masks.roll(1, 0), 180.0, 0.1, 0.1, 0.0)
        others = self._colours(others) * (1 - cut)
        keep = 1 - (1 - cut) * (1 - masks)
        part = 0.15 + 0.85 * self._uniform(images)
        mixed = images * keep + (1 - keep) * (part * images + (1 - part) * others)
        return torch.where(self._chance(images, 0.5), mixed, images), masks

    def _move(
        self, images: Tensor, masks: Tensor, turn: float, zoom: float, shift: float, warp: float
    ) -> tuple[Tensor, Tensor]:
        """Both turned (degrees), scaled, shifted, mirrored and warped alike."""
        count, side = len(images), images.shape[-1]
        angle = self._between(-turn, turn, count) * math.pi / 180
        scale = torch.exp(self._between(-1, 1, count) * math.log(1 + zoom))
        mirror = torch.where(self._draw(count) < _FLIP, -1.0, 1.0)
        cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
        x, y = (
            self._between(-2 * shift, 2 * shift, count),
            self._between(-2 * shift, 2 * shift, count),
        )
        rows = (torch.stack((cos * mirror, sin, x), 1), torch.stack((-sin * mirror, cos, y), 1))
        grid = nnf.affine_grid(torch.stack(rows, 1), [count, 1, side, side], align_corners=False)
        if warp:
            rough = torch.randn(count, 2, _CELLS, _CELLS, generator=self._generator) * 2 * warp
            smooth = nnf.interpolate(rough, (side, side), mode="bicubic", align_corners=True)
            grid = grid + smooth.permute(0, 2, 3, 1)
        grid = grid.to(images)
        moved = nnf.grid_sample(images, grid, padding_mode="border", align_corners=False)
        return moved, nnf.grid_sample(masks, grid, align_corners=False)

    # --- looks ----------------------------------------------------------------------------------

    def _glare(self, images: Tensor, masks: Tensor) -> Tensor:
        """Light that spreads from the face in half of the pictures, from behind in another half."""
        for lit in (masks, 1 - masks):
            sigma = images.shape[-1] * float(self._between(0.04, 0.15, 1))
            spread = _gaussian(images * lit, sigma)
            images = torch.where(self._chance(images, 0.5), images + spread, images)
        return images

    def _colours(self, images: Tensor) -> Tensor:
        """Other levels of each channel in one half, another hue and saturation in the other."""
        low, high = 0.25 * self._each(images), 1 - 0.25 * self._each(images)
        gamma = 0.5 + self._each(images)
        bottom, top = 0.25 * self._each(images), 1 - 0.25 * self._each(images)
        unit = ((images - low) / (high - low)).clamp(1e-6, 1)
        levels = unit ** (1 / gamma) * (top - bottom) + bottom
        angle = self._uniform(images) * 2 * math.pi
        saturation = (0.5 + self._uniform(images)) * 1.0
        grey = images.mean(1, keepdim=True)
        around = images - grey
        turned = around * torch.cos(angle) + torch.sin(angle) / math.sqrt(3) * (
            around.roll(1, 1) - around.roll(2, 1)
        )
        light = self._uniform(images) - 0.5
        shifted = grey + light + turned * saturation
        return torch.where(self._chance(images, 0.5), levels, shifted).clamp(0, 1)

    def _blurred(self, images: Tensor) -> Tensor:
        """Sharpened, smeared in a direction, or out of focus."""
        soft = _gaussian(images, 0.5 + 3 * float(self._draw(1)))
        amount = self._uniform(images) * 5
        reach = 1 + int(float(self._draw(1)) * 4)
        down = reach if float(self._draw(1)) < 0.5 else 0
        steps = [images.roll((k * (1 if down else 0), k), (2, 3)) for k in range(-reach, reach + 1)]
        smeared = torch.stack(steps).mean(0)
        kind = self._uniform(images)
        sharp = images + amount * (images - soft)
        return torch.where(kind < 0.33, sharp, torch.where(kind < 0.66, smeared, soft))

    def _coarse(self, images: Tensor) -> Tensor:
        """Made small and large again."""
        side = images.shape[-1]
        small = max(8, int(side * float(self._between(0.25, 1, 1))))
        mode = "nearest" if float(self._draw(1)) < 0.5 else "bilinear"
        return nnf.interpolate(
            nnf.interpolate(images, (small, small), mode="area"), (side, side), mode=mode
        )

    def _compressed(self, images: Tensor) -> Tensor:
        """What JPEG of a quality from 10 to 95 leaves of a picture."""
        side = images.shape[-1]
        quality = self._between(10, 95, len(images)).view(-1, 1, 1, 1, 1).to(images)
        factor = torch.where(quality < 50, 50 / quality, 2 - quality / 50)
        table = (torch.tensor(_TABLE, dtype=images.dtype, device=images.device) * factor).clamp(1)
        pad = -side % 8
        padded = nnf.pad(images * 255 - 128, (0, pad, 0, pad), mode="replicate")
        blocks = padded.unfold(2, 8, 8).unfold(3, 8, 8)  # (N, 3, rows, columns, 8, 8)
        turn = _cosines().to(images)
        waves = turn @ blocks @ turn.T
        kept = torch.round(waves / table[:, None]) * table[:, None]
        back = (turn.T @ kept @ turn).permute(0, 1, 2, 4, 3, 5).reshape(padded.shape)
        return (back[..., :side, :side] + 128) / 255

    def _within_circle(self, images: Tensor, changed: Tensor, chance: float) -> Tensor:
        """The change, at full strength in the middle of a circle and fading to its edge."""
        count, side = len(images), images.shape[-1]
        place = torch.arange(side, dtype=torch.float32)
        x, y = (self._draw(count)[:, None, None] * side for _ in range(2))
        inner = self._draw(count)[:, None, None] * side
        outer = inner + self._draw(count)[:, None, None] * (side - inner)
        away = torch.sqrt((place[None, None] - x) ** 2 + (place[None, :, None] - y) ** 2)
        strength = (1 - (away - inner) / (outer - inner).clamp(min=1)).clamp(0, 1)[:, None]
        strength = strength.to(images) * self._chance(images, chance)
        return images + (changed - images) * strength

    # --- draws ----------------------------------------------------------------------------------

    def _draw(self, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=self._generator)

    def _between(self, low: float, high: float, count: int) -> Tensor:
        return low + (high - low) * self._draw(count)

    def _uniform(self, images: Tensor) -> Tensor:
        """One number 0..1 for each picture."""
        return self._draw(len(images), 1, 1, 1).to(images)

    def _each(self, images: Tensor) -> Tensor:
        """One number 0..1 for each channel of each picture."""
        return self._draw(*images.shape[:2], 1, 1).to(images)

    def _chance(self, images: Tensor, probability: float) -> Tensor:
        return (self._draw(len(images), 1, 1, 1) < probability).to(images.device)


def _gaussian(images: Tensor, sigma: float) -> Tensor:
    """Blurred; large blurs are made on a smaller picture, where nobody sees the difference."""
    side = images.shape[-1]
    step = max(1, int(sigma / 4))
    small = nnf.interpolate(images, scale_factor=1 / step, mode="area") if step > 1 else images
    reach = min(max(1, math.ceil(3 * sigma / step)), small.shape[-1] - 1)
    place = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
    line = torch.exp(-0.5 * (place * step / sigma) ** 2)
    line = (line / line.sum()).expand(images.shape[1], 1, -1)
    channels = images.shape[1]
    padded = nnf.pad(small, (reach,) * 4, mode="replicate")
    across = nnf.conv2d(padded, line[:, :, None, :], groups=channels)
    soft = nnf.conv2d(across, line[:, :, :, None], groups=channels)
    if step == 1:
        return soft
    return nnf.interpolate(soft, (side, side), mode="bilinear", align_corners=False)


def _cosines() -> Tensor:
    """The orthonormal DCT of 8 values.  # (8, 8)"""
    row, column = torch.arange(8.0)[:, None], torch.arange(8.0)[None]
    waves = torch.cos(math.pi * (2 * column + 1) * row / 16) / 2
    waves[0] /= math.sqrt(2)
    return waves
