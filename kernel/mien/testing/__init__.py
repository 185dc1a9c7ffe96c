"""What a plugin package needs to test itself: fakes for the context and the conformance kit.

    from mien.testing import ColorTransferConformance
    import mien_median

    class TestMedian(ColorTransferConformance):
        plugin = mien_median
        name = "median"

runs every promise that the kernel relies on; `docs/plugins.md` walks through it.
"""

from __future__ import annotations

from .conformance import (
    AlignerConformance,
    DetectorConformance,
    EmbedderConformance,
    MaskerConformance,
)
from .fakes import FakeContext, FakeNet, face_at, frames
from .merging import BlendConformance, ColorTransferConformance, EnhancerConformance
from .models import ModelConformance

__all__ = [
    "AlignerConformance",
    "BlendConformance",
    "ColorTransferConformance",
    "DetectorConformance",
    "EmbedderConformance",
    "EnhancerConformance",
    "FakeContext",
    "FakeNet",
    "MaskerConformance",
    "ModelConformance",
    "face_at",
    "frames",
]
