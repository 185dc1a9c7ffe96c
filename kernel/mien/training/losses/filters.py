"""Small separable filters over pictures (N, C, H, W), computed in float32.

A filter is two small matrix products: on a CPU several times faster than a convolution by channels,
and what lies beyond the picture's edge is part of the matrix.
"""
# ruff: noqa: TID253  (only the training loop and trainers import this module)

from __future__ import annotations

import functools
import math
from typing import Literal

import torch
from torch import Tensor

Edge = Literal["valid", "black", "mirror", "repeat"]
"""What lies beyond a picture: nothing, so that the result is smaller; black; the picture mirrored
without its last pixel; or its last pixel again."""

Kernel = tuple[float, ...]


def gaussian_kernel(width: int, sigma: float) -> Kernel:
    """Weights of a Gaussian, sum 1, for a window of `width` pixels, which may be even."""
    middle = (width - 1) / 2
    weights = [math.exp(-0.5 * ((place - middle) / sigma) ** 2) for place in range(width)]
    return tuple(weight / sum(weights) for weight in weights)


def blurred(values: Tensor, width: int, sigma: float, *, edge: Edge) -> Tensor:
    """A Gaussian of every channel.  Raises ValueError where the window is too wide."""
    kernel = gaussian_kernel(width, sigma)
    return filtered(values, kernel, kernel, edge=edge)


def filtered(values: Tensor, rows: Kernel, columns: Kernel, *, edge: Edge) -> Tensor:
    """Every channel correlated with `rows` along its height, `columns` along its width.

    Kernels are of odd length but with `valid` edges.  Raises ValueError where one is too wide.
    """
    vertical = _band(values.shape[-2], rows, edge, values.device)
    horizontal = _band(values.shape[-1], columns, edge, values.device)
    with torch.autocast(values.device.type, enabled=False):
        return vertical @ values.float() @ horizontal.T


@functools.lru_cache(maxsize=256)
def _band(size: int, kernel: Kernel, edge: Edge, device: torch.device) -> Tensor:
    """(out, size): row i holds the weights with which the result at i sees every pixel."""
    width = len(kernel)
    if (edge == "valid" and width > size) or (edge == "mirror" and width // 2 >= size):
        raise ValueError(f"a window of {width} pixels does not fit into a picture of {size}")
    before = 0 if edge == "valid" else width // 2
    out = size - width + 1 if edge == "valid" else size
    places = torch.arange(out)[:, None] + torch.arange(width) - before
    seen = (places >= 0) & (places < size) if edge == "black" else torch.ones_like(places) > 0
    if edge == "mirror":
        places = (size - 1) - ((size - 1) - places.abs()).abs()
    weights = torch.tensor(kernel, dtype=torch.float64) * seen
    band = torch.zeros(out, size, dtype=torch.float64)
    band.scatter_add_(1, places.clamp(0, size - 1), weights)
    return band.float().to(device)
