"""What every blend owes the kernel."""

import mien_blend_overlay
from mien.testing import BlendConformance


class TestOverlay(BlendConformance):
    plugin = mien_blend_overlay
    name = "overlay"
