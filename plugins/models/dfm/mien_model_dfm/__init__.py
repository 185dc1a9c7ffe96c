"""Runs finished models that lie in DFM files: those of DeepFaceLab, and those exported here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.errors import ConfigError
from mien.hooks import hookimpl
from mien.options import option
from mien.stages import Context, ModelProvider, SwapStage
from mien.types import FaceType


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a file does not say of itself."""

    face_type: FaceType | None = option(
        None, "How much of the head it was trained on; else what the file says, or whole"
    )
    morph: float = option(
        1.0,
        "How much of the source a swap shows: 0 the target, 1 the source; for models that morph",
        ge=0,
        le=1,
    )
    batch_size: int = option(4, "Faces swapped at once", ge=1, le=256)


def create(options: Options, context: Context, file: Path) -> SwapStage:
    """The stage that gives target crops the source's face, from a DFM file."""
    from .stage import open_file

    return open_file(options, context, file)


def train(options: Options, context: Context) -> Any:
    """Raises ConfigError: a finished model cannot learn."""
    raise ConfigError(
        "model 'dfm': is finished and cannot be trained; train a model such as saehd or amp, or "
        "import the folder that the file was exported from: mien import dfl-model FOLDER"
    )


@hookimpl
def mien_models() -> Iterator[ModelProvider]:
    """The one model of this plugin."""
    yield ModelProvider(
        name="dfm",
        summary="Runs finished models in DFM files; cannot be trained",
        options=Options,
        create=create,
        train=train,
        files=(".dfm", ".onnx"),
        keyed=("morph",),
    )
