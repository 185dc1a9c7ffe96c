"""Convolutions that learn on a CPU with fewer multiplications than the formula has.

    conv2d(x, weight, bias, stride, padding)     as torch's own, to rounding
    Conv2d(...)                                   as torch's own, by that function

oneDNN, which computes torch's convolutions, is slow where it learns: backwards it reaches half to
two thirds of what the processor can.  Two other roads are taken where measuring shows that they
pay, and only while gradients are wanted, in float32, on a CPU:

product   one matrix product of the filter with the gathered neighbourhoods, for small planes
winograd  3x3 filters give 2x2 pixels of 4x4 with 16 products instead of 36
          (Lavin, Gray 2015, F(2x2, 3x3)); backwards by its transposed steps
"""
# ruff: noqa: TID253  (only nets import this module)

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

_CHANNELS = 128
"""Below this many, changing between the forms takes longer than it saves."""
_TILES = 1024
"""Tiles worked on at once: more do not fit a cache, fewer read the filter too often."""


class Conv2d(nn.Conv2d):
    """torch's own, computed by `conv2d`; square in all that it does."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, padding)
        self._step, self._rim = stride, padding

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H', W')."""
        return conv2d(x, self.weight, self.bias, self._step, self._rim)


def conv2d(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int = 1, padding: int = 0
) -> Tensor:
    """(N, C, H, W) with filters (O, C, k, k) to (N, O, H', W'), by the fastest road."""
    if _learns(x, weight):
        outputs, inputs, kernel, _ = weight.shape
        size = [(side + 2 * padding - kernel) // stride + 1 for side in x.shape[2:]]
        tiled = kernel == 3 and stride == padding == 1 and min(outputs, inputs) >= _CHANNELS
        if inputs >= _CHANNELS and outputs >= len(x) * size[0] * size[1] * (2 if tiled else 1):
            return _Product.apply(x, weight, bias, stride, padding)  # type: ignore[no-any-return,no-untyped-call]
        if tiled:
            return _Winograd.apply(x, weight, bias)  # type: ignore[no-any-return,no-untyped-call]
    return nnf.conv2d(x, weight, bias, stride, padding)


def _learns(x: Tensor, weight: Tensor) -> bool:
    return (
        torch.is_grad_enabled()
        and weight.requires_grad
        and x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call]
    )


