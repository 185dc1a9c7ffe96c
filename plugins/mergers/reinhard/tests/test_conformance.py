"""What every colour transfer owes the kernel."""

import mien_color_reinhard
import pytest
from mien.testing import ColorTransferConformance


class TestReinhard(ColorTransferConformance):
    plugin = mien_color_reinhard
    name = "reinhard"

    @pytest.fixture(params=["area", "crop", "dfl"], autouse=True)
    def _statistics(self, request, monkeypatch):
        monkeypatch.setattr(type(self), "options", {"statistics": request.param})
