# ruff: noqa: TID253 - for tests of nets only
"""Weights without a file: every tensor computed from its name, as reference vectors were made.

Two programs that follow the formula have the same net, so their outputs can be compared without
anybody's trained weights.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


def golden_tensor(
    key: str, shape: tuple[int, ...], *, gain: float, base: float = 1.0
) -> NDArray[Any]:
    """The value that the formula gives a tensor of this name.

    gain  scales the noise of convolutions and linear layers
    base  value around which a 1-D tensor lies that is neither bias nor a running statistic
    """
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    noise = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode())))
    normal = noise.standard_normal(int(np.prod(shape))).reshape(shape)
    if key.endswith("running_var"):
        value = np.exp(0.25 * normal)
    elif key.endswith(("running_mean", "bias")):
        value = 0.1 * normal
    elif len(shape) == 1:
        value = base * (1 + 0.1 * normal)
    else:
        value = normal * gain * np.sqrt(2 / np.prod(shape[1:]))
    return np.asarray(value, np.float32)


def golden_state(
    module: torch.nn.Module, *, gain: float, base: Mapping[str, float] | None = None
) -> dict[str, torch.Tensor]:
    """A state for `module`; `base` by beginning of the key, 1 where none fits."""
    bases = dict(base or {})

    def base_of(key: str) -> float:
        return next((value for begin, value in bases.items() if key.startswith(begin)), 1.0)

    return {
        key: torch.from_numpy(golden_tensor(key, tuple(v.shape), gain=gain, base=base_of(key)))
        for key, v in module.state_dict().items()
    }
