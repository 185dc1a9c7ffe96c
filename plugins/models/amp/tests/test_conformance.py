"""What every model owes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import mien_model_amp
import numpy as np
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

    def test_every_face_may_morph_as_far_as_its_keyframes_say(self, provider, context) -> None:
        """Face by face the very bits that a swap at that place gives, in a batch as large."""
        crops: list[Any] = []
        shown: dict[float, Any] = {}
        for morph in (0.0, 0.25, 1.0):
            stage = self.make_stage(provider, context)
            stage.morph = morph
            crops = crops or self.make_items(stage)
            stage.open()
            shown[morph] = stage(crops)
            stage.close()
        wanted = [list(shown)[n % 3] for n in range(len(crops))]
        stage = self.make_stage(provider, context)
        stage.open()
        made = stage.tuned(crops, [replace(self.chosen(provider), morph=morph) for morph in wanted])
        stage.close()
        for n, morph in enumerate(wanted):
            assert np.array_equal(made[n].image, shown[morph][n].image)
            assert np.array_equal(made[n].masks["swap"], shown[morph][n].masks["swap"])
        assert not np.array_equal(shown[0.0][0].image, shown[1.0][0].image)


class TestAmpHalfwayWithAJudge(ModelConformance):
    plugin = mien_model_amp
    name = "amp"
    options: ClassVar[dict[str, Any]] = {**SMALL, "gan_power": 0.1, "morph": 0.5}


def test_counted_channels_are_the_nets_own_morph() -> None:
    from mien_model_amp.config import NetConfig
    from mien_model_amp.net import Counted, build_net

    net = build_net(NetConfig(**SMALL), torch.Generator().manual_seed(1)).eval()
    face = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    for morph in (0.0, 0.3, 0.7, 1.0):
        with torch.no_grad():
            wanted = net(face, torch.tensor([morph]))
            given = Counted(net)(face, torch.tensor([int(32 * morph)] * 2).int())
        for one, other in zip(given, wanted, strict=True):
            torch.testing.assert_close(one, other)
