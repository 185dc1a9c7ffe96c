"""The maskers `vgg-clear` and `vgg-obstructed`: fully convolutional nets over VGG-16."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mien.hooks import hookimpl
from mien.options import option
from mien.stages import Context, MaskerProvider, MaskerStage, WeightFile
from mien.types import FaceType

_FACESWAP = "https://github.com/deepfakes-models/faceswap-models/releases/download/"
_ORIGIN = "https://github.com/YuvalNirkin/face_segmentation/releases/download/"
_PORT = "https://github.com/andres-fr/face_segmentation_pytorch/releases/download/"
_CONVERTED = "GPL-3.0 (repository); converted from Apache-2.0 weights"

CLEAR = (
    WeightFile(
        name="Nirkin_300_softmax_v2.pth",
        urls=(f"{_FACESWAP}v8.2/Nirkin_300_softmax_v2.zip",),
        licence=_CONVERTED,
        summary="VGG-clear, as faceswap converted it",
    ),
    WeightFile(
        name="face_seg_fcn8s_300_no_aug.zip",
        urls=(f"{_ORIGIN}1.1/face_seg_fcn8s_300_no_aug.zip",),
        licence="Apache-2.0 (repository)",
        summary="VGG-clear, the Caffe model of its author",
    ),
)
OBSTRUCTED = (
    WeightFile(
        name="Nirkin_500_softmax_v2.pth",
        urls=(f"{_FACESWAP}v5.2/Nirkin_500_softmax_v2.zip",),
        licence=_CONVERTED,
        summary="VGG-obstructed, as faceswap converted it",
    ),
    WeightFile(
        name="face_seg_fcn8s.zip",
        urls=(f"{_ORIGIN}1.0/face_seg_fcn8s.zip",),
        licence="Apache-2.0 (repository); trained on IARPA Janus CS2 and EgoHands",
        summary="VGG-obstructed, the Caffe model of its author",
    ),
    WeightFile(
        name="face_seg_fcn8s.pt",
        urls=(f"{_PORT}1.0/face_seg_fcn8s.zip",),
        licence="Apache-2.0 (repository); trained on IARPA Janus CS2 and EgoHands",
        summary="VGG-obstructed, converted to torch",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What can be set."""

    file: Path | None = option(None, "Weights of your own instead of a published file")
    face_type: FaceType = option(FaceType.WHOLE, "How much of the head the net sees")
    parity: bool = option(
        False, "Pool and subtract the mean as faceswap's port does, to get its masks"
    )
    batch_size: int = option(6, "Crops that the net sees at once", unit="crops", ge=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObstructedOptions(Options):
    """The same, with smaller batches: the picture is larger."""

    batch_size: int = option(2, "Crops that the net sees at once", unit="crops", ge=1)


def create_clear(options: Options, context: Context) -> MaskerStage:
    """The stage of `vgg-clear`; brings numpy, and torch where the net was never exported."""
    from .stage import CLEAR_NET, VggMasker

    return VggMasker(options, context, CLEAR_NET, CLEAR)


def create_obstructed(options: ObstructedOptions, context: Context) -> MaskerStage:
    """The stage of `vgg-obstructed`; brings numpy, and torch where the net was never exported."""
    from .stage import OBSTRUCTED_NET, VggMasker

    return VggMasker(options, context, OBSTRUCTED_NET, OBSTRUCTED)


@hookimpl
def mien_maskers() -> Iterator[MaskerProvider]:
    """Both maskers."""
    yield MaskerProvider(
        name="vgg-clear",
        summary="Mask of faces that nothing hides, by a net over VGG-16",
        options=Options,
        create=create_clear,
        licence="Apache-2.0 (weights: see their repositories)",
        weights=CLEAR,
    )
    yield MaskerProvider(
        name="vgg-obstructed",
        summary="Mask that leaves out hands and things before the face, by a net over VGG-16",
        options=ObstructedOptions,
        create=create_obstructed,
        licence="Apache-2.0 (weights: see their repositories)",
        weights=OBSTRUCTED,
    )