class _Product(torch.autograd.Function):
    """The filter (O, C k k) times the neighbourhood of every pixel (C k k, N H' W')."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int
    ) -> Tensor:
        outputs, _, kernel, _ = weight.shape
        padded = nnf.pad(x, (padding,) * 4)
        seen = padded.unfold(2, kernel, stride).unfold(3, kernel, stride)  # (N, C, H', W', k, k)
        count, _, high, wide = seen.shape[:4]
        gathered = seen.permute(1, 4, 5, 0, 2, 3).reshape(-1, count * high * wide)
        made = weight.reshape(outputs, -1) @ gathered
        if bias is not None:
            made += bias[:, None]
        ctx.save_for_backward(gathered, weight)
        ctx.padded, ctx.stride, ctx.padding, ctx.biased = padded.shape, stride, padding, bias
        # A copy, though one picture's is in order already: what follows may work in place.
        made = made.view(outputs, count, high, wide).transpose(0, 1)
        return made.clone(memory_format=torch.contiguous_format)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        gathered, weight = ctx.saved_tensors
        outputs, inputs, kernel, _ = weight.shape
        count, _, high, wide = gradient.shape
        flat = gradient.transpose(0, 1).reshape(outputs, -1)
        for_weight = (flat @ gathered.T).view(weight.shape)
        for_bias = None if ctx.biased is None else flat.sum(1)
        if not ctx.needs_input_grad[0]:
            return None, for_weight, for_bias, None, None
        spread = weight.reshape(outputs, -1).T @ flat
        spread = spread.view(inputs, kernel, kernel, count, high, wide)
        stride, padding = ctx.stride, ctx.padding
        found = gradient.new_zeros(inputs, count, *ctx.padded[2:])
        for row in range(kernel):
            rows = slice(row, row + stride * (high - 1) + 1, stride)
            for column in range(kernel):
                columns = slice(column, column + stride * (wide - 1) + 1, stride)
                found[:, :, rows, columns] += spread[:, row, column]
        if padding:
            found = found[:, :, padding:-padding, padding:-padding]
        return found.transpose(0, 1).contiguous(), for_weight, for_bias, None, None


class _Winograd(torch.autograd.Function):
    """Tiles of 4x4 pixels that overlap by two, each made 2x2; channels last, as are its results."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        outputs, inputs = weight.shape[:2]
        count, _, height, width = x.shape
        padded, high, wide = _framed(x)
        filters = _filter_tiles(weight).transpose(1, 2)
        result, made = _channels_last(x, (count, outputs, 2 * high, 2 * wide))
        for images, above, below in _bands(count, high, wide):
            tiles = _tiles(padded[images, 2 * above : 2 * below + 2])
            products = torch.bmm(tiles.view(16, -1, inputs), filters)
            products = products.view(4, 4, *tiles.shape[2:5], outputs)
            _pixels(products, made[images, 2 * above : 2 * below])
        if bias is not None:
            made += bias
        ctx.save_for_backward(x, weight)
        ctx.biased = bias is not None
        if (height, width) == made.shape[1:3]:
            return result
        return result[:, :, :height, :width].clone(memory_format=torch.channels_last)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        outputs, inputs = weight.shape[:2]
        count, _, height, width = x.shape
        padded, high, wide = _framed(x)
        gradient = gradient.permute(0, 2, 3, 1)
        for_bias = gradient.sum((0, 1, 2)) if ctx.biased else None
        gradient = nnf.pad(gradient, (0, 0, 0, width % 2, 0, height % 2)).contiguous()
        filters = _filter_tiles(weight)
        for_filters = torch.zeros_like(filters)
        found = torch.zeros_like(padded) if ctx.needs_input_grad[0] else None
        for images, above, below in _bands(count, high, wide):
            spread = _pixels_back(gradient[images, 2 * above : 2 * below]).view(16, -1, outputs)
            rows = slice(2 * above, 2 * below + 2)
            tiles = _tiles(padded[images, rows])
            for_filters.baddbmm_(spread.transpose(1, 2), tiles.view(16, -1, inputs))
            if found is not None:
                _tiles_back(torch.bmm(spread, filters).view(tiles.shape), found[images, rows])
        for_x = None
        if found is not None:
            for_x = found[:, 1 : height + 1, 1 : width + 1].permute(0, 3, 1, 2)
        return for_x, _filter_tiles_back(for_filters.view(4, 4, outputs, inputs)), for_bias


def _channels_last(like: Tensor, shape: tuple[int, int, int, int]) -> tuple[Tensor, Tensor]:
    """A tensor (N, C, H, W) whose channels lie last, and a view of it as they lie."""
    made = torch.empty(
        shape, dtype=like.dtype, device=like.device, memory_format=torch.channels_last
    )
    return made, made.permute(0, 2, 3, 1)


def _framed(x: Tensor) -> tuple[Tensor, int, int]:
    """The pictures (N, H, W, C) with a rim of one, sides made even; how many tiles fit."""
    count, channels, height, width = x.shape
    high, wide = (height + 1) // 2, (width + 1) // 2
    framed = x.new_zeros(count, 2 * high + 2, 2 * wide + 2, channels)
    framed[:, 1 : height + 1, 1 : width + 1] = x.permute(0, 2, 3, 1)
    return framed, high, wide


