# ruff: noqa: TID253 - for tests of nets only
"""Weights without a file, for DeepFaceLab's nets: every tensor computed from its file and key.

The reference vectors were made with them, so nobody's trained weights are needed to compare.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..nets.dflfiles import file_key, from_file_layout, to_file_layout


def golden_array(file: str, key: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """The value that the formula gives a tensor of this file and key, in the file's layout."""
    noise = np.random.Generator(np.random.PCG64(zlib.crc32(f"{file}/{key}".encode())))
    normal = noise.standard_normal(shape)
    leaf = key.rpartition("/")[2]
    if len(shape) >= 2:
        value = normal * np.sqrt(1.6 / np.prod(shape[:-1]))
    elif leaf == "weight:0":
        value = 1 + 0.1 * normal
    elif leaf == "eps:0":
        value = 0.001 * normal
    else:
        value = 0.1 * normal
    return np.asarray(value, np.float32)


@torch.no_grad()
def fill_golden(net: torch.nn.Module, file: str) -> None:
    """Give every tensor of a net the value of the formula; `file` is what keeps this net."""
    for name, value in net.state_dict().items():
        shape = to_file_layout(np.broadcast_to(False, tuple(value.shape))).shape
        array = from_file_layout(golden_array(file, file_key(name), shape))
        value.copy_(torch.from_numpy(np.ascontiguousarray(array)))


def fill_golden_model(model: torch.nn.Module) -> None:
    """`fill_golden` for each net of a model, whose attributes are the names of the files."""
    for name, net in model.named_children():
        fill_golden(net, f"{name}.npy")


def to_net(picture: NDArray[Any]) -> torch.Tensor:
    """(N, H, W, C) of a reference file as a net takes it."""
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(0, 3, 1, 2)))


def from_net(picture: torch.Tensor) -> NDArray[Any]:
    """(N, C, H, W) of a net as reference files hold it."""
    return picture.detach().permute(0, 2, 3, 1).numpy()
