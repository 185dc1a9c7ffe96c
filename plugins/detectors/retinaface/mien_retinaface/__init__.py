"""RetinaFace, MobileNet-0.25 or ResNet-50: finds faces and gives five points of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from mien.hooks import hookimpl
from mien.options import option
from mien.stages import Context, DetectorProvider, DetectorStage, WeightFile

MIEN = WeightFile(
    name="mien_retinaface_v1.onnx",
    size=1_373_071,
    sha256="78f1ab3e2f5106ead938d491d6a2689d2ae7a967d82ca51d7e9c75fa07879544",
    package="mien_retinaface",
    licence="Apache-2.0; the card mien_retinaface_v1.md tells what it was trained on",
    summary="RetinaFace MobileNet-0.25 trained for mien, shipped with the plugin",
)
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
        "https://github.com/elliottzheng/face-detection/releases/download/0.0.1/"
        "mobilenet0.25_Final.pth",
    ),
    licence="MIT (repository); trained on WIDER FACE",
    summary="RetinaFace MobileNet-0.25 of Pytorch_Retinaface",
)
RESNET50 = WeightFile(
    name="detection_Resnet50_Final.pth",
    size=109_497_761,
    sha256="6d1de9c2944f2ccddca5f5e010ea5ae64a39845a86311af6fdf30841b0a5a16d",
    urls=(
        "https://github.com/xinntao/facexlib/releases/download/v0.1.0/detection_Resnet50_Final.pth",
    ),
    licence="MIT (repository); trained on WIDER FACE",
    summary="RetinaFace ResNet-50 of Pytorch_Retinaface",
)
_FACESWAP = "repository GPL-3.0; converted from other weights, whose terms may differ"
FACESWAP_MOBILENET = WeightFile(
    name="retinaface_v2.pth",
    urls=(
        "https://github.com/deepfakes-models/faceswap-models/releases/download/v32.2/"
        "retinaface_v2.zip",
    ),
    licence=_FACESWAP,
    summary="RetinaFace MobileNet-0.25 of faceswap, without points",
)
FACESWAP_RESNET = WeightFile(
    name="retinaface_v1.pth",
    urls=(
        "https://github.com/deepfakes-models/faceswap-models/releases/download/v32.1/"
        "retinaface_v1.zip",
    ),
    licence=_FACESWAP,
    summary="RetinaFace ResNet-50 of faceswap, without points",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a user may set."""

    weights: Literal[
        "mien", "1mb", "pytorch", "resnet50", "faceswap-mobilenet", "faceswap-resnet"
    ] = option(
        "mien",
        "The plugin's own weights, or published ones: of Face-Detector-1MB, of Pytorch_Retinaface "
        "(pytorch is its MobileNet-0.25), of faceswap",
    )
    threshold: float | None = option(
        None,
        "Lowest score that counts as a face; unset: 0.8 with mien's weights, 0.7 with others",
        ge=0.02,
        le=1,
    )
    nms: float = option(0.4, "Boxes that overlap a better one by more than this go", ge=0, le=1)
    inner: float = option(
        0.8,
        "Boxes of which more than this lies in a better one go: parts of a close-up; 1 keeps them",
        ge=0,
        le=1,
    )
    size: int = option(
        640,
        "Long side of the picture that the net sees; 0 for the frame's own",
        unit="px",
        ge=0,
    )
    enlarge: float = option(
        1.0,
        "Frames smaller than that are enlarged by up to this factor: finds smaller faces, and more "
        "that are none",
        ge=1,
        le=4,
    )
    pyramid: bool | None = option(
        None,
        "Look again at halved pictures, down to 320 pixels; unset: where the weights break large "
        "faces otherwise, which mien's own do not",
    )
    feed: Literal["bgr", "rgb"] = option(
        "bgr",
        "Order of the colours that the net sees; rgb repeats what faceswap and face-alignment do, "
        "and finds fewer faces",
    )
    min_face: int = option(
        12, "Faces whose shorter side is below this are left out", unit="px", ge=0
    )
    max_faces: int = option(0, "At most so many faces in a frame, the surest; 0 for all", ge=0)
    batch_size: int = option(4, "Frames that the net sees at once", unit="frames", ge=1)
    top_k: int = option(5000, "Candidates that enter the suppression, the surest", ge=1)
    keep: int = option(750, "Candidates that may leave it", ge=1)
    plus_one: bool = option(False, "Measure overlap in whole pixels, as the published code does")


def create(options: Options, context: Context) -> DetectorStage:
    """The detector; brings in numpy and OpenCV, and torch where a published net is exported."""
    from .stage import RetinaFaceDetector

    return RetinaFaceDetector(options, context)


@hookimpl
def mien_detectors() -> Iterator[DetectorProvider]:
    """One detector, `retinaface`."""
    yield DetectorProvider(
        name="retinaface",
        summary="RetinaFace, MobileNet-0.25 or ResNet-50: quick, gives five points",
        options=Options,
        create=create,
        licence="Apache-2.0 (published weights: MIT)",
        weights=(MIEN, ONE_MB, PYTORCH, RESNET50, FACESWAP_MOBILENET, FACESWAP_RESNET),
        gives_points5=True,
    )
