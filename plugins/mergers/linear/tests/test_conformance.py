"""What every colour transfer owes the kernel."""

import mien_color_linear
import pytest
from mien.testing import ColorTransferConformance
from mien.testing.colours import ColorProperties

FORMS = [{}, {"statistics": "crop"}, {"statistics": "dfl"}]


class TestLinear(ColorTransferConformance):
    plugin = mien_color_linear
    name = "linear"

    @pytest.fixture(params=FORMS, ids=str, autouse=True)
    def _form(self, request, monkeypatch):
        monkeypatch.setattr(type(self), "options", request.param)


class TestProperties(ColorProperties):
    plugin = mien_color_linear
    same = 1e-4
