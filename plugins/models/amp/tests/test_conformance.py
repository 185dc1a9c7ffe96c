"""What every model owes."""

from __future__ import annotations

from typing import Any, ClassVar

import mien_model_amp
import pytest
import torch
from mien.testing.models import ModelConformance

SMALL = {
    "resolution": 64,
    "ae_dims": 32,
    "inter_dims": 32,
    "e_dims": 16,
    "d_dims": 16,
    "d_mask_dims": 16,
}


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Tiny tensors lose more by threads than they win."""
    torch.set_num_threads(1)


class TestAmp(ModelConformance):
    plugin = mien_model_amp
    name = "amp"
    options: ClassVar[dict[str, Any]] = {**SMALL, "learning_rate": 1e-4}


class TestAmpHalfwayWithAJudge(ModelConformance):
    plugin = mien_model_amp
    name = "amp"
    options: ClassVar[dict[str, Any]] = {**SMALL, "gan_power": 0.1, "morph": 0.5}


def test_a_fixed_morph_is_the_nets_own() -> None:
    from mien_model_amp.config import NetConfig
    from mien_model_amp.net import FixedMorph, build_net

    net = build_net(NetConfig(**SMALL), torch.Generator().manual_seed(1)).eval()
    face = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    for morph in (0.0, 0.3, 0.7, 1.0):
        with torch.no_grad():
            wanted = net(face, torch.tensor([morph]))
            given = FixedMorph(net, morph)(face)
        for one, other in zip(given, wanted, strict=True):
            torch.testing.assert_close(one, other)
