"""The masker around a net that paints what the test says."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mien_mask_xseg
import numpy as np
import pytest
from mien.errors import ConfigError
from mien.geometry import make_crop
from mien.stages import Context
from mien.testing import FakeContext, FakeNet, MaskerConformance, face_at, frames
from mien.types import CropSpec, FaceType
from mien_mask_xseg import Options, create, mien_maskers


def green(feeds: Mapping[str, Any]) -> list[Any]:
    """A net whose mask is the green channel, in the layout of what it is fed."""
    if "in_face:0" in feeds:
        return [feeds["in_face:0"][..., 1:2]]
    return [feeds["image"][:, 1:2]]


def model_in(folder: Path, name: str = "XSeg_256.npy") -> Path:
    path = folder / name
    path.write_bytes(b"read only when it is exported")
    return path


@pytest.fixture(params=["XSeg_256.npy", "XSeg_model.onnx"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return model_in(tmp_path, request.param)


class TestXSegKeepsItsPromises(MaskerConformance):
    plugin = mien_mask_xseg
    name = "xseg"

    @pytest.fixture(autouse=True)
    def _model(self, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(type(self), "options", {"model": str(model)})

    def make_context(self, folder: Path) -> Context:
        return FakeContext(net=FakeNet(green), cache=folder)


def test_it_asks_for_the_crop_that_the_model_was_trained_on(tmp_path: Path) -> None:
    path = model_in(tmp_path)
    context = FakeContext()
    assert create(Options(model=path), context).spec == CropSpec(face_type=FaceType.WHOLE, size=256)
    data = {"iter": 1, "options": {"face_type": "head"}}
    (tmp_path / "XSeg_data.dat").write_bytes(pickle.dumps(data, 3))
    assert create(Options(model=tmp_path), context).spec.face_type is FaceType.HEAD
    chosen = Options(model=path, face_type=FaceType.FULL)
    assert create(chosen, context).spec.face_type is FaceType.FULL


def test_faint_values_go_and_others_stay(model: Path) -> None:
    stage = create(Options(model=model), FakeContext(net=FakeNet(green)))
    all_of_it = create(Options(model=model, floor=0), FakeContext(net=FakeNet(green)))
    crop = make_crop(frames(1)[0], face_at(48, 36, 40), stage.spec)
    for each in (stage, all_of_it):
        each.open()
    (mask,), (soft,) = stage([crop]), all_of_it([crop])
    np.testing.assert_array_equal(soft[..., 0], np.clip(crop.image[..., 1], 0, 1))
    np.testing.assert_array_equal(mask, np.where(soft < 0.1, 0, soft))
    assert (mask != soft).any()


def test_every_face_may_have_a_floor_of_its_own(model: Path) -> None:
    stage = create(Options(model=model), FakeContext(net=FakeNet(green)))
    stage.open()
    crop = make_crop(frames(1)[0], face_at(48, 36, 40), stage.spec)
    low, high = stage.tuned([crop, crop], [Options(floor=0), Options(floor=0.5)])
    np.testing.assert_array_equal(high, np.where(low < 0.5, 0, low))
    assert (high != low).any()
    (keyed,) = [card.keyed for card in mien_maskers()]
    assert keyed == ("floor",)


def test_no_model_is_told_with_the_way_to_one() -> None:
    stage = create(Options(), FakeContext())
    with pytest.raises(ConfigError, match=r"trained for the faces at hand, with `mien train xseg`"):
        stage.open()


def test_it_must_be_opened_first(model: Path) -> None:
    stage = create(Options(model=model), FakeContext())
    crop = make_crop(frames(1)[0], face_at(48, 36, 40), stage.spec)
    with pytest.raises(RuntimeError, match="before open"):
        stage([crop])
