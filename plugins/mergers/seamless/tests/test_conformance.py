"""What every blend owes the kernel."""

import mien_blend_seamless
from mien.testing import BlendConformance


class TestSeamless(BlendConformance):
    plugin = mien_blend_seamless
    name = "seamless"


class TestSeamlessHistMatch(BlendConformance):
    plugin = mien_blend_seamless
    name = "seamless-hist-match"
