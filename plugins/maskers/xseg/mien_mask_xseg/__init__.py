"""The masker `xseg`, and the model of that name which learns from masks that were drawn by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mien.errors import ConfigError
from mien.hooks import hookimpl
from mien.options import option
from mien.stages import Context, MaskerProvider, MaskerStage, ModelProvider, SwapStage
from mien.types import FaceType

from .dfl import DFL

if TYPE_CHECKING:
    from .trainer import XSegTrainer


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What can be set."""

    model: Path | None = option(
        None,
        "Folder of a model that `mien train xseg` or DeepFaceLab made, or its file XSeg_256.npy or "
        "XSeg_model.onnx",
    )
    face_type: FaceType | None = option(
        None,
        "How much of the head the model was trained to see; empty: as its file XSeg_data.dat says, "
        "else whole",
    )
    floor: float = option(0.1, "Mask values below this become 0, as DeepFaceLab does", ge=0, le=1)
    batch_size: int = option(4, "Crops that the net sees at once", unit="crops", ge=1)


def create(options: Options, context: Context) -> MaskerStage:
    """The stage; brings numpy, and torch where the model was never exported."""
    from .stage import XSegMasker

    return XSegMasker(options, context)


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnOptions:
    """The net, which is fixed once training has begun, and how it learns, which is not."""

    face_type: FaceType = option(FaceType.WHOLE, "How much of the head it sees")
    size: int = option(
        256, "Side of picture and mask; 256 is DeepFaceLab's", unit="pixels", ge=64, le=512,
        multiple_of=64,
    )  # fmt: skip
    base: int = option(32, "Channels of the first level; 32 is DeepFaceLab's", ge=4, le=64)
    learning_rate: float = option(1e-4, "Step size of the optimizer", gt=0, le=0.1)
    general: bool = option(
        False,
        "Give back grey pictures instead of masks, to learn what faces are; --pretrain FACES turns "
        "it on by itself",
    )


def create_swap(options: LearnOptions, context: Context, generation: Path) -> SwapStage:
    """Raises ConfigError: this model makes masks."""
    raise ConfigError(
        "model 'xseg' makes masks, not faces; use it with: --masker xseg --xseg-model FOLDER"
    )


def train(options: LearnOptions, context: Context) -> XSegTrainer:
    """A fresh net, ready to learn."""
    from .trainer import XSegTrainer

    return XSegTrainer(options, context)


@hookimpl
def mien_models() -> Iterator[ModelProvider]:
    """The net while it learns; source and target are two facesets, or one named twice."""
    yield ModelProvider(
        name="xseg",
        summary="Learns masks from faces whose masks were drawn by hand, for the masker xseg",
        options=LearnOptions,
        create=create_swap,
        train=train,
        pretraining={"general": True},
        dfl=DFL,
    )


@hookimpl
def mien_maskers() -> Iterator[MaskerProvider]:
    """This plugin's card; there are no published weights for it."""
    yield MaskerProvider(
        name="xseg",
        summary="Mask by a trained XSeg model of DeepFaceLab",
        options=Options,
        create=create,
        keyed=("floor",),
    )
