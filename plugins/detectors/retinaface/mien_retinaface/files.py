# ruff: noqa: TID253 - imported only when a published net is loaded
"""Published weight files: into torch, and on to ONNX."""

from __future__ import annotations

from pathlib import Path

import torch
from mien.stages import ExportPlan
from mien.weights.tensors import load_into, read_tensors

from .net import MOBILENET, RESNET50, MobileNetBody, NetConfig, ResNetBody, RetinaFace
from .variants import Variant


def build_net(variant: Variant) -> RetinaFace:
    """The graph that a variant's weights belong to, with random weights."""
    if variant.body == "resnet50":
        config = NetConfig(**RESNET50, slope=0.0, points=variant.points)
        return RetinaFace(config, ResNetBody())
    config = NetConfig(
        taps=MOBILENET["taps"],
        channels=variant.channels,
        slope=variant.slope,
        points=variant.points,
    )
    return RetinaFace(config, MobileNetBody(variant.slope))


def load_net(path: Path, variant: Variant) -> RetinaFace:
    """The net with the weights of a file.  Raises WeightsError where they are of another net."""
    net = build_net(variant)
    body = "ResNet-50" if variant.body == "resnet50" else "MobileNet-0.25"
    load_into(net, read_tensors(path), path, title=f"RetinaFace {body}")
    return net.eval()


def export_plan(net: RetinaFace) -> ExportPlan:
    """How a net becomes ONNX: any batch, height and width."""
    names = ("boxes", "classes", "points")
    return ExportPlan(
        module=net,
        inputs=(torch.zeros(2, 3, 360, 640),),
        input_names=("image",),
        output_names=names if net.config.points else names[:2],
        dynamic={"image": {0: "batch", 2: "height", 3: "width"}},
    )
