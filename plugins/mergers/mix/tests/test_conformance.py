"""What every colour transfer owes the kernel."""

import mien_color_mix
import pytest
from mien.testing import ColorTransferConformance
from mien.testing.colours import ColorProperties

FORMS = [{}, {"form": "dfl"}, {"statistics": "crop"}, {"form": "dfl", "statistics": "dfl"}]


class TestMix(ColorTransferConformance):
    plugin = mien_color_mix
    name = "mix"

    @pytest.fixture(params=FORMS, ids=str, autouse=True)
    def _form(self, request, monkeypatch):
        monkeypatch.setattr(type(self), "options", request.param)


class TestProperties(ColorProperties):
    plugin = mien_color_mix
    same = 0.02