def _bands(count: int, high: int, wide: int) -> Iterator[tuple[slice, int, int]]:
    """Pictures, and from which to which row of their tiles."""
    if high * wide <= _TILES:
        together = _TILES // (high * wide)
        for first in range(0, count, together):
            yield slice(first, first + together), 0, high
        return
    rows = max(1, _TILES // wide)
    for first in range(count):
        for above in range(0, high, rows):
            yield slice(first, first + 1), above, min(high, above + rows)


def _tiles(framed: Tensor) -> Tensor:
    """(N, 2h+2, 2w+2, C) to (4, 4, N, h, w, C): B' d B of every tile d."""
    count, height, width, channels = framed.shape
    high, wide = height // 2 - 1, width // 2 - 1
    tiles = framed.new_empty(4, 4, count, high, wide, channels)
    even, odd = framed[:, 0::2], framed[:, 1::2]
    first, second, third, fourth = even[:, :-1], odd[:, :-1], even[:, 1:], odd[:, 1:]
    rows = (first - third, second + third, third - second, second - fourth)
    for row, made in zip(rows, tiles, strict=True):
        even, odd = row[:, :, 0::2], row[:, :, 1::2]
        torch.sub(even[:, :, :-1], even[:, :, 1:], out=made[0])
        torch.add(odd[:, :, :-1], even[:, :, 1:], out=made[1])
        torch.sub(even[:, :, 1:], odd[:, :, :-1], out=made[2])
        torch.sub(odd[:, :, :-1], odd[:, :, 1:], out=made[3])
    return tiles


def _tiles_back(tiles: Tensor, found: Tensor) -> None:
    """The transposed step of `_tiles`, added to `found`."""
    _, _, count, high, _, channels = tiles.shape
    rows = tiles.new_zeros(4, count, high, found.shape[2], channels)
    even, odd = rows[:, :, :, 0::2], rows[:, :, :, 1::2]
    first, second, third, fourth = (tiles[:, column] for column in range(4))
    even[:, :, :, :-1] = first
    even[:, :, :, 1:] += second + third - first
    odd[:, :, :, :-1] = second - third + fourth
    odd[:, :, :, 1:] -= fourth
    first, second, third, fourth = rows
    even, odd = found[:, 0::2], found[:, 1::2]
    even[:, :-1] += first
    even[:, 1:] += second + third - first
    odd[:, :-1] += second - third + fourth
    odd[:, 1:] -= fourth


def _pixels(products: Tensor, made: Tensor) -> None:
    """(4, 4, N, h, w, O) into (N, 2h, 2w, O): A' m A of every tile m."""
    _, _, count, high, wide, channels = products.shape
    pixels = made.view(count, high, 2, wide, 2, channels)
    middle, beside = products[1] + products[2], products[1] - products[2]
    for row, mixed in enumerate((middle.add_(products[0]), beside.sub_(products[3]))):
        left, right = pixels[:, :, row, :, 0], pixels[:, :, row, :, 1]
        torch.add(mixed[1], mixed[2], out=left).add_(mixed[0])
        torch.sub(mixed[1], mixed[2], out=right).sub_(mixed[3])


def _pixels_back(gradient: Tensor) -> Tensor:
    """The transposed step of `_pixels`: (N, 2h, 2w, O) to (4, 4, N, h, w, O)."""
    count, height, width, channels = gradient.shape
    pixels = gradient.reshape(count, height // 2, 2, width // 2, 2, channels)
    products = gradient.new_empty(4, 4, count, height // 2, width // 2, channels)
    upper, lower = pixels[:, :, 0], pixels[:, :, 1]
    for row, made in zip((upper, upper + lower, upper - lower, -lower), products, strict=True):
        left, right = row[..., 0, :], row[..., 1, :]
        made[0] = left
        torch.add(left, right, out=made[1])
        torch.sub(left, right, out=made[2])
        torch.neg(right, out=made[3])
    return products


def _filter_tiles(weight: Tensor) -> Tensor:
    """(O, C, 3, 3) to (16, O, C): G g G' of every filter g."""
    outputs, inputs = weight.shape[:2]
    tiles = weight.new_empty(4, 4, outputs, inputs)
    upper, middle, lower = weight.detach().permute(2, 3, 0, 1).contiguous()
    outer, half = (upper + lower).mul_(0.5), middle * 0.5
    for row, made in zip((upper, outer + half, outer - half, lower), tiles, strict=True):
        outer, half = (row[0] + row[2]).mul_(0.5), row[1] * 0.5
        made[0], made[3] = row[0], row[2]
        torch.add(outer, half, out=made[1])
        torch.sub(outer, half, out=made[2])
    return tiles.view(16, outputs, inputs)


def _filter_tiles_back(tiles: Tensor) -> Tensor:
    """The transposed step of `_filter_tiles`: (4, 4, O, C) to (O, C, 3, 3)."""
    weight = tiles.new_empty(3, 3, *tiles.shape[2:])
    for row, made in zip(_halved(*tiles), weight, strict=True):
        for values, into in zip(_halved(*row), made, strict=True):
            into.copy_(values)
    return weight.permute(2, 3, 0, 1).contiguous()


def _halved(first: Tensor, second: Tensor, third: Tensor, fourth: Tensor) -> tuple[Tensor, ...]:
    outer, middle = (second + third).mul_(0.5), (second - third).mul_(0.5)
    return outer + first, middle, outer.add_(fourth)
