"""The maskers around a net that paints what the test says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mien_mask_vgg
import numpy as np
import pytest
from mien.errors import WeightsError
from mien.geometry import make_crop
from mien.runtime import make_context
from mien.stages import Context
from mien.testing import FakeContext, FakeNet, MaskerConformance, face_at, frames
from mien.types import CropSpec, FaceType
from mien_mask_vgg import CLEAR, OBSTRUCTED, Options, create_clear, create_obstructed
from mien_mask_vgg.stage import MEAN_BGR


def green(feeds: Mapping[str, Any]) -> list[Any]:
    """A net whose mask is the green channel, where the published mean was subtracted."""
    return [(feeds["image"][:, 1:2] + MEAN_BGR[1]) / 255]


def files_in(folder: Path) -> dict[str, Path]:
    made = {file.name: folder / file.name for file in (*CLEAR, *OBSTRUCTED)}
    for path in made.values():
        path.write_bytes(b"read only when it is exported")
    return made


class TestClearKeepsItsPromises(MaskerConformance):
    plugin = mien_mask_vgg
    name = "vgg-clear"

    def make_context(self, folder: Path) -> Context:
        return FakeContext(net=FakeNet(green), cache=folder, files=files_in(folder))


class TestObstructedKeepsItsPromises(TestClearKeepsItsPromises):
    name = "vgg-obstructed"
    options = {"parity": True, "face_type": "full"}  # noqa: RUF012 - the kit declares it a ClassVar


def test_each_net_has_its_own_size_and_batch() -> None:
    clear = create_clear(Options(), FakeContext())
    hidden = create_obstructed(mien_mask_vgg.ObstructedOptions(), FakeContext())
    assert clear.spec == CropSpec(face_type=FaceType.WHOLE, size=300, high=255)
    assert hidden.spec == CropSpec(face_type=FaceType.WHOLE, size=500, high=255)
    assert (clear.batch_size, hidden.batch_size) == (6, 2)


def test_masks_lie_where_the_net_saw_them(tmp_path: Path) -> None:
    stage = create_clear(
        Options(file=files_in(tmp_path)[CLEAR[0].name]), FakeContext(net=FakeNet(green))
    )
    stage.open()
    crop = make_crop(frames(1)[0], face_at(48, 36, 40), stage.spec)
    (mask,) = stage([crop])
    np.testing.assert_allclose(mask[..., 0], np.clip(crop.image[..., 1] / 255, 0, 1), atol=1e-6)


def test_any_of_the_published_files_will_do(tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    context = make_context(device="cpu", threads=1, weight_folders=[folder], cache=tmp_path)
    stage = create_clear(Options(), context)
    with pytest.raises(WeightsError) as caught:
        stage.open()
    told = str(caught.value)
    assert "'Nirkin_300_softmax_v2.pth' (size not known, licence: GPL-3.0 (repository)" in told
    assert "fetch it by hand from https://" in told
    assert told.endswith("; 'face_seg_fcn8s_300_no_aug.zip' will do as well")
    (folder / "face_seg_fcn8s_300_no_aug.zip").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(WeightsError, match=r"face_seg_fcn8s_300_no_aug\.zip: "):
        stage.open()


def test_it_must_be_opened_first() -> None:
    stage = create_clear(Options(), FakeContext())
    crop = make_crop(frames(1)[0], face_at(48, 36, 40), stage.spec)
    with pytest.raises(RuntimeError, match="before open"):
        stage([crop])
