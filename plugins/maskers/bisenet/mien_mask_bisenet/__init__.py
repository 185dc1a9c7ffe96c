"""Face parsing: says of every pixel whether it is skin, brow, eye, lip, hair or none of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mien.hooks import hookimpl
from mien.options import option
from mien.stages import Context, MaskerProvider, MaskerStage, WeightFile
from mien.types import FaceType

from .classes import ClassName

_FACESWAP = "https://github.com/deepfakes-models/faceswap-models/releases/download"
_FACESWAP_LICENCE = "GPL-3.0 (repository); data not stated"

SMALL = WeightFile(
    name="mien_masker_v1.onnx",
    size=6_733_853,
    sha256="14aa03b02fcfddd92971f957dc03095a89a66f5fc922a416933df749333ad717",
    licence="Apache-2.0; data: see the model card beside it",
    summary="Small parsing net of mien: skin, forehead, brows, eyes, lips, mouth",
    package="mien_mask_bisenet",
)
CELEBAMASK = WeightFile(
    name="79999_iter.pth",
    size=53_289_463,
    sha256="468e13ca13a9b43cc0881a9f99083a430e9c0a38abd935431d1c28ee94b26567",
    urls=(
        "https://github.com/xinntao/facexlib/releases/download/v0.2.0/parsing_bisenet.pth",
        "https://github.com/zllrunning/face-makeup.PyTorch/raw/master/cp/79999_iter.pth",
    ),
    licence="MIT (repository); trained on CelebAMask-HQ, non-commercial research only",
    non_commercial=True,
    summary="BiSeNet of face-parsing.PyTorch, 19 classes",
)
FACESWAP_ORIGINAL = WeightFile(
    name="bisenet_face_parsing_v4.pth",
    urls=(f"{_FACESWAP}/v14.4/bisenet_face_parsing_v4.zip",),
    licence="GPL-3.0 (repository); trained on CelebAMask-HQ, non-commercial research only",
    non_commercial=True,
    summary="79999_iter.pth as faceswap names its tensors, 19 classes",
)
FACESWAP_HEAD = WeightFile(
    name="bisenet_face_parsing_v5.pth",
    urls=(f"{_FACESWAP}/v14.5/bisenet_face_parsing_v5.zip",),
    licence=_FACESWAP_LICENCE,
    summary="BiSeNet of faceswap for crops of the head, 5 classes",
)
FACESWAP_FACE = WeightFile(
    name="bisenet_face_parsing_v6.pth",
    urls=(f"{_FACESWAP}/v14.6/bisenet_face_parsing_v6.zip",),
    licence=_FACESWAP_LICENCE,
    summary="BiSeNet of faceswap for crops of the face, 5 classes",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a user may set."""

    weights: Literal[
        "mien", "celebamask", "faceswap-original", "faceswap-head", "faceswap-face"
    ] = option("mien", "Whose net: the one that comes with mien, or a published one")
    file: Path | None = option(
        None, "A net of your own instead: BiSeNet of ResNet-18 or 34, 19 or 5 classes"
    )
    classes: tuple[ClassName, ...] = option(
        (), "What belongs to the mask; where empty, all that is face, with glasses"
    )
    soft: bool = option(True, "Probabilities; false for 0 and 1 by the likeliest class")
    face_type: FaceType | None = option(
        None, "How much of the head the net sees; whole by default, head for hair, hat or neck"
    )
    size: int = option(
        0, "Side of the crop that the net sees; 0 for its own", unit="px", ge=0, multiple_of=32
    )
    batch_size: int = option(8, "Faces that the net sees at once", unit="faces", ge=1)


def create(options: Options, context: Context) -> MaskerStage:
    """The masker; brings in numpy, and torch for any net but mien's own."""
    from .stage import BiSeNetMasker

    return BiSeNetMasker(options, context)


@hookimpl
def mien_maskers() -> Iterator[MaskerProvider]:
    """One masker, `bisenet`."""
    yield MaskerProvider(
        name="bisenet",
        summary="Face parsing: any choice of skin, brows, eyes, lips, hair, ...",
        options=Options,
        create=create,
        licence="Apache-2.0 (published weights: see each)",
        weights=(SMALL, CELEBAMASK, FACESWAP_ORIGINAL, FACESWAP_HEAD, FACESWAP_FACE),
    )
