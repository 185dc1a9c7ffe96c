"""What every colour transfer owes the kernel."""

import mien_color_idt
import pytest
from mien.testing import ColorTransferConformance
from mien.testing.colours import ColorProperties

FORMS = [{}, {"form": "dfl"}, {"statistics": "crop"}, {"form": "dfl", "statistics": "dfl"}]


class TestIdt(ColorTransferConformance):
    plugin = mien_color_idt
    name = "idt"

    @pytest.fixture(params=FORMS, ids=str, autouse=True)
    def _form(self, request, monkeypatch):
        monkeypatch.setattr(type(self), "options", request.param)


class TestProperties(ColorProperties):
    plugin = mien_color_idt
    same = 0.01
