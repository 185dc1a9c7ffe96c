# ruff: noqa: TID253 - for tests of nets only
"""Models filled by formula, and pictures between the layouts of nets and of reference files."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .dfl import fill


def fill_model(model: torch.nn.Module) -> None:
    """`fill` for each net of a model, whose attributes are the names of the files."""
    for name, net in model.named_children():
        fill(name, net)


def to_net(picture: NDArray[Any]) -> torch.Tensor:
    """(N, H, W, C) of a reference file as a net takes it."""
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(0, 3, 1, 2)))


def from_net(picture: torch.Tensor) -> NDArray[Any]:
    """(N, C, H, W) of a net as reference files hold it."""
    made: NDArray[Any] = picture.detach().permute(0, 2, 3, 1).numpy()
    return made
