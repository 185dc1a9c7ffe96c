# ruff: noqa: TID253 - for tests of models only
"""DeepFaceLab's models without a file: weights computed from their keys, batches and digests as the
reference numbers of its training steps have them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..nets.dflfiles import file_key, from_file_layout, to_file_layout
from ..training.base import Side, TrainBatch


def fill(file: str, net: torch.nn.Module) -> None:
    """Give a net the weights that the formula gives the file of this name, such as `encoder`."""
    state = {}
    for name, value in net.state_dict().items():
        key = file_key(name)
        shape = to_file_layout(np.broadcast_to(0, tuple(value.shape))).shape
        seed = zlib.crc32(f"{file}.npy/{key}".encode())
        drawn = np.random.Generator(np.random.PCG64(seed)).standard_normal(shape)
        drawn *= np.sqrt(1.6 / np.prod(shape[:-1])) if len(shape) > 1 else 0.1
        state[name] = torch.from_numpy(
            np.ascontiguousarray(from_file_layout(drawn.astype(np.float32)))
        )
    net.load_state_dict(state)


def batch_of(golden: Mapping[str, NDArray[Any]]) -> TrainBatch:
    """The stored batch of a training step."""

    def side(name: str) -> Side:
        def picture(part: str) -> torch.Tensor:
            return torch.from_numpy(golden[f"{name}_{part}"].transpose(0, 3, 1, 2).copy())

        focus = "em" if f"{name}_em" in golden else "mask"
        return Side(
            warped=picture("warped"),
            face=picture("target"),
            mask=picture("mask"),
            focus=picture(focus),
        )

    return TrainBatch(source=side("src"), target=side("dst"))


def digest(value: torch.Tensor, *, absolute: bool = False) -> list[float]:
    """[sum, l2 or sum of absolutes, first, middle, last] in the order of the file."""
    flat = to_file_layout(value.detach().double().numpy()).ravel()
    size = np.abs(flat).sum() if absolute else np.sqrt(np.square(flat).sum())
    return [float(each) for each in (flat.sum(), size, flat[0], flat[flat.size // 2], flat[-1])]


def keys_of(prefix: str, net: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """A net's weights by the names of the reference numbers."""
    return {f"{prefix}/{file_key(name)}": weight for name, weight in net.named_parameters()}
