"""What every blend owes the kernel."""

import mien_blend_laplacian
import pytest
from mien.testing import BlendConformance


class TestLaplacian(BlendConformance):
    plugin = mien_blend_laplacian
    name = "laplacian"

    @pytest.fixture(params=[1, 5, 8], autouse=True)
    def _bands(self, request, monkeypatch):
        monkeypatch.setattr(type(self), "options", {"bands": request.param})
