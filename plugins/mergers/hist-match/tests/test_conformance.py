"""What every blend owes the kernel."""

import mien_blend_hist_match
import pytest
from mien.testing import BlendConformance


class TestHistMatch(BlendConformance):
    plugin = mien_blend_hist_match
    name = "hist-match"

    @pytest.fixture(params=[True, False], autouse=True)
    def _masked(self, request, monkeypatch):
        monkeypatch.setattr(type(self), "options", {"masked": request.param})
