"""What every masker owes the kernel."""

import mien_mask_landmarks
import pytest
from mien.testing import MaskerConformance


class TestLandmarks(MaskerConformance):
    plugin = mien_mask_landmarks
    name = "landmarks"

    @pytest.fixture(params=["hull", "components", "extended"], autouse=True)
    def _kind(self, request, monkeypatch):
        monkeypatch.setattr(type(self), "options", {"kind": request.param, "size": 128})
