# ruff: noqa: TID253 - imported only where a net is built
"""Nets that learn to tell made faces from true ones, or one person's codes from the other's.

All give logits, above 0 for what they hold for true.  Attribute names follow DeepFaceLab's files.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from ..errors import ConfigError
from .blocks import ConvTranspose, conv

_MOST_LAYERS = 9
_MOST_CHANNELS = 512
_LARGEST = 641
_UNET_SLOPE, _PLAIN_SLOPE = 0.2, 0.1


@cache
def unet_strides(patch: int) -> tuple[int, ...]:
    """Strides of the U-Net's way down, so that its deepest layer sees about `patch` pixels.

    Of all rows of up to nine strides that begin with 2, the one whose field of view is nearest;
    among equals the smaller field, the fewer layers, the larger strides.
    """
    fields = _fields_of_view()
    return fields[min(fields, key=lambda field: (abs(field - patch), field))]


@cache
def _fields_of_view() -> dict[int, tuple[int, ...]]:
    found: dict[int, tuple[int, ...]] = {}
    for strides in _rows_of_strides():
        field, product = 3, strides[0]
        for stride in strides[1:]:
            field += 2 * product
            product *= stride
        # Rows come shortest first, so one that is there has no more layers than this.
        known = found.get(field)
        if known is None or (len(known) == len(strides) and sum(known) < sum(strides)):
            found[field] = strides
    return found


def _rows_of_strides() -> Iterator[tuple[int, ...]]:
    for layers in range(1, _MOST_LAYERS + 1):
        for bits in reversed(range(1 << (layers - 1))):
            yield (2, *(1 + (bits >> place & 1) for place in range(layers - 1)))


def check_unet(patch: int, resolution: int) -> None:
    """Raise ConfigError where the U-Net for `patch` cannot look at pictures of `resolution`."""
    shrinks = math.prod(unet_strides(patch))
    if not resolution % shrinks:
        return

    def nearest(sizes: range) -> str:
        fits = (size for size in sizes if not resolution % math.prod(unet_strides(size)))
        return str(next(fits, ""))

    legal = list(filter(None, (nearest(range(patch, 0, -1)), nearest(range(patch, _LARGEST)))))
    raise ConfigError(
        f"gan_patch_size {patch}: its net makes pictures {shrinks} times smaller, which "
        f"{resolution} pixels cannot be divided by; "
        + (f"the nearest that can is {' or '.join(legal)}" if legal else "no size can")
    )


class UNetDiscriminator(nn.Module):
    """Judges every pixel, and the picture as a whole at a coarse grid.

    patch  pixels that the coarse judgement sees;  base  channels of the first layer
    """

    def __init__(self, patch: int, base: int, inputs: int = 3) -> None:
        super().__init__()
        self.strides = unet_strides(patch)
        widths = [min(base << step, _MOST_CHANNELS) for step in range(len(self.strides) + 1)]
        last = len(self.strides) - 1
        self.convs = nn.ModuleList(
            conv(before, after, 3, stride)
            for (before, after), stride in zip(pairwise(widths), self.strides, strict=True)
        )
        self.upconvs = nn.ModuleList(
            ConvTranspose(
                widths[step + 1] * (1 if step == last else 2), widths[step], self.strides[step]
            )
            for step in range(last, -1, -1)
        )
        self.in_conv = conv(inputs, widths[0], 1)
        self.out_conv = conv(2 * widths[0], 1, 1)
        self.center_out = conv(widths[-1], 1, 1)
        self.center_conv = conv(widths[-1], widths[-1], 1)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """(N, inputs, R, R) -> logits of the coarse grid, and of every pixel (N, 1, R, R).

        R is a multiple of the product of the strides; see `check_unet`.
        """
        x = nnf.leaky_relu(self.in_conv(picture), _UNET_SLOPE)
        skips = []
        for down in self.convs:
            skips.append(x)
            x = nnf.leaky_relu(down(x), _UNET_SLOPE)
        center = self.center_out(x)
        x = nnf.leaky_relu(self.center_conv(x), _UNET_SLOPE)
        for up in self.upconvs:
            x = torch.cat([skips.pop(), nnf.leaky_relu(up(x), _UNET_SLOPE)], dim=1)
        return center.float(), self.out_conv(x).float()


class CodeDiscriminator(nn.Module):
    """Judges whose face a code was made of.

    inputs  channels of the code;  side  of its map;  base  channels of the first layer
    """

    def __init__(self, inputs: int, side: int, base: int = 256) -> None:
        super().__init__()
        count = 1 + side // 8
        widths = [inputs, *(base * min(1 << step, 8) for step in range(count))]
        self.convs = nn.ModuleList(
            conv(before, after, 3 if step else 4, 2)
            for step, (before, after) in enumerate(pairwise(widths))
        )
        self.out_conv = conv(widths[-1], 1, 1)

    def forward(self, code: Tensor) -> Tensor:
        """(N, inputs, side, side) -> logits (N, 1, 3, 3), smaller for sides of 32 and more."""
        return _plain(self.convs, self.out_conv, code)


class PatchDiscriminator(nn.Module):
    """Judges overlapping patches of a picture.

    patch  1..46, pixels that a judgement sees;  base  channels, None for those of the table
    """

    def __init__(self, patch: int, base: int | None = None, inputs: int = 3) -> None:
        super().__init__()
        wide, layers = patch_layers(patch)
        widths = [inputs, *((base or wide) * min(1 << step, 8) for step in range(len(layers)))]
        self.convs = nn.ModuleList(
            conv(before, after, kernel, stride)
            for (before, after), (kernel, stride) in zip(pairwise(widths), layers, strict=True)
        )
        self.out_conv = conv(widths[-1], 1, 1)

    def forward(self, picture: Tensor) -> Tensor:
        """(N, inputs, R, R) -> logits (N, 1, G, G)."""
        return _plain(self.convs, self.out_conv, picture)


def _plain(convs: nn.ModuleList, out_conv: nn.Module, x: Tensor) -> Tensor:
    for layer in convs:
        x = nnf.leaky_relu(layer(x), _PLAIN_SLOPE)
    logits: Tensor = out_conv(x)
    return logits.float()


_SMALL_PATCHES = ("11", "21", "21 21", "22 22", "32 22", "42 22")
_PAIRS = ("32 32", "42 32", "32 42", "42 42")
_FIRST_TWO = ("32 42", "42 32", "32 42", "42 42")
# The fifth and the seventh are alike; that is how DeepFaceLab's table is.
_TRIPLES = (*(f"{pair} 32" for pair in _PAIRS), *(f"{pair} 42" for pair in _FIRST_TWO))


def patch_layers(patch: int) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Channels, and kernel and stride of each layer, of the patch discriminator for 1..46 pixels.

    Raises ConfigError for other sizes.
    """
    if not 1 <= patch <= 46:
        raise ConfigError(f"patch size {patch}: must be 1 to 46 pixels")
    if patch <= len(_SMALL_PATCHES):
        row = _SMALL_PATCHES[patch - 1]
    elif patch < 23:
        row = f"{_PAIRS[(patch - 7) % 4]} {('', '21', '31', '41')[(patch - 7) // 4]}"
    else:
        row = f"{_TRIPLES[(patch - 23) % 8]} {('21', '31', '41')[(patch - 23) // 8]}"
    layers = tuple((int(each[0]), int(each[1])) for each in row.split())
    return 512 if patch < 23 else 256, layers
