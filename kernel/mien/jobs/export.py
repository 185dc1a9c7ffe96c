"""`mien export`: a trained model for other programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .. import __version__
from ..atomic import reason
from ..errors import InputError, OutputError
from ..options import plain
from ..stages import ExportableStage
from .model import StoredModel, find_model
from .run import Run

Format = Literal["onnx", "dfm", "safetensors"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A finished file.

    difference  the largest between what it gives and what the model gives, on pictures 0..1; None
                where the file holds weights only
    """

    path: Path
    plugin: str
    iteration: int
    bytes: int
    difference: float | None = None


def export(run: Run, *, folder: Path, path: Path, form: Format, half: bool = False) -> Exported:
    """Write the newest generation of a model as a file, whole or not at all.

    half  of a net: it computes in float16 inside, convolutions only in a DFM
    Raises InputError where the model cannot be had in this form, OutputError where the file cannot
    be written, StageError where it would not give what the model gives.
    """
    found = find_model(run, folder)
    about = _about(found)
    try:
        difference = None
        if form == "safetensors":
            _write_tensors(found, path, about)
        else:
            difference = _write_net(run, found, path, form, about, half=half)
        size = path.stat().st_size
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({reason(error)})") from error
    return Exported(
        path=path,
        plugin=found.card.plugin,
        iteration=found.generation.iteration,
        bytes=size,
        difference=difference,
    )


def _write_tensors(found: StoredModel, path: Path, about: dict[str, Any]) -> None:
    from ..export.tensors import write_safetensors

    write_safetensors(found.generation.weights(), path, about)


def _write_net(
    run: Run, found: StoredModel, path: Path, form: Format, about: dict[str, Any], *, half: bool
) -> float:
    stage = found.provider.create(found.options, run.context, found.generation.folder)
    if not isinstance(stage, ExportableStage):
        raise InputError(
            f"{found.folder}: models of '{found.card.plugin}' cannot be exported as {form}; their "
            "weights can, as safetensors"
        )
    spec, plan = stage.spec, stage.export_plan()
    about |= {"order": spec.order, "low": spec.low, "high": spec.high}
    if form == "dfm":
        from ..export.dfm import write_dfm

        about |= {"order": "bgr", "low": 0.0, "high": 1.0}  # whatever the net itself wants
        return write_dfm(plan, spec, path, about, half=half)
    from ..export.onnxfile import write_onnx

    return write_onnx(plan, path, about, half=half)


def _about(found: StoredModel) -> dict[str, Any]:
    """What a file says of the model that it holds."""
    return {
        "mien": __version__,
        "plugin": found.card.plugin,
        "version": found.card.dist_version,
        "iteration": found.generation.iteration,
        "weights_sha256": found.generation.weights_sha256,
        "face_type": found.card.face_type,
        "size": found.card.size,
        "options": plain(found.options),
        "net": dict(found.generation.facts.get("net", {})),
    }
