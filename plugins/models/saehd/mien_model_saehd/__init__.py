"""SAEHD, DeepFaceLab's main model: any size, two families of nets, many variants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mien.hooks import hookimpl
from mien.options import option
from mien.stages import Context, ModelProvider, SwapStage
from mien.types import FaceType

from .dfl import DFL

if TYPE_CHECKING:
    from .trainer import SaehdTrainer


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The net, which is fixed once training has begun, and how it learns, which is not."""

    resolution: int = option(
        128, "Side of the face it makes", unit="pixels", ge=64, le=640, multiple_of=16
    )
    face_type: FaceType = option(FaceType.FULL, "How much of the head it learns")
    archi: str = option(
        "liae-ud",
        "df keeps the source's likeness, liae the target's light; letters behind '-': u likeness, "
        "d twice the resolution at the same cost, t more likeness, c sharper",
    )
    ae_dims: int = option(256, "Width of the bottleneck", ge=32, le=1024)
    e_dims: int = option(64, "Channels of the encoder", ge=16, le=256, multiple_of=2)
    d_dims: int = option(64, "Channels of the decoder's face", ge=16, le=256, multiple_of=2)
    d_mask_dims: int = option(22, "Channels of the decoder's mask", ge=16, le=256, multiple_of=2)

    learning_rate: float = option(5e-5, "Step size of the optimizers", gt=0, le=0.1)
    optimizer: Literal["adabelief", "rmsprop"] = option(
        "adabelief", "AdaBelief learns more exactly, RMSprop takes half the memory"
    )
    lr_dropout: bool = option(
        False, "Move a third of the weights in a step, in waves: for sharpness at the end"
    )
    clip: bool = option(False, "Limit the gradients, so that a bad batch cannot ruin the model")
    masked_training: bool = option(True, "Only the face counts, not what is around it")
    eyes_mouth_prio: bool = option(False, "Eyes and mouth count very much")
    blur_out_mask: bool = option(False, "Blur what lies around the face in what it shall give back")
    gan_power: float = option(
        0.0, "Let a second net judge whether the source looks true; for the end", ge=0, le=5
    )
    gan_patch_size: int = option(
        0,
        "How much of the face that net sees at once; 0 for an eighth",
        unit="pixels",
        ge=0,
        le=640,
    )
    gan_dims: int = option(16, "Channels of that net", ge=4, le=512)
    true_face_power: float = option(
        0.0, "df only: let a net judge the codes, for more of the source's likeness", ge=0, le=1
    )
    face_style_power: float = option(
        0.0, "Give the swap the target's colours while it learns", ge=0, le=100
    )
    bg_style_power: float = option(0.0, "Let the swap's surroundings be the target's", ge=0, le=100)
    freeze_common: bool = option(
        False, "liae only: leave inter_AB as it is, as DeepFaceLab does while random warp is off"
    )
    parity: bool = option(
        False, "Step exactly as DeepFaceLab does; the README lists the differences"
    )
    batch_size: int = option(8, "Faces swapped at once", ge=1, le=256)


def create(options: Options, context: Context, generation: Path) -> SwapStage:
    """The stage that gives target crops the source's face, from a saved generation."""
    from .stage import make_swap

    return make_swap(options, context, generation)


def train(options: Options, context: Context) -> SaehdTrainer:
    """A fresh model, ready to learn."""
    from .trainer import SaehdTrainer

    return SaehdTrainer(options, context)


@hookimpl
def mien_models() -> Iterator[ModelProvider]:
    """The one model of this plugin."""
    yield ModelProvider(
        name="saehd",
        summary="DeepFaceLab's main model: 64 to 640 pixels, df and liae, GAN",
        options=Options,
        create=create,
        train=train,
        pretraining={
            "lr_dropout": False,
            "gan_power": 0.0,
            "true_face_power": 0.0,
            "face_style_power": 0.0,
            "bg_style_power": 0.0,
        },
        dfl=DFL,
    )
