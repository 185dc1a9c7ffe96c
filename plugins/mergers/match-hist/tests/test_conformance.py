"""What every colour transfer owes the kernel."""

import mien_color_match_hist
from mien.testing import ColorTransferConformance
from mien.testing.colours import ColorProperties


class TestMatchHist(ColorTransferConformance):
    plugin = mien_color_match_hist
    name = "match-hist"


class TestProperties(ColorProperties):
    plugin = mien_color_match_hist
    same = 0.02
