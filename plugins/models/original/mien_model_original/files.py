"""Weights of faceswap's "Original" in our names and order, and back.

Theirs are channels last and named by counters: `<sub-model>/<layer>/<kernel|bias>`, sub-models
`encoder`, `decoder_a` (the face that is replaced: our target) and `decoder_b` (our source), layers
`conv2d`, `conv2d_1`, …, `dense`, `dense_1` in the order in which the data passes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from mien.errors import InputError
from numpy.typing import NDArray

from .config import NetConfig

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    """A layer under both names; `shuffles` before a pixel shuffle; `reads`, `makes` the (C, H, W)
    of a picture that a dense layer flattens or is reshaped to."""

    ours: str
    theirs: str
    shuffles: bool = False
    dense: bool = False
    reads: tuple[int, int, int] | None = None
    makes: tuple[int, int, int] | None = None


def from_faceswap(arrays: Mapping[str, Array], config: NetConfig) -> dict[str, Array]:
    """Their arrays as the weights of our net.  Raises InputError where one is missing."""
    ours: dict[str, Array] = {}
    for layer in _layers(config):
        kernel, bias = (_take(arrays, f"{layer.theirs}/{part}") for part in ("kernel", "bias"))
        ours[f"{layer.ours}.weight"] = np.ascontiguousarray(_kernel_in(kernel, layer))
        ours[f"{layer.ours}.bias"] = np.ascontiguousarray(_outputs_in(bias, layer))
    return ours


def to_faceswap(weights: Mapping[str, Array], config: NetConfig) -> dict[str, Array]:
    """Our weights as their arrays: the opposite of `from_faceswap`."""
    theirs: dict[str, Array] = {}
    for layer in _layers(config):
        kernel, bias = (_take(weights, f"{layer.ours}.{part}") for part in ("weight", "bias"))
        theirs[f"{layer.theirs}/kernel"] = np.ascontiguousarray(_kernel_out(kernel, layer))
        theirs[f"{layer.theirs}/bias"] = np.ascontiguousarray(_outputs_out(bias, layer))
    return theirs


def _layers(config: NetConfig) -> Iterator[_Layer]:
    """Every layer of the net, in the order of their counters."""
    for number in range(len(config.convs)):
        yield _Layer(ours=f"encoder.convs.{number}", theirs=f"encoder/{_count('conv2d', number)}")
    seen, side = config.size >> len(config.convs), config.size // 16
    yield _Layer(
        ours="encoder.squeeze",
        theirs="encoder/dense",
        dense=True,
        reads=(config.convs[-1], seen, seen),
    )
    yield _Layer(
        ours="encoder.spread", theirs="encoder/dense_1", dense=True, makes=(config.code, side, side)
    )
    last = _count("conv2d", len(config.convs))
    yield _Layer(ours="encoder.upscale.conv", theirs=f"encoder/{last}", shuffles=True)
    for ours, theirs in (("source", "decoder_b"), ("target", "decoder_a")):
        yield from _decoder(config, ours, theirs)


def _decoder(config: NetConfig, ours: str, theirs: str) -> Iterator[_Layer]:
    """Their counters run by depth: a stage of the face, the same stage of the mask, the next."""
    branches = ("face", "mask") if config.learn_mask else ("face",)
    stages = len(config.decoder)
    for stage in range(stages + 1):
        for place, branch in enumerate(branches):
            last = stage == stages
            yield _Layer(
                ours=f"{ours}.{branch}." + ("out" if last else f"upscales.{stage}.conv"),
                theirs=f"{theirs}/{_count('conv2d', stage * len(branches) + place)}",
                shuffles=not last,
            )


def _count(name: str, number: int) -> str:
    return f"{name}_{number}" if number else name


def _take(arrays: Mapping[str, Array], name: str) -> Array:
    if name not in arrays:
        raise InputError(f"the weights hold no '{name}': they belong to another net")
    return np.asarray(arrays[name])


def _kernel_in(kernel: Array, layer: _Layer) -> Array:
    if not layer.dense:
        return _outputs_in(kernel.transpose(3, 2, 0, 1), layer)  # (kh, kw, I, O) -> (O, I, kh, kw)
    if layer.reads:
        channels, height, width = layer.reads
        rows = kernel.reshape(height, width, channels, -1).transpose(2, 0, 1, 3)
        kernel = rows.reshape(kernel.shape)
    return _outputs_in(kernel.T, layer)


def _kernel_out(kernel: Array, layer: _Layer) -> Array:
    kernel = _outputs_out(kernel, layer)
    if not layer.dense:
        return kernel.transpose(2, 3, 1, 0)
    kernel = kernel.T
    if layer.reads:
        channels, height, width = layer.reads
        rows = kernel.reshape(channels, height, width, -1).transpose(1, 2, 0, 3)
        kernel = rows.reshape(kernel.shape)
    return kernel


def _outputs_in(values: Array, layer: _Layer) -> Array:
    """The first axis in our order: theirs counts (i, j, c) before a shuffle, else (y, x, c)."""
    if layer.shuffles:
        parts = values.reshape(2, 2, -1, *values.shape[1:])
        return np.moveaxis(parts, 2, 0).reshape(values.shape)
    if layer.makes:
        channels, height, width = layer.makes
        parts = values.reshape(height, width, channels, *values.shape[1:])
        return np.moveaxis(parts, 2, 0).reshape(values.shape)
    return values


def _outputs_out(values: Array, layer: _Layer) -> Array:
    if layer.shuffles:
        parts = values.reshape(-1, 2, 2, *values.shape[1:])
    elif layer.makes:
        parts = values.reshape(*layer.makes, *values.shape[1:])
    else:
        return values
    return np.moveaxis(parts, 0, 2).reshape(values.shape)
