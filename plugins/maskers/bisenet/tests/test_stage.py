"""The masker with nets that answer as the test says, and with the net that comes with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mien_mask_bisenet
import numpy as np
import pytest
from mien.errors import ConfigError, WeightsError
from mien.geometry import make_crop
from mien.stages import Context
from mien.testing import FakeContext, FakeNet, MaskerConformance, face_at, frames
from mien.types import FaceType
from mien_mask_bisenet import Options, create

SHIPPED = Path(mien_mask_bisenet.__file__).parent / "weights" / "mien_masker_v1.onnx"


class Colours:
    """A net whose scores are the colours of the crop, and which remembers what it was shown."""

    def __init__(self, classes: int) -> None:
        self.classes, self.shown = classes, []

    def __call__(self, feeds: Mapping[str, Any]) -> list[Any]:
        image = feeds["image"]
        self.shown.append(image.shape)
        scores = np.zeros((len(image), self.classes, *image.shape[2:]), np.float32)
        scores[:, 1:4] = 1 + 10 * image
        return [scores]


def context_of(net: Colours, folder: Path, *names: str) -> FakeContext:
    files = {name: folder / name for name in names}
    for path in files.values():
        path.write_bytes(b"stands for the file")
    return FakeContext(net=FakeNet(net), files=files, cache=folder)


def crops_for(stage: Any, count: int = 2) -> list[Any]:
    return [make_crop(frame, face_at(48, 36, 40), stage.spec) for frame in frames(count)]


class TestBiSeNetKeepsItsPromises(MaskerConformance):
    plugin = mien_mask_bisenet
    name = "bisenet"

    def make_context(self, folder: Path) -> Context:
        return context_of(Colours(7), folder, "mien_masker_v1.onnx")


class TestHardMasksOfAPublishedNet(MaskerConformance):
    plugin = mien_mask_bisenet
    name = "bisenet"
    options = {  # noqa: RUF012 - the kit declares it a ClassVar
        "weights": "celebamask",
        "soft": False,
        "size": 64,
        "classes": ["skin", "hair"],
    }

    def make_context(self, folder: Path) -> Context:
        return context_of(Colours(19), folder, "79999_iter.pth")


@pytest.mark.skipif(not SHIPPED.exists(), reason="the weights are not built")
class TestTheShippedNetKeepsItsPromises(MaskerConformance):
    plugin = mien_mask_bisenet
    name = "bisenet"

    def make_context(self, folder: Path) -> Context:
        return FakeContext(files={SHIPPED.name: SHIPPED}, cache=folder)


@pytest.mark.parametrize(
    ("options", "face_type", "size"),
    [
        (Options(), FaceType.WHOLE, 256),
        (Options(weights="celebamask"), FaceType.WHOLE, 512),
        (Options(weights="celebamask", classes=("hair", "skin")), FaceType.HEAD, 512),
        (Options(weights="faceswap-head"), FaceType.HEAD, 512),
        (Options(weights="faceswap-face", face_type=FaceType.FULL, size=256), FaceType.FULL, 256),
        (Options(file=Path("mine.pth")), FaceType.WHOLE, 512),
    ],
)
def test_the_crop_fits_the_net_and_the_classes(
    options: Options, face_type: FaceType, size: int
) -> None:
    stage = create(options, FakeContext())
    assert (stage.spec.face_type, stage.spec.size) == (face_type, size)
    assert stage.spec.order == "rgb"


def test_the_chosen_class_makes_the_mask(tmp_path: Path) -> None:
    net = Colours(7)
    context = context_of(net, tmp_path, "mien_masker_v1.onnx")
    for place, name in enumerate(("skin", "forehead", "brows")):  # classes 1, 2 and 3
        stage = create(Options(classes=(name,), soft=False), context)  # type: ignore[arg-type]
        stage.open()
        crops = crops_for(stage)
        for crop, mask in zip(crops, stage(crops), strict=True):
            np.testing.assert_array_equal(mask[..., 0], crop.image.argmax(2) == place)
    assert net.shown[0] == (2, 3, 256, 256)


def test_a_class_of_another_net_is_refused_before_anything_is_read() -> None:
    with pytest.raises(ConfigError, match="the net of mien does not tell hair apart"):
        create(Options(classes=("hair",)), FakeContext())
    create(Options(weights="celebamask", classes=("hair",)), FakeContext())


def test_a_net_of_one_s_own_says_by_its_classes_what_it_knows(tmp_path: Path) -> None:
    path = tmp_path / "mine.pth"
    path.write_bytes(b"stands for the file")
    stage = create(Options(file=path, classes=("nose",)), context_of(Colours(5), tmp_path))
    stage.open()
    with pytest.raises(ConfigError, match=r"mine.pth does not tell nose apart; it knows backgr"):
        stage(crops_for(stage))


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    stage = create(Options(file=tmp_path / "nowhere.pth"), FakeContext(cache=tmp_path))
    with pytest.raises(WeightsError, match=r"nowhere.pth: cannot be read: No such file"):
        stage.open()
    (tmp_path / "cut.pth").write_bytes(b"PK\x03\x04 cut off")
    stage = create(Options(file=tmp_path / "cut.pth"), FakeContext(cache=tmp_path))
    with pytest.raises(WeightsError, match=r"cut.pth"):
        stage.open()


def test_calling_before_open_is_a_plain_mistake() -> None:
    stage = create(Options(), FakeContext())
    with pytest.raises(RuntimeError, match="before open"):
        stage(crops_for(stage))


@pytest.mark.skipif(not SHIPPED.exists(), reason="the weights are not built")
def test_the_shipped_net_is_small_and_takes_other_sizes() -> None:
    assert SHIPPED.stat().st_size < 8_000_000
    for size in (128, 256, 320):
        stage = create(Options(size=size), FakeContext(files={SHIPPED.name: SHIPPED}))
        stage.open()
        assert [mask.shape for mask in stage(crops_for(stage))] == [(size, size, 1)] * 2
        stage.close()
