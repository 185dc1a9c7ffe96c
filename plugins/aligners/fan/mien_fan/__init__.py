"""FAN and its relatives: heat maps for 68 points, from weights that others have published."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from mien.hooks import hookimpl
from mien.options import option
from mien.stages import AlignerProvider, AlignerStage, Context, WeightFile

_FACE_ALIGNMENT = "not stated (code BSD-3-Clause); trained on 300W-LP, research data"
_FACESWAP = "repository GPL-3.0; converted from other weights, whose terms may differ"
_RELEASES = "https://github.com/deepfakes-models/faceswap-models/releases/download/"
_DEEPFACELAB = "repository GPL-3.0; converted from face-alignment's weights"

FAN2D = WeightFile(
    name="2DFAN4-11f355bf06.pth.tar",
    size=95_641_761,
    sha256="11f355bf0693120222f5955ce3f9dc8fb5763ebb30a47d7906e509490d32e4aa",
    urls=("https://www.adrianbulat.com/downloads/python-fan/2DFAN4-11f355bf06.pth.tar",),
    licence=_FACE_ALIGNMENT,
    summary="2DFAN-4 of face-alignment: points as they are seen",
)
FAN3D = WeightFile(
    name="3DFAN4-7835d9f11d.pth.tar",
    sha256="7835d9f11d",
    urls=("https://www.adrianbulat.com/downloads/python-fan/3DFAN4-7835d9f11d.pth.tar",),
    licence=_FACE_ALIGNMENT,
    summary="3DFAN-4 of face-alignment: points of the head, also where they are hidden",
)
FACESWAP_FAN = WeightFile(
    name="face-alignment-network_2d4_v4.pth",
    urls=(f"{_RELEASES}v13.4/face-alignment-network_2d4_v4.zip",),
    licence=_FACESWAP,
    summary="2DFAN-4 of faceswap",
)
FACESWAP_HRNET = WeightFile(
    name="hrnet_landmark_v2.pth",
    urls=(f"{_RELEASES}v34.2/hrnet_landmark_v2.zip",),
    licence=_FACESWAP,
    summary="HRNet-W18 with attention of faceswap",
)
DFL_2D = WeightFile(
    name="2DFAN.npy", licence=_DEEPFACELAB, summary="2DFAN-4 as DeepFaceLab ships it"
)
DFL_3D = WeightFile(
    name="3DFAN.npy", licence=_DEEPFACELAB, summary="3DFAN-4 as DeepFaceLab ships it"
)

FILES = {
    "2dfan4": FAN2D,
    "3dfan4": FAN3D,
    "faceswap": FACESWAP_FAN,
    "faceswap-hrnet": FACESWAP_HRNET,
    "deepfacelab-2d": DFL_2D,
    "deepfacelab-3d": DFL_3D,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a user may set."""

    weights: Literal[
        "2dfan4", "3dfan4", "faceswap", "faceswap-hrnet", "deepfacelab-2d", "deepfacelab-3d"
    ] = option("2dfan4", "Published weights; all but faceswap-hrnet are a FAN of four stacks")
    stacks: int = option(
        4, "How many of FAN's stacks look at the face; fewer are quicker, less exact", ge=1, le=4
    )
    crop: Literal["exact", "face-alignment", "deepfacelab", "faceswap"] = option(
        "exact",
        "How the square round the face is cut: exact is face-alignment's square warped without "
        "rounding, the others repeat published programs pixel by pixel",
    )
    upright: bool = option(
        True, "Turn the exact crop level by the detector's five points, where it gives them"
    )
    reference: float = option(
        195,
        "The square's side is 200 times the box's width and height over this; face-alignment uses "
        "165 for the tighter boxes of RetinaFace and YuNet",
        gt=0,
    )
    decoder: Literal["dark", "deepfacelab", "face-alignment", "faceswap", "faceswap-dark"] = option(
        "dark",
        "How a heat map becomes a point: dark is the most exact, deepfacelab a quarter-cell step, "
        "face-alignment the same cut to whole pixels, faceswap-dark lies half a cell off",
    )
    flip: bool = option(False, "Add the heat maps of the mirrored face, as face-alignment does")
    samples: Literal[1, 5] = option(
        1,
        "Squares looked at: 5 takes the mean of five, a pixel apart, as DeepFaceLab's second pass",
    )
    batch_size: int = option(4, "Faces that the net sees at once", unit="faces", ge=1)


def create(options: Options, context: Context) -> AlignerStage:
    """The aligner; brings in numpy and OpenCV, and torch where the net is not exported yet."""
    from .stage import FanAligner

    return FanAligner(options, context)


@hookimpl
def mien_aligners() -> Iterator[AlignerProvider]:
    """One aligner, `fan`."""
    yield AlignerProvider(
        name="fan",
        summary="FAN and faceswap's HRNet: exact, slow without a GPU, weights to be fetched",
        options=Options,
        create=create,
        licence="Apache-2.0 (weights: see each file)",
        weights=tuple(FILES.values()),
    )
