# ruff: noqa: TID253 - imported only when a net is built
"""Published files of BiSeNet to the net of `net.py`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mien.errors import WeightsError
from mien.stages import ExportPlan
from mien.weights.tensors import load_into, read_tensors
from numpy.typing import NDArray

from .classes import BY_COUNT
from .net import BiSeNet, NetConfig, Parser

TITLE = "BiSeNet (ResNet-18 or 34)"
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# faceswap trained its five classes with the mean and deviation of its own pictures.
FACESWAP = (0.384, 0.314, 0.279), (0.324, 0.286, 0.275)

Tensors = Mapping[str, NDArray[Any]]


def load_net(path: Path) -> BiSeNet:
    """The net with the weights of a file, its depth and classes found from the tensors.

    Raises WeightsError where the file is damaged or of another net.
    """
    tensors = rename(read_tensors(path))
    net = BiSeNet(find_config(tensors, path))
    load_into(net, tensors, path, title=TITLE)
    return net.eval()


def export_plan(path: Path) -> ExportPlan:
    """How the net of a file becomes ONNX: any batch, any height and width that 32 divides."""
    net = load_net(path)
    classes = net.conv_out.conv_out.out_channels
    mean, deviation = FACESWAP if classes == 5 else IMAGENET
    return ExportPlan(
        module=Parser(net, mean, deviation).eval(),
        inputs=(torch.zeros(2, 3, 512, 512),),
        input_names=("image",),
        output_names=("scores",),
        dynamic={"image": {0: "batch", 2: "height", 3: "width"}},
    )


def rename(tensors: Tensors) -> dict[str, NDArray[Any]]:
    """The tensors by the names of `net.py`; faceswap calls the first layer of a head `conv1`."""
    return {
        re.sub(r"^(conv_out(?:16|32)?)\.conv1\.", r"\1.conv.", name): value
        for name, value in tensors.items()
    }


def find_config(tensors: Tensors, path: Path) -> NetConfig:
    """The graph that tensors belong to.  Raises WeightsError where no graph of ours is like it."""
    last = tensors.get("conv_out.conv_out.weight")
    if last is None:
        raise WeightsError(f"{path}: not the weights of {TITLE}: lacks conv_out.conv_out.weight")
    if len(last) not in BY_COUNT:
        known = ", ".join(str(count) for count in sorted(BY_COUNT))
        raise WeightsError(
            f"{path}: a net of {len(last)} classes, whose meaning is unknown; there are {known}"
        )
    deep = "cp.resnet.layer1.2.conv1.weight" in tensors
    return NetConfig(classes=len(last), blocks=(3, 4, 6, 3) if deep else (2, 2, 2, 2))
