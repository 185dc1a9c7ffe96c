"""Models of other programs: what their files say of themselves is taken with care."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mien.config import Config
from mien.errors import InputError
from mien.jobs.dfl import look_at
from mien.jobs.run import make_run
from mien.nets.dflfiles import ModelData, write_data
from mien.registry import Registry

SAEHD = {"resolution": 64, "face_type": "wf", "archi": "df-ud", "ae_dims": 32, "e_dims": 16} | {
    "d_dims": 16, "d_mask_dims": 16
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"resolution": "large"}, "its options cannot be used"),
        ({"random_hsv_power": "much"}, "its options cannot be used: could not convert"),
        ({"ae_dims": 10**400}, "its options cannot be used"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(tmp_path: Path, changed, words):
    registry = Registry.installed()
    if not any(entry.provider.name == "saehd" for entry in registry.entries("model")):
        pytest.skip("mien-saehd is not installed")
    run = make_run("import", registry, Config(registry))
    path = tmp_path / "anna_SAEHD_data.dat"
    write_data(path, ModelData(iterations=3, options=SAEHD, losses=np.zeros((0, 2))))
    data, options, notes = look_at(run, tmp_path / "anna_SAEHD", "SAEHD")
    assert (data.iterations, options.resolution) == (3, 64)
    assert "mien train" in notes[0]
    path.unlink()
    write_data(path, ModelData(iterations=3, options=SAEHD | changed, losses=np.zeros((0, 2))))
    with pytest.raises(InputError, match=words):
        look_at(run, tmp_path / "anna_SAEHD", "SAEHD")
