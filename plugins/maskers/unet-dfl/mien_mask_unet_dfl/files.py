# ruff: noqa: TID253 - imported only when a net is built
"""faceswap's weight file to the net of `net.py`, and the net to ONNX."""

from __future__ import annotations

from pathlib import Path

import torch
from mien.stages import ExportPlan
from mien.weights.tensors import load_into, read_tensors

from .net import NetConfig, UNet

TITLE = "U-Net-DFL (TernausNet-VGG11)"


def load_net(path: Path, config: NetConfig | None = None) -> UNet:
    """The net with the weights of a file.  Raises WeightsError where they are of another net."""
    net = UNet(config or NetConfig())
    load_into(net, read_tensors(path), path, title=TITLE)
    return net.eval()


def export_plan(net: UNet) -> ExportPlan:
    """How the net becomes ONNX: any batch of 256 pixels."""
    return ExportPlan(
        module=net,
        inputs=(torch.zeros(2, 3, 256, 256),),
        input_names=("image",),
        output_names=("mask",),
        dynamic={"image": {0: "batch"}},
    )
