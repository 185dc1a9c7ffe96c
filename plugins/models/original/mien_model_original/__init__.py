"""The first face-swap autoencoder: one encoder for both people, a decoder for each, 64 pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mien.hooks import hookimpl
from mien.options import option
from mien.stages import Context, ModelProvider, SwapStage
from mien.types import FaceType

if TYPE_CHECKING:
    from .trainer import OriginalTrainer

Loss = Literal["ssim", "mse", "mae", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The net, which is fixed once training has begun, and how it learns, which is not."""

    size: int = option(
        64, "Side of the face it makes", unit="pixels", ge=32, le=256, multiple_of=16
    )
    width: float = option(
        1.0, "Share of the original's channels; less is faster and coarser", ge=0.0625, le=2
    )
    lowmem: bool = option(False, "Leave out the encoder's last layer and halve its bottleneck")
    learn_mask: bool = option(False, "Learn where the face is, too")
    face_type: FaceType = option(FaceType.FULL, "How much of the head it learns")

    learning_rate: float = option(5e-5, "Step size of the optimiser", gt=0, le=0.1)
    loss: Loss = option("ssim", "What counts as alike")
    loss_2: Loss = option("mse", "A second measure, added to the first")
    loss_2_weight: float = option(1.0, "How much the second counts", ge=0, le=100)
    mask_loss: Literal["mse", "mae"] = option("mse", "What counts as alike for masks")
    masked: bool = option(True, "Only the face counts, not what is around it")
    margin: float = option(
        8.0,
        "How far around the face's mask it learns all the same: two faces differ in outline, and "
        "what shows at the edge of one must have been learned from the other",
        unit="%",
        ge=0,
        le=50,
    )
    batch_size: int = option(8, "Faces swapped at once", ge=1, le=256)


def create(options: Options, context: Context, generation: Path) -> SwapStage:
    """The stage that gives target crops the source's face, from a saved generation."""
    from .stage import make_swap

    return make_swap(options, context, generation)


def train(options: Options, context: Context) -> OriginalTrainer:
    """A fresh model, ready to learn."""
    from .trainer import OriginalTrainer

    return OriginalTrainer(options, context)


@hookimpl
def mien_models() -> Iterator[ModelProvider]:
    """The one model of this plugin."""
    yield ModelProvider(
        name="original",
        summary="The first face-swap autoencoder: small, quick to learn, 64 pixels",
        options=Options,
        create=create,
        train=train,
    )
