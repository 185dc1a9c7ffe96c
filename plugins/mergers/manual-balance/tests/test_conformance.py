"""What every colour transfer owes the kernel."""

import mien_color_manual_balance
import pytest
from mien.testing import ColorTransferConformance
from mien.testing.colours import ColorProperties

FORMS = [{}, {"form": "faceswap"}, {"space": "lab", "balance_2": -20.0, "contrast": 30.0}]


class TestManualBalance(ColorTransferConformance):
    plugin = mien_color_manual_balance
    name = "manual-balance"

    @pytest.fixture(params=FORMS, ids=str, autouse=True)
    def _form(self, request, monkeypatch):
        monkeypatch.setattr(type(self), "options", request.param)


class TestProperties(ColorProperties):
    plugin = mien_color_manual_balance
    same = 1e-6
    outside = False
