# ruff: noqa: TID253 - imported only when a net is loaded
"""Published weight files: into torch, and on to ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mien.stages import ExportPlan
from mien.weights.tensors import load_into, read_tensors
from numpy.typing import NDArray

from .net import S3fd

Tensors = Mapping[str, NDArray[Any]]


def load_net(path: Path) -> S3fd:
    """The net with the weights of a file.  Raises WeightsError where they are of another net."""
    net, tensors = S3fd(), read_tensors(path)
    if any(key.endswith(":0") for key in tensors):
        tensors = from_dfl(tensors)
    load_into(net, tensors, path, title="S3FD")
    return net.eval()


def from_dfl(tensors: Tensors) -> dict[str, NDArray[Any]]:
    """DeepFaceLab's arrays under torch's names: `a/b:0` is a.b, kernels are rows, columns, in, out,
    the weights of a norm (1, 1, 1, C)."""
    named = {}
    for key, value in tensors.items():
        parts = key.removesuffix(":0").split("/")
        if value.ndim == 4:
            value = (
                value.reshape(-1) if value.shape[:3] == (1, 1, 1) else value.transpose(3, 2, 0, 1)
            )
        named[".".join(parts[-2:])] = np.ascontiguousarray(value)
    return named


def to_dfl(tensors: Tensors) -> dict[str, NDArray[Any]]:
    """Torch's arrays under DeepFaceLab's names; the opposite of `from_dfl`."""
    named = {}
    for key, value in tensors.items():
        if value.ndim == 4:
            value = value.transpose(2, 3, 1, 0)
        elif key.split(".")[0].endswith("_norm"):
            value = value.reshape(1, 1, 1, -1)
        named[key.replace(".", "/") + ":0"] = np.ascontiguousarray(value)
    return named


def export_plan(net: S3fd) -> ExportPlan:
    """How the net becomes ONNX: any batch, height and width."""
    return ExportPlan(
        module=net,
        inputs=(torch.zeros(2, 3, 360, 640),),
        input_names=("image",),
        output_names=("boxes", "scores"),
        dynamic={"image": {0: "batch", 2: "height", 3: "width"}},
    )
