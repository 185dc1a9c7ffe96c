"""What every colour transfer owes the kernel."""

import mien_color_reinhard
import pytest
from mien.testing import ColorTransferConformance
from mien.testing.colours import ColorProperties


class TestReinhard(ColorTransferConformance):
    plugin = mien_color_reinhard
    name = "reinhard"

    @pytest.fixture(params=["area", "crop", "dfl", "faceswap"], autouse=True)
    def _statistics(self, request, monkeypatch):
        monkeypatch.setattr(type(self), "options", {"statistics": request.param})


class TestProperties(ColorProperties):
    plugin = mien_color_reinhard
    same = 0.01  # OpenCV's Lab, there and back
