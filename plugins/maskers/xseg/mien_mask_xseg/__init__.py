"""The masker `xseg`: the segmentation net that DeepFaceLab's users train for their own clips."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mien.hooks import hookimpl
from mien.options import option
from mien.stages import Context, MaskerProvider, MaskerStage
from mien.types import FaceType


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What can be set."""

    model: Path | None = option(
        None, "Folder of a trained XSeg model, or its file XSeg_256.npy or XSeg_model.onnx"
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


@hookimpl
def mien_maskers() -> Iterator[MaskerProvider]:
    """This plugin's card; there are no published weights for it."""
    yield MaskerProvider(
        name="xseg",
        summary="Mask by a trained XSeg model of DeepFaceLab",
        options=Options,
        create=create,
    )
