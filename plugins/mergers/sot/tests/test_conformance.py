"""What every colour transfer owes the kernel."""

import mien_color_sot
import pytest
from mien.testing import ColorTransferConformance
from mien.testing.colours import ColorProperties

FORMS = [{}, {"form": "dfl"}, {"statistics": "crop"}, {"form": "dfl", "statistics": "dfl"}]


class TestSot(ColorTransferConformance):
    plugin = mien_color_sot
    name = "sot"

    @pytest.fixture(params=FORMS, ids=str, autouse=True)
    def _form(self, request, monkeypatch):
        monkeypatch.setattr(type(self), "options", request.param)


class TestProperties(ColorProperties):
    plugin = mien_color_sot
    same = 0.01
