"""The masker `landmarks`: the face's outline as its landmarks draw it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from mien.hooks import hookimpl
from mien.options import option
from mien.stages import Context, MaskerProvider, MaskerStage
from mien.types import CropSpec, FaceType


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What can be set."""

    kind: Literal["hull", "components", "extended"] = option(
        "hull", "The outline of DeepFaceLab, or one of the two of faceswap"
    )
    brow: float = option(
        1.5,
        "How far `hull` reaches up the forehead; 1 as DeepFaceLab, just above the brows",
        ge=0,
        le=4,
    )
    face_type: FaceType = option(FaceType.WHOLE, "How much of the head the mask's crop shows")
    size: int = option(256, "Side of the mask", unit="pixels", ge=16, le=2048)


def create(options: Options, context: Context) -> MaskerStage:
    """The stage; imports cv2 with its first mask."""
    from .stage import LandmarkMasker

    spec = CropSpec(face_type=options.face_type, size=options.size, dtype="uint8")
    return LandmarkMasker(spec, options.kind, options.brow)


@hookimpl
def mien_maskers() -> Iterator[MaskerProvider]:
    """This plugin's card."""
    yield MaskerProvider(
        name="landmarks",
        summary="Draw the face's outline from its landmarks",
        options=Options,
        create=create,
        keyed=("kind", "brow"),
    )
