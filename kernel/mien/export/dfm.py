"""Writes a model as a DFM file; `contract` says what that is."""
# ruff: noqa: TID253  (imported only when a model is exported)

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..atomic import whole_file
from ..errors import InputError, PluginError, StageError
from ..stages import ExportPlan
from ..training.learning.swap import OUTPUTS as PLAN_OUTPUTS
from ..types import CropSpec
from . import contract
from .onnxfile import finish, verify

# What DeepFaceLab's own exporter writes for the opset.
_IR_VERSION = 7


class DfmNet(nn.Module):
    """A swap net with the tensors of a DFM.

    net   as ExportableStage describes it;  spec  what it wants to see
    """

    def __init__(self, net: nn.Module, spec: CropSpec) -> None:
        super().__init__()
        self._net, self._spec = net, spec

    def forward(self, face: Tensor, *morph: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The target's mask, the swap and its mask."""
        spec = self._spec
        seen = face.permute(0, 3, 1, 2).contiguous()
        if spec.order == "rgb":
            seen = seen.flip(1)
        if (spec.low, spec.high) != (0.0, 1.0):
            seen = seen * (spec.high - spec.low) + spec.low
        image, swap_mask, target_mask = self._net(seen, *morph)
        return _last(target_mask), _last(image), _last(swap_mask)


def write_dfm(
    plan: ExportPlan, spec: CropSpec, path: Path, about: Mapping[str, Any], *, half: bool = False
) -> float:
    """Write a net, compare the file with it, and return the largest difference.

    plan, spec  of an ExportableStage;  about  what the file says of itself, plain JSON values
    half  convolutions compute in float16
    Raises InputError where a model has no masks or changes the size, which the format cannot hold,
    StageError where the file does not give what the net gives.
    """
    if tuple(plan.output_names) != PLAN_OUTPUTS:
        raise InputError(
            "this model learned no masks of the swap and the target, and a DFM file must give "
            "both; train one with learn_mask, or saehd, amp or quick96, or export it as onnx"
        )
    net = DfmNet(plan.module, spec).eval()
    faces, *morph = plan.inputs
    inputs = (faces.permute(0, 2, 3, 1).contiguous(), *morph)
    with torch.inference_mode():
        made = net(*inputs)
    size = made[1].shape[1]
    if size != spec.size or made[0].shape[1] != size or made[2].shape[1] != size:
        raise InputError(
            f"this model sees {spec.size} pixels and makes {size}, and in a DFM file all are the "
            "same; export it as onnx"
        )
    names = (contract.IN_FACE, contract.IN_MORPH)[: len(inputs)]
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as beside:
        _export(net, inputs, names, beside)
        channels = zip(contract.OUTPUTS, (1, 3, 1), strict=True)
        sides = {name: (size, size, count) for name, count in channels}
        finish(beside, about, sides=sides, ir_version=_IR_VERSION, half=half)
        return verify(net, dict(zip(names, inputs, strict=True)), beside, half=half)


def _export(net: nn.Module, inputs: tuple[Tensor, ...], names: tuple[str, ...], path: Path) -> None:
    """Through torch's older exporter: the newer one knows no opset that old."""
    try:
        import onnx
    except ImportError as error:
        raise PluginError(
            f"a DFM file is written with onnx ({error}); pip install 'mien[torch]'"
        ) from error
    del onnx
    free = {name: {0: "batch"} for name in (contract.IN_FACE, *contract.OUTPUTS)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is old, and that shapes become constants
        try:
            torch.onnx.export(
                net,
                inputs,
                str(path),
                input_names=list(names),
                output_names=list(contract.OUTPUTS),
                dynamic_axes=free,
                opset_version=contract.OPSET,
                dynamo=False,
            )
        except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
            first = str(error).strip().splitlines()[0]
            raise StageError(
                f"{type(net).__name__}: cannot be written with opset {contract.OPSET}: {first}"
            ) from error


def _last(picture: Tensor) -> Tensor:
    return picture.permute(0, 2, 3, 1)
