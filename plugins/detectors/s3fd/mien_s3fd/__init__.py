"""S3FD: a large, thorough face detector, with the habits of the programs that made it known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from mien.hooks import hookimpl
from mien.options import option
from mien.stages import Context, DetectorProvider, DetectorStage, WeightFile

FACE_ALIGNMENT = WeightFile(
    name="s3fd-619a316812.pth",
    size=89_843_225,
    sha256="619a31681264d3f7f7fc7a16a42cbbe8b23f31a256f75a366e5a1bcd59b33543",
    urls=("https://www.adrianbulat.com/downloads/python-fan/s3fd-619a316812.pth",),
    licence="not stated; trained on WIDER FACE",
    summary="S3FD of face-alignment",
)
FACESWAP = WeightFile(
    name="s3fd_torch_v3.pth",
    urls=(
        "https://github.com/deepfakes-models/faceswap-models/releases/download/v11.3/"
        "s3fd_torch_v3.zip",
    ),
    licence="repository GPL-3.0; converted from other weights, whose terms may differ",
    summary="S3FD of faceswap",
)
DFL = WeightFile(
    name="S3FD.npy",
    licence="not stated",
    summary="S3FD of DeepFaceLab, as its facelib folder holds it",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a user may set."""

    weights: Literal["face-alignment", "faceswap", "dfl"] = option(
        "face-alignment", "Whose file of the weights; the net is the same in all three"
    )
    flavour: Literal["mien", "face-alignment", "dfl", "faceswap"] = option(
        "mien",
        "Whose habits: mien's own, or those of another program, with its order of colours, its way "
        "of shrinking, its suppression and its rounding",
    )
    threshold: float | None = option(
        None, "Lowest score that counts as a face; unset: 0.5, in faceswap's way 0.7", ge=0.05, le=1
    )
    nms: float | None = option(
        None,
        "Boxes that overlap a better one by more than this go; unset: 0.3, in faceswap's way 0.5",
        ge=0,
        le=1,
    )
    size: int = option(
        640,
        "Long side of the picture that the net sees, never enlarged; 0 for the frame's own. "
        "The other programs' ways have their own rule",
        unit="px",
        ge=0,
    )
    apart: bool = option(
        False, "Leave out a face that touches the next larger one, as DeepFaceLab can"
    )
    min_face: int = option(
        16, "Faces whose shorter side is below this are left out", unit="px", ge=0
    )
    max_faces: int = option(0, "At most so many faces in a frame, the surest; 0 for all", ge=0)
    batch_size: int = option(4, "Frames that the net sees at once", unit="frames", ge=1)
    top_k: int = option(5000, "Candidates that enter the suppression, the surest", ge=1)


def create(options: Options, context: Context) -> DetectorStage:
    """The detector; brings in numpy and OpenCV, and torch where the net was never exported."""
    from .stage import S3fdDetector

    return S3fdDetector(options, context)


@hookimpl
def mien_detectors() -> Iterator[DetectorProvider]:
    """One detector, `s3fd`."""
    yield DetectorProvider(
        name="s3fd",
        summary="S3FD: thorough and slow; as DeepFaceLab, faceswap or face-alignment use it",
        options=Options,
        create=create,
        licence="Apache-2.0 (weights: not stated)",
        weights=(FACE_ALIGNMENT, FACESWAP, DFL),
    )
