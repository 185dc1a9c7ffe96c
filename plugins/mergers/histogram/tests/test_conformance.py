"""What every colour transfer owes the kernel."""

import mien_color_histogram
import pytest
from mien.testing import ColorTransferConformance
from mien.testing.colours import ColorProperties

FORMS = [{}, {"statistics": "crop"}, {"statistics": "dfl"}]


class TestHistogram(ColorTransferConformance):
    plugin = mien_color_histogram
    name = "histogram"

    @pytest.fixture(params=FORMS, ids=str, autouse=True)
    def _form(self, request, monkeypatch):
        monkeypatch.setattr(type(self), "options", request.param)


class TestProperties(ColorProperties):
    plugin = mien_color_histogram
    same = 1e-4
