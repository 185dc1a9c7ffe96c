"""RetinaFace with a MobileNet-0.25 body: a quick face detector that also gives five points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from mien.hooks import hookimpl
from mien.options import option
from mien.stages import Context, DetectorProvider, DetectorStage, WeightFile

ONE_MB = WeightFile(
    name="retinaface_1mb_mobilenet0.25_Final.pth",
    size=1_789_735,
    sha256="ed6fa7d45a5179f03cb5ce82c73b0c6711372968e53782e88395acee88d319e1",
    urls=(
        "https://github.com/biubug6/Face-Detector-1MB-with-landmark/raw/master/weights/"
        "mobilenet0.25_Final.pth",
    ),
    licence="MIT (repository); trained on WIDER FACE",
    summary="RetinaFace MobileNet-0.25 of Face-Detector-1MB-with-landmark",
)
PYTORCH = WeightFile(
    name="detection_mobilenet0.25_Final.pth",
    size=1_789_735,
    sha256="2979b33ffafda5d74b6948cd7a5b9a7a62f62b949cef24e95fd15d2883a65220",
    urls=(
        "https://github.com/xinntao/facexlib/releases/download/v0.1.0/"
        "detection_mobilenet0.25_Final.pth",
    ),
    licence="MIT (repository); trained on WIDER FACE",
    summary="RetinaFace MobileNet-0.25 of Pytorch_Retinaface",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a user may set."""

    weights: Literal["1mb", "pytorch"] = option(
        "1mb", "Published weights: of Face-Detector-1MB or of Pytorch_Retinaface"
    )
    threshold: float = option(0.7, "Lowest score that counts as a face", ge=0.02, le=1)
    nms: float = option(0.4, "Boxes that overlap a better one by more than this go", ge=0, le=1)
    size: int = option(
        640,
        "Long side of the picture that the net sees, never enlarged; 0 for the frame's own",
        unit="px",
        ge=0,
    )
    pyramid: bool = option(
        True, "Look again at halved pictures, down to 320 pixels: large faces need it"
    )
    min_face: int = option(
        16, "Faces whose shorter side is below this are left out", unit="px", ge=0
    )
    max_faces: int = option(0, "At most so many faces in a frame, the surest; 0 for all", ge=0)
    batch_size: int = option(4, "Frames that the net sees at once", unit="frames", ge=1)
    top_k: int = option(5000, "Candidates that enter the suppression, the surest", ge=1)
    keep: int = option(750, "Candidates that may leave it", ge=1)
    plus_one: bool = option(False, "Measure overlap in whole pixels, as the published code does")


def create(options: Options, context: Context) -> DetectorStage:
    """The detector; brings in numpy and OpenCV, and torch where the net was never exported."""
    from .stage import RetinaFaceDetector

    return RetinaFaceDetector(options, context)


@hookimpl
def mien_detectors() -> Iterator[DetectorProvider]:
    """One detector, `retinaface`."""
    yield DetectorProvider(
        name="retinaface",
        summary="RetinaFace, MobileNet-0.25: quick, gives five points",
        options=Options,
        create=create,
        licence="Apache-2.0 (weights: MIT)",
        weights=(ONE_MB, PYTORCH),
        gives_points5=True,
    )
