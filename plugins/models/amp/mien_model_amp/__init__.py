"""AMP, DeepFaceLab's model that can be moved from one person to the other, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mien.hooks import hookimpl
from mien.options import option
from mien.stages import Context, ModelProvider, SwapStage
from mien.types import FaceType

from .dfl import DFL

if TYPE_CHECKING:
    from .trainer import AmpTrainer


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The net, which is fixed once training has begun, and how it learns, which is not."""

    resolution: int = option(
        224, "Side of the face it makes", unit="pixels", ge=64, le=640, multiple_of=32
    )
    face_type: FaceType = option(FaceType.WHOLE, "How much of the head it learns")
    ae_dims: int = option(256, "Width of the bottleneck", ge=32, le=1024)
    inter_dims: int = option(1024, "Channels of the code, which can be mixed", ge=32, le=2048)
    e_dims: int = option(64, "Channels of the encoder", ge=16, le=256, multiple_of=2)
    d_dims: int = option(64, "Channels of the decoder's face", ge=16, le=256, multiple_of=2)
    d_mask_dims: int = option(22, "Channels of the decoder's mask", ge=16, le=256, multiple_of=2)
    morph_factor: float = option(
        0.5, "Share of channels through which a source's face is learned as its own", ge=0.1, le=0.5
    )

    morph: float = option(
        1.0, "How much of the source a swap shows: 0 the target, 1 the source", ge=0, le=1
    )
    learning_rate: float = option(5e-5, "Step size of the optimizers", gt=0, le=0.1)
    lr_dropout: bool = option(
        False, "Move a third of the weights in a step, in waves: for sharpness at the end"
    )
    clip: bool = option(False, "Limit the gradients, so that a bad batch cannot ruin the model")
    blur_out_mask: bool = option(False, "Blur what lies around the face in what it shall give back")
    gan_power: float = option(
        0.0, "Let a second net judge whether the faces look true; for the end", ge=0, le=5
    )
    gan_patch_size: int = option(
        0,
        "How much of the face that net sees at once; 0 for an eighth",
        unit="pixels",
        ge=0,
        le=640,
    )
    gan_dims: int = option(16, "Channels of that net", ge=4, le=512)
    parity: bool = option(
        False, "Step exactly as DeepFaceLab does; the README lists the differences"
    )
    batch_size: int = option(8, "Faces swapped at once", ge=1, le=256)


def create(options: Options, context: Context, generation: Path) -> SwapStage:
    """The stage that gives target crops the source's face, from a saved generation."""
    from .stage import make_swap

    return make_swap(options, context, generation)


def train(options: Options, context: Context) -> AmpTrainer:
    """A fresh model, ready to learn."""
    from .trainer import AmpTrainer

    return AmpTrainer(options, context)


@hookimpl
def mien_models() -> Iterator[ModelProvider]:
    """The one model of this plugin."""
    yield ModelProvider(
        name="amp",
        summary="DeepFaceLab's model that morphs from the target to the source",
        options=Options,
        create=create,
        train=train,
        pretraining={"lr_dropout": False, "gan_power": 0.0},
        keyed=("morph",),
        dfl=DFL,
    )
