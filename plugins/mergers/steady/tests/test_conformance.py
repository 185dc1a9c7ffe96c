"""What every colour transfer owes the kernel."""

import mien_color_steady
from mien.testing import ColorTransferConformance
from mien.testing.colours import ColorProperties


class TestSteady(ColorTransferConformance):
    plugin = mien_color_steady
    name = "steady"


class TestProperties(ColorProperties):
    plugin = mien_color_steady
    same = 0.005
