# ruff: noqa: TID253 - imported only when weights are exported
"""Published weight files: their names and layouts into torch, and on to ONNX."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mien.errors import WeightsError
from mien.stages import ExportPlan
from mien.weights.tensors import load_into, read_tensors
from numpy.typing import NDArray

from .hrnet import HrNet
from .net import DEPTH, Fan

Tensors = Mapping[str, NDArray[Any]]

_INPUT_SIDE = 256


def load_fan(path: Path, used: int) -> Fan:
    """FAN with the weights of a file, of which the first `used` stacks look at the picture.

    Raises WeightsError where the file holds another net, or fewer stacks than are asked for.
    """
    tensors = to_own_names(read_tensors(path))
    stacks = len({key.split(".")[0] for key in tensors if re.match(r"m\d+\.", key)})
    net = Fan(max(stacks, 1))
    load_into(net, tensors, path, title=f"FAN with {net.stacks} stacks")
    if used > stacks:
        raise WeightsError(f"{path}: holds {stacks} stacks, {used} are asked for")
    net.used = used
    return net.eval()


def load_hrnet(path: Path) -> HrNet:
    """faceswap's HRNet with the weights of a file.  Raises WeightsError for another net."""
    net = HrNet()
    load_into(net, read_tensors(path), path, title="faceswap's HRNet")
    return net.eval()


def export_plan(net: Fan | HrNet) -> ExportPlan:
    """How a net becomes ONNX: any number of faces."""
    return ExportPlan(
        module=net,
        inputs=(torch.zeros(2, 3, _INPUT_SIDE, _INPUT_SIDE),),
        input_names=("image",),
        output_names=("maps",),
        dynamic={"image": {0: "batch"}},
    )


def to_own_names(tensors: Tensors) -> dict[str, NDArray[Any]]:
    """The tensors under face-alignment's names, from its own, faceswap's or DeepFaceLab's."""
    if any(key.endswith(":0") for key in tensors):
        return from_deepfacelab(tensors)
    return {_from_faceswap(key): value for key, value in tensors.items()}


def from_deepfacelab(tensors: Tensors) -> dict[str, NDArray[Any]]:
    """From paths with slashes, kernels as (H, W, in, out) and nested hourglasses."""
    found = {}
    for key, value in tensors.items():
        flat = value.reshape(-1) if value.ndim == 4 and _is_vector(key) else value
        own = flat.transpose(3, 2, 0, 1) if flat.ndim == 4 else flat
        found[_from_path(key)] = np.ascontiguousarray(own)
    return found


def to_deepfacelab(tensors: Tensors) -> dict[str, NDArray[Any]]:
    """The opposite of `from_deepfacelab`; counters of batches have no place there."""
    return {
        _to_path(key): np.ascontiguousarray(
            value.transpose(2, 3, 1, 0) if value.ndim == 4 else value
        )
        for key, value in tensors.items()
        if not key.endswith("num_batches_tracked")
    }


def to_faceswap(key: str) -> str:
    """faceswap's name of a tensor: `m0.b1_4.` is `m0.b1_4_0.`, `top_m_0.` is `top_m0_0.`."""
    key = re.sub(r"^(m\d+\.b(?:1|2|3|2_plus)_\d)\.", r"\1_0.", key)
    return re.sub(r"^top_m_(\d)\.", r"top_m0_\1.", key)


def _from_faceswap(key: str) -> str:
    key = re.sub(r"^(m\d+\.b(?:1|2|3|2_plus)_\d)_0\.", r"\1.", key)
    return re.sub(r"^top_m0_(\d)\.", r"top_m_\1.", key)


def _is_vector(key: str) -> bool:
    """Whether a path names a tensor of a batch norm or a bias."""
    *_, layer, kind = key.split("/")
    return kind != "weight:0" or "bn" in layer


def _from_path(key: str) -> str:
    """`m_0/b2_plus/b1/down_bn1/weight:0` is `m0.b1_3.downsample.0.weight`."""
    head, *rest = key.removesuffix(":0").split("/")
    listed = re.fullmatch(r"(m|conv_last|bn_end|l|bl|al)_(\d)", head)
    if listed:
        head = listed[1] + listed[2]
    if listed and listed[1] == "m":
        level = DEPTH
        while level > 1 and rest[:1] == ["b2_plus"]:
            level, rest = level - 1, rest[1:]
        rest = [f"{rest[0]}_{level}", *rest[1:]]
    shortcut = {"down_bn1": "downsample.0", "down_conv1": "downsample.2"}
    return ".".join([head, *(shortcut.get(part, part) for part in rest)])


def _to_path(key: str) -> str:
    key = key.replace("downsample.0", "down_bn1").replace("downsample.2", "down_conv1")
    head, *rest = key.split(".")
    listed = re.fullmatch(r"(m|conv_last|bn_end|l|bl|al)(\d)", head)
    if listed:
        head = f"{listed[1]}_{listed[2]}"
    if listed and listed[1] == "m":
        name, _, level = rest[0].rpartition("_")
        rest = ["b2_plus"] * (DEPTH - int(level)) + [name] + rest[1:]
    return "/".join([head, *rest]) + ":0"
