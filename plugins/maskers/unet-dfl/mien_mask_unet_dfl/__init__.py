"""The U-Net that faceswap calls `unet-dfl`: a face mask that leaves out what hides the face."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mien.hooks import hookimpl
from mien.options import option
from mien.stages import Context, MaskerProvider, MaskerStage, WeightFile
from mien.types import FaceType

PUBLISHED = WeightFile(
    name="DFL_256_sigmoid_v2.pth",
    urls=(
        "https://github.com/deepfakes-models/faceswap-models/releases/download/"
        "v6.2/DFL_256_sigmoid_v2.zip",
    ),
    licence="GPL-3.0 (repository); of the weights not stated",
    summary="TernausNet-VGG11 of faceswap's unet-dfl",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a user may set."""

    file: Path | None = option(None, "Weights of your own instead of the published file")
    face_type: FaceType = option(FaceType.FULL, "How much of the head the net sees")
    batch_size: int = option(8, "Faces that the net sees at once", unit="faces", ge=1)


def create(options: Options, context: Context) -> MaskerStage:
    """The masker; brings in numpy, and torch where the net was never exported."""
    from .stage import UNetMasker

    return UNetMasker(options, context)


@hookimpl
def mien_maskers() -> Iterator[MaskerProvider]:
    """One masker, `unet-dfl`."""
    yield MaskerProvider(
        name="unet-dfl",
        summary="U-Net of faceswap: leaves out what hides the face",
        options=Options,
        create=create,
        licence="Apache-2.0 (weights: not stated)",
        weights=(PUBLISHED,),
    )
