"""Writes a swap net as an ONNX file, says in it what it is, and checks what was written."""
# ruff: noqa: TID253  (imported only when a model is exported)

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..atomic import whole_file
from ..errors import OutputError, StageError
from ..onnx import export_onnx, open_session
from ..stages import ExportPlan
from .contract import METADATA
from .halved import halve_convolutions

_TOLERANCE, _HALF_TOLERANCE = 1e-3, 3e-2
_LARGEST = (1 << 31) - 1


def write_onnx(plan: ExportPlan, path: Path, about: Mapping[str, Any], *, half: bool) -> float:
    """Write a net as the plan says, compare the file with it, return the largest difference.

    half  compute in float16 inside;  about  what the file says of itself, plain JSON values
    Raises StageError where the file does not give what the net gives.
    """
    with torch.inference_mode():
        wanted = [each.numpy() for each in _outputs(plan.module, plan.inputs)]
    feeds = dict(zip(plan.input_names, plan.inputs, strict=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as beside:
        export_onnx(plan, beside, half=half)  # which leaves the net itself in float16
        finish(beside, about)
        return compare(wanted, feeds, beside, _HALF_TOLERANCE if half else _TOLERANCE)


def finish(
    path: Path,
    about: Mapping[str, Any],
    *,
    sides: Mapping[str, tuple[int, ...]] | None = None,
    ir_version: int | None = None,
    half: bool = False,
) -> None:
    """Write into a file what it is.

    sides  of outputs by name, all but the first: the exporter forgets them
    half   its convolutions shall compute in float16
    Raises OutputError where the net is too large for one file.
    """
    import onnx

    model = onnx.load(path)
    del model.metadata_props[:]
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA, json.dumps(dict(about))
    model.producer_name, model.producer_version = "mien", str(about.get("mien", ""))
    if ir_version is not None:
        model.ir_version = ir_version
    for output in model.graph.output:
        shape = output.type.tensor_type.shape.dim
        for place, size in zip(list(shape)[1:], (sides or {}).get(output.name, ()), strict=False):
            place.Clear()
            place.dim_value = size
    if half:
        halve_convolutions(model)
    if model.ByteSize() > _LARGEST:
        raise OutputError(
            f"{path}: the net has {model.ByteSize() / 1e9:.1f} GB, and one ONNX file holds at most "
            "2.1 GB; export it as safetensors"
        )
    onnx.checker.check_model(model)
    onnx.save(model, path)


def verify(net: nn.Module, inputs: Mapping[str, Tensor], path: Path, *, half: bool) -> float:
    """Run the file beside the net: the largest difference.  Raises StageError where it is large."""
    with torch.inference_mode():
        wanted = [each.numpy() for each in _outputs(net, tuple(inputs.values()))]
    return compare(wanted, inputs, path, _HALF_TOLERANCE if half else _TOLERANCE)


def compare(wanted: list[Any], inputs: Mapping[str, Tensor], path: Path, tolerance: float) -> float:
    """The largest difference between these outputs and the file's; StageError above `tolerance`."""
    feeds = {name: np.ascontiguousarray(value.numpy()) for name, value in inputs.items()}
    given = open_session(path).run(None, feeds)
    worst = max(float(np.abs(a - b).max()) for a, b in zip(wanted, given, strict=True))
    if not worst <= tolerance:
        raise StageError(
            f"the exported file gives pictures that differ by {worst:.2g} from the model's own, "
            f"allowed is {tolerance:g}; it was not kept"
        )
    return worst


def _outputs(net: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    made = net(*inputs)
    return (made,) if isinstance(made, Tensor) else tuple(made)
