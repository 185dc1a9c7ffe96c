"""What every colour transfer owes the kernel."""

import mien_color_avg_color
from mien.testing import ColorTransferConformance
from mien.testing.colours import ColorProperties


class TestAvgColor(ColorTransferConformance):
    plugin = mien_color_avg_color
    name = "avg-color"


class TestProperties(ColorProperties):
    plugin = mien_color_avg_color
    same = 1e-6
