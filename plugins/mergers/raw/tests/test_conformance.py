"""What every blend owes the kernel."""

import mien_blend_raw
from mien.testing import BlendConformance


class TestRawRgb(BlendConformance):
    plugin = mien_blend_raw
    name = "raw-rgb"


class TestRawPredict(BlendConformance):
    plugin = mien_blend_raw
    name = "raw-predict"
