"""Which weights go with which graph, anchors and habits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mien.stages import WeightFile

from . import FACESWAP_MOBILENET, FACESWAP_RESNET, MIEN, ONE_MB, PYTORCH, RESNET50
from .decode import MinSizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A file of weights and the graph it belongs to.

    The first two published MobileNets have the same keys, shapes and size, and load into either
    graph without an error; in the wrong one they find twice as many faces.  Only the hash tells
    which graph is right.

    slope    of the activation below zero, in the MobileNet;  channels  of its neck and heads
    points   it has a head for them
    threshold  lowest score that counts where the user says nothing
    pyramid  a face above half the largest anchor breaks into several: halved pictures heal it
    """

    file: WeightFile
    min_sizes: MinSizes
    body: Literal["mobilenet", "resnet50"] = "mobilenet"
    slope: float = 0.1
    channels: int = 64
    points: bool = True
    pyramid: bool = True
    threshold: float = 0.7

    @property
    def shipped(self) -> bool:
        """The file is an ONNX file inside the plugin; no torch is needed."""
        return bool(self.file.package)


_PUBLISHED: MinSizes = ((16, 32), (64, 128), (256, 512))

VARIANTS = {
    "mien": Variant(
        file=MIEN,
        min_sizes=((10, 20), (40, 80), (160, 320)),
        slope=0.0,
        channels=48,
        pyramid=False,
        threshold=0.8,
    ),
    "1mb": Variant(file=ONE_MB, min_sizes=((10, 20), (32, 64), (128, 256)), slope=0.0),
    "pytorch": Variant(file=PYTORCH, min_sizes=_PUBLISHED),
    "resnet50": Variant(file=RESNET50, min_sizes=_PUBLISHED, body="resnet50"),
    "faceswap-mobilenet": Variant(file=FACESWAP_MOBILENET, min_sizes=_PUBLISHED, points=False),
    "faceswap-resnet": Variant(
        file=FACESWAP_RESNET, min_sizes=_PUBLISHED, body="resnet50", points=False
    ),
}
